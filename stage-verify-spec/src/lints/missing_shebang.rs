//! A shell script whose first line does not name the shell.

use super::subject::Hook;
use super::{Lint, Subject, Warning};

pub(super) static LINT: Lint = Lint {
    name: "missing_shebang",
    explanation: "a shell script does not start with #!, so it is undefined which shell runs it",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for name in subject.shell_scripts() {
        let lacks_shebang = subject.text(name).is_some_and(|text| !text.starts_with("#!"));
        if lacks_shebang && !hook_names_shell(subject, name) {
            warnings.push(Warning::of_file(name, "it has no first line such as #!/bin/bash; add one"));
        }
    }
    warnings
}

/// Whether a hook starts the script with a shell, as all hooks on Android do.
fn hook_names_shell(subject: &Subject<'_>, script: &str) -> bool {
    Hook::ALL.into_iter().filter_map(|hook| subject.command(hook)).any(|command| {
        let program = command.split_whitespace().next().and_then(|word| word.rsplit('/').next());
        command.contains(script) && matches!(program, Some("sh" | "bash"))
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
