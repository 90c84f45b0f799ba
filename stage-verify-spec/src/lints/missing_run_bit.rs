//! A script that a hook starts by its path, and that is not executable.

use std::os::unix::fs::PermissionsExt;

use super::subject::Hook;
use super::{Lint, Subject, Warning};

pub(super) static LINT: Lint = Lint {
    name: "missing_run_bit",
    explanation: "a hook starts a script by its path, and the script is not executable",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    Hook::ALL.into_iter().filter_map(|hook| check_hook(subject, hook)).collect()
}

fn check_hook(subject: &Subject<'_>, hook: Hook) -> Option<Warning> {
    let script = subject.hook_script(hook)?;
    if !subject.command(hook)?.split_whitespace().next()?.ends_with(script) {
        return None;
    }
    let mode = fs_err::metadata(subject.folder().join(script)).ok()?.permissions().mode();
    if mode & 0o111 != 0 {
        return None;
    }
    let message = format!(
        "the hook {} starts it by its path, and it is not executable; run chmod +x on it",
        hook.key()
    );
    Some(Warning::of_file(script, message))
}

#[cfg(test)]
mod tests {
    use crate::lints::testing::Task;

    #[test]
    fn executable_bits() {
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
