//! A verifier that cannot know what the agent did.

use super::subject::Verifier;
use super::{Lint, Subject, Warning};

pub(super) static LINT: Lint = Lint {
    name: "blind_verifier",
    explanation: "the verifier uses neither a result, nor the trajectory, nor a model's verdict",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    let Some(verifier) = subject.verifier().filter(is_blind) else { return Vec::new() };
    let message = format!(
        "{} uses neither its trajectory nor its env_info, so it cannot know what the agent did; read a result with \
         env_info[\"copy_from_env\"]",
        verifier.function
    );
    vec![Warning::of_file(verifier.file, message)]
}

fn is_blind(verifier: &Verifier<'_>) -> bool {
    verifier.entry().is_some_and(|entry| verifier.module.is_blind(entry))
}

#[cfg(test)]
mod tests {
    use crate::lints::testing::Task;

    #[test]
    fn verifiers() {
        let check = |start: &str, body: &str, expect: usize| {
            let source = format!("{start}\ndef verify_t(traj, env_info, task_info):\n {body}\n");
            let task = Task::new("t").verifier(&source);
            assert_eq!(task.warnings(&super::LINT).len(), expect, "{source}");
        };
        check("", "return {'passed': True}", 1);
        check("", "return {'passed': task_info['metadata']['x'] == 1}", 1);
        check("", "return {'passed': open('/tmp/task_result.json').read() == '1'}", 1);
        check("", "traj = 1; return {'passed': True}", 1);
        check("", "return judge(traj, env_info)", 0);
        check("", "return {'passed': len(traj) > 3}", 0);
        check("", "return judge(**locals())", 0);
        check("import requests", "return {'passed': requests.get('http://localhost').ok}", 0);
        check("import subprocess", "return {'passed': not subprocess.run(['curl']).returncode}", 0);
        check("import os", "return {'passed': os.path.exists('/tmp/a')}", 1);
    }
}
