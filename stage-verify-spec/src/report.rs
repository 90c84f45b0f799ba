//! Writes what was found, in the order in which it was asked for.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use common::environment::Workspace;
use common::exit::ExitStatus;
use common::record::{Issue, Record, Severity, SpecKind};
use common::stage::{Output, StageArgs};
use common::text::escape;
use common::ui::{Progress, Ui};
use serde::Serialize;

use crate::args::{Format, Settings, Source, Target};
use crate::check::{Checked, Outcome};
use crate::manifests::Collector;

/// As many verdicts are bad as were allowed. Ends the work, as an error of its own kind.
#[derive(Debug, thiserror::Error)]
#[error("the limit of bad verdicts is reached")]
pub(crate) struct LimitReached;

/// What was checked, in gym-anything's words: `scope` and `root` of its summaries.
pub(crate) struct Scope {
    pub name: &'static str,
    pub root: PathBuf,
}

impl Scope {
    fn of(settings: &Settings) -> Self {
        match &settings.source {
            Source::Targets(targets) => match targets.as_slice() {
                [Target::Environment(root)] => Self { name: "environment", root: root.clone() },
                [Target::Task { environment, .. }] => Self { name: "environment", root: environment.clone() },
                [Target::Corpus(root)] => Self { name: "corpus", root: root.clone() },
                _ => Self { name: "corpus", root: settings.workspace.root().to_owned() },
            },
            Source::Records => Self { name: "corpus", root: settings.workspace.root().to_owned() },
        }
    }
}

/// Where to write, by format.
enum Sink {
    Records(Box<Output>),
    Text(Box<dyn Write>),
    Summary { out: Box<dyn Write>, empty: bool },
}

/// What was found so far, and where it goes.
pub(crate) struct Report {
    sink: Sink,
    workspace: Workspace,
    scope: Scope,
    collector: Collector,
    counts: Counts,
    max_failures: Option<u64>,
    /// Records have no end of an environment to stop at.
    stop_at_once: bool,
    progress: Progress,
    ui: Ui,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    records: u64,
    bad: u64,
    errors: u64,
    warnings: u64,
    unchecked: u64,
}

impl Report {
    /// Opens everything that is written to.
    pub(crate) fn open(settings: &Settings, manifest: Option<&Path>, ui: &Ui) -> Result<Self> {
        let sink = match settings.format {
            Format::Jsonl => Sink::Records(Box::new(settings.stage.output(manifest)?)),
            Format::Text => Sink::Text(writer(&settings.stage)?),
            Format::SummaryJson => Sink::Summary { out: writer(&settings.stage)?, empty: true },
        };
        Ok(Self {
            sink,
            workspace: settings.workspace.clone(),
            scope: Scope::of(settings),
            collector: Collector::new(&settings.manifests),
            counts: Counts::default(),
            max_failures: settings.max_failures,
            stop_at_once: matches!(settings.source, Source::Records),
            progress: ui.progress("verifying", None),
            ui: ui.clone(),
        })
    }

    /// Adds what came of a job.
    pub(crate) fn add(&mut self, outcome: Outcome) -> Result<()> {
        match outcome {
            Outcome::Pass(line) => {
                if let Sink::Records(output) = &mut self.sink {
                    output.raw(&line)?;
                }
            }
            Outcome::PassTask(task) => {
                self.counts.unchecked += 1;
                if let Sink::Records(output) = &mut self.sink {
                    output.record(&Record::Task(*task))?;
                }
            }
            Outcome::Checked(checked) => self.add_checked(&checked)?,
        }
        Ok(())
    }

    fn add_checked(&mut self, checked: &Checked) -> Result<()> {
        let reached = self.max_failures.is_some_and(|max| self.counts.bad >= max);
        if reached && (self.stop_at_once || checked.findings.kind == SpecKind::Env) {
            return Err(LimitReached.into());
        }
        match &mut self.sink {
            Sink::Records(output) => output.record(&checked.record(&self.workspace))?,
            Sink::Text(out) => write_text(out, checked)?,
            Sink::Summary { out, empty } => {
                out.write_all(if *empty { b"{\"records\": [\n" } else { b",\n" })?;
                *empty = false;
                serde_json::to_writer(out, &SummaryRecord::of(checked))?;
            }
        }
        self.counts.add(checked);
        self.collector.add(checked, &self.scope);
        if checked.findings.kind == SpecKind::Env {
            self.progress.message(&checked.env);
        }
        self.progress.inc(1);
        Ok(())
    }

