//! A shell script that does not parse: most often it was cut off.

use task_spec::shell;

use super::{Lint, Subject, Warning};

pub(super) static LINT: Lint = Lint {
    name: "shell_syntax",
    explanation: "a shell script does not parse: a quote, a heredoc or a block is not closed",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    subject.shell_scripts().filter_map(|name| check_script(subject, name)).collect()
}

fn check_script(subject: &Subject<'_>, name: &str) -> Option<Warning> {
    let error = shell::check(subject.text(name)?).err()?;
    Some(Warning::of_file(name, format!("it does not parse: {error}; complete the script")))
}

#[cfg(test)]
mod tests {
    use crate::lints::testing::Task;

    #[test]
    fn scripts() {
        let check = |text: &str, expect: &[&str]| {
            let task = Task::new("t").file("setup_task.sh", text);
            assert_eq!(task.warnings(&super::LINT), expect, "{text:?}");
        };
        check("if true; then echo a; fi\n", &[]);
        check(
            "cat <<EOF\na\n",
            &["it does not parse: line 1: the heredoc is not closed: no line `EOF`; complete the script"],
        );
    }
}
