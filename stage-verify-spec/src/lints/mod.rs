//! Lints: defects that gym-anything's verification does not look for.
//!
//! A lint warns. It changes a verdict only with `--strict`. It looks at a task that has been read already
//! ([`Subject`]): no lint parses or lists anything itself. To add a lint, write a module with a
//! `pub(super) static LINT: Lint` and add it to [`LINTS`].

mod blind_verifier;
mod chat_residue;
mod checklist;
mod constant_verdict;
mod exec_in_env;
mod foreign_hook;
mod hook_timeout;
mod lint;
mod low_limits;
mod missing_run_bit;
mod missing_shebang;
mod other_names;
mod printed_expectation;
mod privileged_info;
mod shell_syntax;
mod stored_expectation;
mod stub_verifier;
mod subject;
#[cfg(test)]
mod testing;
mod unknown_difficulty;
mod unwritten_key;
mod unwritten_path;
mod windows_line_ends;

use std::fmt::Write;

use common::ui::Ui;

pub(crate) use self::lint::Lint;
use self::lint::Warning;
pub(crate) use self::subject::Subject;

/// Every lint, sorted by name.
static LINTS: [&Lint; 33] = [
    &foreign_hook::ANDROID,
    &blind_verifier::LINT,
    &chat_residue::LINT,
    &checklist::IDS,
    &checklist::POINTS,
    &checklist::SCORE,
    &checklist::SHAPE,
    &checklist::SYNTAX,
    &checklist::TASK_ID,
    &constant_verdict::LINT,
    &exec_in_env::LINT,
    &hook_timeout::LINT,
    &low_limits::LINT,
    &missing_run_bit::LINT,
    &missing_shebang::LINT,
    &other_names::ENVIRONMENT,
    &other_names::FUNCTION,
    &other_names::HOOK,
    &other_names::ID,
    &privileged_info::CONTRADICTED,
    &privileged_info::SHAPE,
    &privileged_info::SOURCE,
    &privileged_info::SYNTAX,
    &privileged_info::TASK_ID,
    &printed_expectation::LINT,
    &shell_syntax::LINT,
    &stored_expectation::LINT,
    &stub_verifier::LINT,
    &unknown_difficulty::LINT,
    &unwritten_key::LINT,
    &unwritten_path::LINT,
    &foreign_hook::WINDOWS,
    &windows_line_ends::LINT,
];

/// All lints but the `skipped` ones; none if `skipped` holds `all`. Unknown names are reported to `ui`.
pub(crate) fn without(skipped: &[String], ui: &Ui) -> Vec<&'static Lint> {
    for name in skipped {
        if name != "all" && !LINTS.iter().any(|lint| lint.name == name) {
            ui.warn(format_args!("unknown lint {name} in --skip-lint; --lints lists all lints"));
        }
    }
    LINTS.into_iter().filter(|lint| !skipped.iter().any(|name| name == "all" || name == lint.name)).collect()
}

/// What the lint with this name looks for.
pub(crate) fn explanation(name: &str) -> Option<&'static str> {
    LINTS.iter().find(|lint| lint.name == name).map(|lint| lint.explanation)
}

/// Names and explanations of all lints, one per line.
pub(crate) fn list() -> String {
    let width = LINTS.iter().map(|lint| lint.name.len()).max().unwrap_or(0);
    let mut list = String::new();
    for lint in LINTS {
        // Writing to a string cannot fail.
        let _ = writeln!(list, "{:width$}  {}", lint.name, lint.explanation);
    }
    list
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::testing::Task;
    use super::{LINTS, Lint, chat_residue, foreign_hook, printed_expectation};

    #[test]
    fn lints_are_sorted_and_have_different_names() {
        let names: Vec<_> = LINTS.iter().map(|lint| lint.name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }

    #[test]
    fn every_pattern_compiles() {
        let patterns = [
            chat_residue::PATTERNS.as_slice(),
            foreign_hook::PATTERNS.as_slice(),
            printed_expectation::PATTERNS.as_slice(),
        ];
        for pattern in patterns.concat() {
            LazyLock::force(pattern);
        }
    }

    #[test]
    fn long_files_do_not_take_long() {
        let keys: Vec<_> = (0..2_000).map(|number| format!("result['k_{number}']")).collect();
        let long_key = "_".repeat(50_000);
        let verifier = format!(
            "def verify_t(traj, env_info, task_info):\n a = '/tmp/a.json'\n result = json.load(traj)\n ok = [{}, \
             result['{long_key}']]\n",
            keys.join(",\n")
        );
        let expectations: Vec<_> =
            (0..20_000).map(|number| format!("\"expected_{number}\": {number}")).collect();
        let line = format!("V='{}'; echo expected {}\n", "a".repeat(9_000), "$V".repeat(20_000));
        let residue = "# x rest of the code y ".repeat(10_000);
        let task = Task::new("t")
            .spec("metadata", &format!("{{\"{}\": {{{}}}}}", "k".repeat(100_000), expectations.join(",")))
            .spec(
                "hooks",
                r#"{"pre_task": "/tasks/t/setup_task.sh", "post_task": "/tasks/t/export_result.sh"}"#,
            )
            .file("setup_task.sh", &format!("{line}{residue}"))
            .file("export_result.sh", &format!("echo k_0 > /tmp/a.json\n{}", "k__".repeat(100_000)))
            .verifier(&verifier);
        for lint in LINTS {
            let _found = task.warnings(lint);
        }
    }

    #[test]
    fn nothing_is_too_deep() {
        let check = |name: &str, expression: &str| {
            let function = "def verify_t(traj, env_info, task_info):\n";
            let source = format!("{function} result = json.load(traj)\n return {expression}\n");
            let export = "#!/bin/sh\necho {} > /tmp/a.json\n";
            let task = Task::new("t")
                .spec("hooks", r#"{"post_task": "/workspace/tasks/t/export_result.sh"}"#)
                .file("export_result.sh", export)
                .verifier(&source);
            let found: Vec<&Lint> =
                LINTS.into_iter().filter(|lint| !task.warnings(lint).is_empty()).collect();
            assert!(found.iter().all(|lint| lint.name == "missing_run_bit"), "{name}");
        };
        check("attributes", &format!("traj{}", ".a".repeat(2_800)));
        check("sums", &vec!["result.get('/a.json')"; 1_400].join("+"));
        check("brackets", &format!("{}traj{}", "[".repeat(190), "]".repeat(190)));
    }
}