    /// Ends the output, and says how it went.
    pub(crate) fn finish(self, limited: bool) -> Result<ExitStatus> {
        let Self { sink, scope, collector, counts, progress, ui, .. } = self;
        drop(progress);
        match sink {
            Sink::Records(output) => output.finish()?,
            Sink::Text(mut out) => {
                counts.write_text(&mut out, &scope)?;
                out.flush()?;
            }
            Sink::Summary { mut out, empty } => {
                let root = serde_json::to_string(&scope.root.to_string_lossy())?;
                let start = if empty { "{\"records\": [" } else { "\n" };
                writeln!(out, "{start}],\n\"root\": {root},\n\"scope\": \"{}\"}}", scope.name)?;
                out.flush()?;
            }
        }
        collector.write(&scope)?;
        counts.tell(&ui);
        if limited {
            ui.warn("stopped early: as many verdicts are bad as --max-failures allows");
            return Ok(ExitStatus::Limit);
        }
        Ok(ExitStatus::failed_if(counts.bad > 0 || ui.errors() > 0))
    }
}

impl Counts {
    fn add(&mut self, checked: &Checked) {
        self.records += 1;
        self.bad += u64::from(!checked.ok);
        for issue in &checked.findings.issues {
            match issue.severity {
                Severity::Error => self.errors += 1,
                Severity::Warning => self.warnings += 1,
            }
        }
    }

    fn tell(self, ui: &Ui) {
        let Self { records, bad, errors, warnings, unchecked } = self;
        ui.info(format_args!("{records} verdicts, {bad} of them bad ({errors} errors, {warnings} warnings)"));
        if unchecked > 0 {
            ui.info(format_args!(
                "{unchecked} task records passed on unchecked: their tasks were not written"
            ));
        }
    }

    fn write_text(self, out: &mut dyn Write, scope: &Scope) -> io::Result<()> {
        writeln!(out, "Scope: {}", scope.name)?;
        writeln!(out, "Root: {}", escape(&scope.root.to_string_lossy()))?;
        writeln!(out, "Records: {}", self.records)?;
        writeln!(out, "Failed records: {}", self.bad)?;
        writeln!(out, "Errors: {}", self.errors)?;
        writeln!(out, "Warnings: {}", self.warnings)
    }
}

fn write_text(out: &mut dyn Write, checked: &Checked) -> io::Result<()> {
    let Checked { findings, ok, .. } = checked;
    let path = findings.path.to_string_lossy();
    let name = findings.spec_id.as_deref().filter(|id| !id.is_empty()).unwrap_or(&path);
    writeln!(out, "[{}] {}: {}", if *ok { "OK" } else { "FAIL" }, kind_name(findings.kind), escape(name))?;
    for issue in &findings.issues {
        let place = issue.path.as_deref().map_or_else(String::new, |path| format!(" ({})", escape(path)));
        writeln!(
            out,
            "  - {}:{}{place}: {}",
            severity_name(issue.severity),
            issue.code,
            escape(&issue.message)
        )?;
    }
    Ok(())
}

/// gym-anything's name for a kind of spec.
pub(crate) fn kind_name(kind: SpecKind) -> &'static str {
    match kind {
        SpecKind::Env => "env",
        SpecKind::Task => "task",
    }
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// A record of gym-anything's summary.
#[derive(Serialize)]
struct SummaryRecord<'a> {
    issues: &'a [Issue],
    kind: &'static str,
    path: String,
    spec_id: Option<&'a str>,
}

impl<'a> SummaryRecord<'a> {
    fn of(checked: &'a Checked) -> Self {
        let findings = &checked.findings;
        Self {
            issues: &findings.issues,
            kind: kind_name(findings.kind),
            path: findings.path.to_string_lossy().into_owned(),
            spec_id: findings.spec_id.as_deref(),
        }
    }
}

/// Where lines go that are no records.
pub(crate) fn writer(stage: &StageArgs) -> Result<Box<dyn Write>> {
    Ok(match &stage.output {
        Some(path) if path.as_os_str() != "-" => {
            Box::new(BufWriter::new(fs_err::File::create(path).context("cannot write the output")?))
        }
        _ => Box::new(BufWriter::new(io::stdout())),
    })
}
