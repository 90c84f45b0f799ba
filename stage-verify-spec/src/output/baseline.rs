//! `--baseline`: the comparison with the verdicts of an earlier run.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use common::jsonl::{Line, Reader};
use common::record::{Kind, Record, Verdict};
use common::ui::Ui;

use crate::check::CheckedSpec;

/// Earlier verdicts, and how the present ones differ. Findings are compared by their codes: messages change
/// between versions.
pub(super) struct Baseline {
    name: String,
    /// The verdicts that no present one was compared with yet.
    earlier: BTreeMap<SpecKey, Earlier>,
    /// New findings, as `ENV/TASK: CODE`.
    pub(super) new: Vec<String>,
    /// Fixed findings, as `ENV/TASK: CODE`.
    pub(super) fixed: Vec<String>,
    became_bad: u64,
    became_good: u64,
    /// Specs that the baseline does not contain.
    unknown: u64,
}

/// A finding, compared with the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    New,
    Unchanged,
}

impl State {
    /// SARIF's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Unchanged => "unchanged",
        }
    }
}

/// A spec: environment, task, and name of its file.
type SpecKey = (String, Option<String>, Option<String>);

struct Earlier {
    ok: bool,
    codes: Vec<String>,
}

impl Baseline {
    /// Reads the `verdict` records of a file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let file = fs_err::File::open(path).context("cannot read the baseline")?;
        let mut earlier = BTreeMap::new();
        for line in Reader::new(&name, BufReader::new(file), &[Kind::Verdict]) {
            if let Line::Record(Record::Verdict(verdict)) = line.context("cannot read the baseline")? {
                let Verdict { env, task, path, ok, issues, .. } = verdict;
                let codes = issues.into_iter().map(|issue| issue.code).collect();
                earlier.insert((env, task, file_name(Path::new(&path))), Earlier { ok, codes });
            }
        }
        ensure!(
            !earlier.is_empty(),
            "{name} contains no verdict record; give the output of an earlier run, in the format jsonl"
        );
        let (new, fixed) = (Vec::new(), Vec::new());
        Ok(Self { name, earlier, new, fixed, became_bad: 0, became_good: 0, unknown: 0 })
    }

    /// Compares a verdict. Returns the state of each of its findings, in their order.
    pub(super) fn compare(&mut self, spec: &CheckedSpec) -> Vec<State> {
        let key = (spec.env.clone(), spec.task.clone(), file_name(&spec.findings.path));
        let known = self.earlier.remove(&key);
        self.unknown += u64::from(known.is_none());
        let mut earlier = known.unwrap_or(Earlier { ok: true, codes: Vec::new() });
        self.became_bad += u64::from(earlier.ok && !spec.ok);
        self.became_good += u64::from(!earlier.ok && spec.ok);
        let name = spec.task.as_ref().map_or_else(|| spec.env.clone(), |task| format!("{}/{task}", spec.env));
        let mut states = Vec::new();
        for issue in &spec.findings.issues {
            if let Some(index) = earlier.codes.iter().position(|code| *code == issue.code) {
                earlier.codes.swap_remove(index);
                states.push(State::Unchanged);
            } else {
                self.new.push(format!("{name}: {}", issue.code));
                states.push(State::New);
            }
        }
        self.fixed.extend(earlier.codes.into_iter().map(|code| format!("{name}: {code}")));
        states
    }

    /// Prints the comparison in one line; with `--verbose`, each change as well.
    pub(super) fn show(&self, ui: &Ui) {
        for finding in &self.new {
            ui.debug(format_args!("new: {finding}"));
        }
        for finding in &self.fixed {
            ui.debug(format_args!("fixed: {finding}"));
        }
        ui.info(self.line());
    }

    fn line(&self) -> String {
        let (new, fixed) = (self.new.len(), self.fixed.len());
        let Self { name, became_bad, became_good, unknown, earlier, .. } = self;
        let mut parts = vec![
            format!("new findings: {new}"),
            format!("fixed findings: {fixed}"),
            format!("verdicts that became bad: {became_bad}, good: {became_good}"),
        ];
        if *unknown > 0 {
            parts.push(format!("specs that are not in the baseline: {unknown}"));
        }
        if !earlier.is_empty() {
            parts.push(format!("specs of the baseline that were not checked: {}", earlier.len()));
        }
        format!("compared with {name}: {}", parts.join("; "))
    }
}

fn file_name(path: &Path) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}
