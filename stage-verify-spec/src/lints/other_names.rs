//! Names in a task that belong to another task or another environment: most often left over from a copy.

use super::subject::Hook;
use super::{Lint, Subject, Warning};

pub(super) static ID: Lint = Lint {
    name: "other_id",
    explanation: "the task's id differs from the name of its folder",
    check: check_id,
};

pub(super) static ENVIRONMENT: Lint = Lint {
    name: "other_environment",
    explanation: "the task's env_id names another environment than the one that contains the task",
    check: check_environment,
};

pub(super) static HOOK: Lint = Lint {
    name: "other_hook",
    explanation: "a hook runs a script in the folder of another task",
    check: check_hooks,
};

pub(super) static FUNCTION: Lint = Lint {
    name: "other_function",
    explanation: "the verifier's function is named after another task of the environment",
    check: check_function,
};

fn check_id(subject: &Subject<'_>) -> Vec<Warning> {
    let name = subject.name();
    match subject.field("id") {
        Some(id) if !id.is_empty() && without_version(id) != name => {
            vec![Warning::of_task(format!("the id is {id} in a folder named {name}; use {name}@1"))]
        }
        _ => Vec::new(),
    }
}

fn check_environment(subject: &Subject<'_>) -> Vec<Warning> {
    find_other_environment(subject).into_iter().collect()
}

fn find_other_environment(subject: &Subject<'_>) -> Option<Warning> {
    let environment = subject.environment();
    let folder = environment.root.file_name().and_then(|name| name.to_str());
    let id = environment.spec.as_ref()?.get("id")?.as_str()?;
    let env_id = subject.field("env_id")?;
    let name = bare(env_id);
    if name.is_empty() || name == bare(id) || Some(name) == folder {
        return None;
    }
    Some(Warning::of_task(format!("the env_id is {env_id}, but the environment's id is {id}; use {id}")))
}

fn check_hooks(subject: &Subject<'_>) -> Vec<Warning> {
    Hook::ALL.into_iter().filter_map(|hook| check_hook(subject, hook)).collect()
}

fn check_hook(subject: &Subject<'_>, hook: Hook) -> Option<Warning> {
    let command = subject.command(hook)?.replace('\\', "/");
    let (_, below) = command.split_once("/tasks/")?;
    let (other, _) = below.split_once('/')?;
    let name = subject.name();
    if other == name {
        return None;
    }
    let hook = hook.key();
    let message =
        format!("the hook {hook} runs a script in tasks/{other}; copy it to tasks/{name} and run that copy");
    Some(Warning::of_task(message))
}

fn check_function(subject: &Subject<'_>) -> Vec<Warning> {
    find_other_function(subject).into_iter().collect()
}

fn find_other_function(subject: &Subject<'_>) -> Option<Warning> {
    let verifier = subject.verifier()?;
    let task = verifier.function.strip_prefix("verify_")?;
    let name = subject.name();
    // A name that was shortened or extended is still this task's.
    if name.contains(task) || task.contains(name) || !subject.is_other_task(task) {
        return None;
    }
    let message = format!(
        "{} is named after the task {task}; if it checks this task, rename it to verify_{name}, here and in the \
         spec",
        verifier.function
    );
    Some(Warning::of_file(verifier.file, message))
}

/// The name in an id such as `example.app_env@0.1`.
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
        check("\"add_group@1\"", &["the id is add_group@1 in a folder named add_user; use add_user@1"]);
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
            &[
                "the env_id is other_env@0.1, but the environment's id is example.app_env@0.1; use example.app_env@0.1",
            ],
        );
    }

    #[test]
    fn hooks() {
        let check = |hook: &str, expect: &[&str]| {
            let task = Task::new("t").spec("hooks", &format!(r#"{{"post_task": "{hook}"}}"#));
            assert_eq!(task.warnings(&super::HOOK), expect, "{hook}");
        };
        let other = "the hook post_task runs a script in tasks/u; copy it to tasks/t and run that copy";
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
