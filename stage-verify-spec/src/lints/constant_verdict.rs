//! A verifier that returns the same verdict on every path.

use task_spec::python::constant_verdict;

use super::{Lint, Subject, Warning};

pub(super) static LINT: Lint = Lint {
    name: "constant_verdict",
    explanation: "the verifier returns the same verdict on every path",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    find(subject).into_iter().collect()
}

fn find(subject: &Subject<'_>) -> Option<Warning> {
    let verifier = subject.verifier()?;
    let verdict = if constant_verdict(verifier.entry()?)? { "True" } else { "False" };
    let message = format!(
        "{} returns passed: {verdict} on every path; check what the agent did, or remove the verifier",
        verifier.function
    );
    Some(Warning::of_file(verifier.file, message))
}

#[cfg(test)]
mod tests {
    use crate::lints::testing::Task;

    #[test]
    fn verifiers() {
        let check = |body: &str, expect: Option<&str>| {
            let task =
                Task::new("t").verifier(&format!("def verify_t(traj, env_info, task_info):\n{body}\n"));
            let expect = expect.map(|verdict| {
                format!(
                    "verify_t returns passed: {verdict} on every path; check what the agent did, or remove \
                     the verifier"
                )
            });
            assert_eq!(task.warnings(&super::LINT), Vec::from_iter(expect), "{body}");
        };
        check(" return {'passed': True, 'score': 100}", Some("True"));
        check(" return {'passed': False, 'score': 0}", Some("False"));
        check(" if traj: return {'passed': True}\n return {'score': 1, 'passed': True}", Some("True"));
        check(" if traj: return {'passed': False}\n return {'passed': True}", None);
        check(" return {'passed': bool(traj)}", None);
        check(" if traj: return other(traj)\n return {'passed': True}", None);
        check(" def inner():\n  return {'passed': False}\n return {'passed': True}", Some("True"));
        check(" return {'passed': True, **judge(traj)}", None);
        check(" return {**judge(traj), 'passed': True}", Some("True"));
        check(" pass", None);
    }
}
