//! Names in a task that are another task's or another environment's: most often left from a copy.

use super::subject::Hook;
use super::{Lint, Subject, Warning};

pub(super) static ID: Lint =
    Lint { name: "other_id", explanation: "the task's id is not the name of its folder", check: check_id };

pub(super) static ENVIRONMENT: Lint = Lint {
    name: "other_environment",
    explanation: "the task's env_id names another environment than the one that it is in",
    check: check_environment,
};

pub(super) static HOOK: Lint = Lint {
    name: "other_hook",
    explanation: "a hook runs a script in the folder of another task",
    check: check_hooks,
};

pub(super) static FUNCTION: Lint = Lint {
    name: "other_function",
    explanation: "the verifier's function has the name of another task of the environment",
    check: check_function,
};

fn check_id(subject: &Subject<'_>) -> Vec<Warning> {
    let name = subject.name();
    let other = subject.field("id").filter(|id| !id.is_empty() && without_version(id) != name);
    let warning = |id| Warning::of_task(format!("the id is {id} in a folder named {name}; make it {name}@1"));
    other.map(warning).into_iter().collect()
}

fn check_environment(subject: &Subject<'_>) -> Vec<Warning> {
    let environment = subject.environment();
    let folder = environment.root.file_name().and_then(|name| name.to_str());
    let Some(id) = environment.spec.as_ref().and_then(|spec| spec.get("id")?.as_str()) else {
        return Vec::new();
    };
    let is_other = |named: &&str| {
        let named = bare(named);
        !named.is_empty() && named != bare(id) && Some(named) != folder
    };
    let warning = |named| {
        Warning::of_task(format!("the env_id is {named}, and the environment's id is {id}; name that one"))
    };
    subject.field("env_id").filter(is_other).map(warning).into_iter().collect()
}

fn check_hooks(subject: &Subject<'_>) -> Vec<Warning> {
    let check = |hook: Hook| {
        let command = subject.command(hook)?.replace('\\', "/");
        let (_, below) = command.split_once("/tasks/")?;
        let other = below.split_once('/')?.0;
        (other != subject.name()).then(|| {
            let message = format!(
                "the hook {} runs a script of tasks/{other}; copy it to tasks/{} and name that",
                hook.key(),
                subject.name()
            );
            Warning::of_task(message)
        })
    };
    Hook::ALL.into_iter().filter_map(check).collect()
}

fn check_function(subject: &Subject<'_>) -> Vec<Warning> {
    let other = subject.verifier().and_then(|verifier| {
        let task = verifier.function.strip_prefix("verify_")?;
        // A name that was cut short or made longer is still this task's.
        let is_own = subject.name().contains(task) || task.contains(subject.name());
        (!is_own && subject.is_other_task(task)).then_some((verifier, task))
    });
    let warning = |(verifier, task): (super::subject::Verifier<'_>, &str)| {
        let message = format!(
            "{} is named after the task {task}; rename it to verify_{}, here and in the spec, if it judges this one",
            verifier.function,
            subject.name()
        );
        Warning::of_file(verifier.file, message)
    };
    other.map(warning).into_iter().collect()
}

/// The name in an id like `example.app_env@0.1`.
fn bare(id: &str) -> &str {
    let name = without_version(id);
    name.rsplit('.').next().unwrap_or(name)
}

fn without_version(id: &str) -> &str {
    id.split('@').next().unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use crate::lints::testing::Task;

    #[test]
    fn ids() {
        let check = |id: &str, expect: &[&str]| {
            let task = Task::new("add_user").spec("id", id);
            assert_eq!(task.warnings(&super::ID), expect, "{id}");
        };
        check("\"add_user@1\"", &[]);
        check("\"add_user\"", &[]);
        check("\"\"", &[]);
        check("5", &[]);
        check("\"add_group@1\"", &["the id is add_group@1 in a folder named add_user; make it add_user@1"]);
    }

    #[test]
    fn environments() {
        let check = |env_id: &str, expect: &[&str]| {
            let task = Task::new("t").spec("env_id", env_id);
            assert_eq!(task.warnings(&super::ENVIRONMENT), expect, "{env_id}");
        };
        check("\"example.app_env@0.1\"", &[]);
        check("\"app_env@0.2\"", &[]);
        check("null", &[]);
        check(
            "\"other_env@0.1\"",
            &["the env_id is other_env@0.1, and the environment's id is example.app_env@0.1; name that one"],
        );
    }

    #[test]
    fn hooks() {
        let check = |hook: &str, expect: &[&str]| {
            let task = Task::new("t").spec("hooks", &format!(r#"{{"post_task": "{hook}"}}"#));
            assert_eq!(task.warnings(&super::HOOK), expect, "{hook}");
        };
        let other = "the hook post_task runs a script of tasks/u; copy it to tasks/t and name that";
        check("/workspace/tasks/t/export_result.sh", &[]);
        check("/workspace/scripts/export.sh", &[]);
        check("/workspace/tasks/u/export_result.sh", &[other]);
        check(r"powershell -File C:\\workspace\\tasks\\u\\export_result.ps1", &[other]);
    }

    #[test]
    fn functions() {
        let check = |function: &str, expect: usize| {
            let program = format!(r#"{{"spec": {{"program": "verifier.py::{function}"}}}}"#);
            let source = format!("def {function}(traj, env_info, task_info):\n return {{}}\n");
            let task = Task::new("add_user")
                .beside("add_group")
                .beside("add")
                .spec("success", &program)
                .verifier(&source);
            assert_eq!(task.warnings(&super::FUNCTION).len(), expect, "{function}");
        };
        check("verify_add_user", 0);
        check("verify_user", 0);
        check("check_add_group", 0);
        check("verify_add_group", 1);
        check("verify_", 0);
        check("verify_add", 0);
    }
}
