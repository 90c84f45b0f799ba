//! A shell script whose first line does not say which shell runs it.

use super::subject::Hook;
use super::{Lint, Subject, Warning};

pub(super) static LINT: Lint = Lint {
    name: "missing_shebang",
    explanation: "a shell script does not start with #!, so that chance decides which shell runs it",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    let without = subject.shell_scripts().filter(|name| {
        subject.text(name).is_some_and(|text| !text.starts_with("#!")) && !has_shell(subject, name)
    });
    let warning = |name| Warning::of_file(name, "it has no first line like #!/bin/bash; add one");
    without.map(warning).collect()
}

/// Whether a hook says itself which shell runs the script, as all those on Android do.
fn has_shell(subject: &Subject<'_>, name: &str) -> bool {
    Hook::ALL.into_iter().any(|hook| {
        let command = subject.command(hook).unwrap_or_default();
        let shell = command.split_whitespace().next().and_then(|word| word.rsplit('/').next());
        command.contains(name) && matches!(shell, Some("sh" | "bash"))
    })
}

#[cfg(test)]
mod tests {
    use crate::lints::testing::Task;

    #[test]
    fn first_lines() {
        let check = |text: &str, hook: &str, expect: &[&str]| {
            let hooks = format!(r#"{{"pre_task": "{hook}"}}"#);
            let task = Task::new("t").spec("hooks", &hooks).file("setup_task.sh", text);
            assert_eq!(task.files_warned_of(&super::LINT), expect, "{text:?} {hook}");
        };
        let direct = "/workspace/tasks/t/setup_task.sh";
        check("#!/bin/bash\n", direct, &[]);
        check("echo a\n", direct, &["setup_task.sh"]);
        check("\n#!/bin/bash\n", direct, &["setup_task.sh"]);
        check("echo a\n", "sh /sdcard/tasks/t/setup_task.sh", &[]);
    }
}
