//! Lints: what gym-anything's verification does not see, and a benchmark's author wants to know.
//!
//! A lint warns; it never changes a verdict, unless `--strict` is given. It looks at a task that was read
//! already ([`Subject`]): no lint parses or lists anything itself. To add one, write a module with a
//! `pub(super) static LINT: Lint` and put it into [`LINTS`].

mod blind_verifier;
mod chat_residue;
mod checklist;
mod constant_verdict;
mod exec_in_env;
mod hook_timeout;
mod missing_run_bit;
mod missing_shebang;
mod other_names;
mod printed_expectation;
mod script;
mod shell_syntax;
mod stub_verifier;
mod subject;
#[cfg(test)]
mod testing;
mod unknown_difficulty;
mod unwritten_key;
mod windows_line_ends;

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::Result;
use common::record::{Issue, Severity};
use common::stage::StageArgs;
use common::ui::Ui;
use task_spec::python::ast::visitor::{Visitor, walk_expr, walk_stmt};
use task_spec::python::ast::{Expr, Stmt};

pub(crate) use self::subject::Subject;

/// Every lint, sorted by name.
static LINTS: [&Lint; 20] = [
    &blind_verifier::LINT,
    &chat_residue::LINT,
    &checklist::IDS,
    &checklist::POINTS,
    &checklist::SYNTAX,
    &constant_verdict::LINT,
    &exec_in_env::LINT,
    &hook_timeout::LINT,
    &missing_run_bit::LINT,
    &missing_shebang::LINT,
    &other_names::ENVIRONMENT,
    &other_names::FUNCTION,
    &other_names::HOOK,
    &other_names::ID,
    &printed_expectation::LINT,
    &shell_syntax::LINT,
    &stub_verifier::LINT,
    &unknown_difficulty::LINT,
    &unwritten_key::LINT,
    &windows_line_ends::LINT,
];

/// What [`Lint::check`] says of a task.
pub(crate) struct Warning {
    /// What is wrong and what to do, for people.
    pub message: String,
    /// The file that it is about, in the task folder; nothing where it is about the task.
    pub file: Option<String>,
}

impl Warning {
    fn of_task(message: impl Into<String>) -> Self {
        Self { message: message.into(), file: None }
    }

    fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self { message: message.into(), file: Some(file.to_owned()) }
    }
}

/// Something to look for.
pub(crate) struct Lint {
    /// Its name, which is the code of its warnings.
    pub name: &'static str,
    /// What it warns of, in a line.
    pub explanation: &'static str,
    /// Looks for it in a task.
    pub check: fn(&Subject<'_>) -> Vec<Warning>,
}

impl Lint {
    /// What it finds in a task.
    pub(crate) fn warnings(&self, subject: &Subject<'_>) -> impl Iterator<Item = Issue> {
        let folder = subject.folder();
        (self.check)(subject).into_iter().map(move |warning| {
            let path = warning.file.map_or_else(|| folder.to_owned(), |file| folder.join(file));
            Issue {
                code: self.name.to_owned(),
                severity: Severity::Warning,
                message: warning.message,
                path: Some(path.to_string_lossy().into_owned()),
            }
        })
    }
}

/// Names of the lints that are on when these are to be skipped. A name that no lint has is reported.
pub(crate) fn switched_on(skipped: &[String], ui: &Ui) -> BTreeSet<&'static str> {
    for name in skipped {
        if name != "all" && !LINTS.iter().any(|lint| lint.name == name) {
            ui.warn(format_args!("there is no lint {name} to skip; --lints lists them"));
        }
    }
    let skips = |name: &str| skipped.iter().any(|skipped| skipped == "all" || skipped == name);
    LINTS.iter().map(|lint| lint.name).filter(|name| !skips(name)).collect()
}

/// The lints of these names.
pub(crate) fn chosen(names: &BTreeSet<&'static str>) -> Vec<&'static Lint> {
    LINTS.into_iter().filter(|lint| names.contains(lint.name)).collect()
}

/// Walks one level deeper into a syntax tree. A verifier may nest more levels than a thread's stack holds.
fn walk_deeper<'a>(visitor: &mut impl Visitor<'a>, expression: &'a Expr) {
    // Most expressions have nothing in them.
    if !expression.is_name_expr() && !expression.is_literal_expr() {
        stacker::maybe_grow(64 << 10, 1 << 20, || walk_expr(visitor, expression));
    }
}

/// Whether there is an expression of a kind anywhere in these statements. Looks no further than the first.
fn any_expression(body: &[Stmt], is_wanted: impl Fn(&Expr) -> bool) -> bool {
    struct Search<F> {
        is_wanted: F,
        found: bool,
    }

    impl<'a, F: Fn(&Expr) -> bool> Visitor<'a> for Search<F> {
        fn visit_stmt(&mut self, statement: &'a Stmt) {
            if !self.found {
                walk_stmt(self, statement);
            }
        }

        fn visit_expr(&mut self, expression: &'a Expr) {
            self.found = self.found || (self.is_wanted)(expression);
            if !self.found {
                walk_deeper(self, expression);
            }
        }
    }

    let mut search = Search { is_wanted, found: false };
    search.visit_body(body);
    search.found
}

/// Lists all lints.
pub(crate) fn explain(stage: &StageArgs) -> Result<()> {
    let mut out = crate::report::writer(stage)?;
    let width = LINTS.iter().map(|lint| lint.name.len()).max().unwrap_or(0);
    for lint in LINTS {
        writeln!(out, "{:width$}  {}", lint.name, lint.explanation)?;
    }
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::testing::Task;
    use super::{LINTS, Lint};

    #[test]
    fn lints_are_sorted_and_told_apart() {
        let names: Vec<_> = LINTS.iter().map(|lint| lint.name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
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
