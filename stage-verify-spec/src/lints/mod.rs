//! Lints: what gym-anything's verification does not see, and a benchmark's author wants to know.
//!
//! A lint warns; it never changes a verdict, unless `--strict` is given. It looks at a task that was read
//! already ([`Subject`]): no lint parses or lists anything itself. To add one, write a module with a
//! `pub(super) static LINT: Lint` and put it into [`LINTS`].

mod subject;
mod unknown_difficulty;
mod windows_line_ends;

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::Result;
use common::record::{Issue, Severity};
use common::stage::StageArgs;
use common::ui::Ui;

pub(crate) use self::subject::Subject;

/// Every lint, sorted by name.
static LINTS: [&Lint; 2] = [&unknown_difficulty::LINT, &windows_line_ends::LINT];

/// What [`Lint::check`] says of a task.
pub(crate) struct Warning {
    /// What is wrong and what to do, for people.
    pub message: String,
    /// The file that it is about, in the task folder; nothing where it is about the task.
    pub file: Option<String>,
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

/// Lists all lints.
pub(crate) fn explain(stage: &StageArgs) -> Result<()> {
    let mut out = crate::report::writer(stage)?;
    let width = LINTS.iter().map(|lint| lint.name.len()).max().unwrap_or(0);
    for lint in LINTS {
        writeln!(out, "{:width$}  {}", lint.name, lint.explanation)?;
    }
    Ok(out.flush()?)
}
