//! A script that a hook starts by its path, and that the system will refuse to run.

use std::os::unix::fs::PermissionsExt;

use super::subject::Hook;
use super::{Lint, Subject, Warning};

pub(super) static LINT: Lint = Lint {
    name: "missing_run_bit",
    explanation: "a hook starts a script by its path, and the script has no run bit",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    Hook::ALL.into_iter().filter_map(|hook| check_hook(subject, hook)).collect()
}

fn check_hook(subject: &Subject<'_>, hook: Hook) -> Option<Warning> {
    let script = subject.hook_script(hook)?;
    let is_started = subject.command(hook)?.split_whitespace().next()?.ends_with(script);
    if !is_started {
        return None;
    }
    let mode = fs_err::metadata(subject.folder().join(script)).ok()?.permissions().mode();
    (mode & 0o111 == 0).then(|| {
        let message = format!("the hook {} starts it, and it has no run bit; chmod +x it", hook.key());
        Warning::of_file(script, message)
    })
}

#[cfg(test)]
mod tests {
    use crate::lints::testing::Task;

    #[test]
    fn run_bits() {
        let check = |hook: &str, mode: u32, expect: &[&str]| {
            let hooks = format!(r#"{{"pre_task": "{hook}"}}"#);
            let task = Task::new("t").spec("hooks", &hooks).file("setup_task.sh", "#!/bin/sh\n");
            let task = task.mode("setup_task.sh", mode);
            assert_eq!(task.files_warned_of(&super::LINT), expect, "{hook} {mode:o}");
        };
        check("/workspace/tasks/t/setup_task.sh", 0o755, &[]);
        check("/workspace/tasks/t/setup_task.sh", 0o644, &["setup_task.sh"]);
        check("sh /sdcard/tasks/t/setup_task.sh", 0o644, &[]);
        check("/workspace/tasks/other/setup_task.sh", 0o644, &[]);
    }
}
