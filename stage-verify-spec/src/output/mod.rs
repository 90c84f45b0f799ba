//! Writes the results, in the chosen format and in the order of the items.

mod baseline;
mod counts;
mod csv;
mod missing_modules;
mod sarif;
mod summary;
mod tables;
mod text;

use std::io::Write;

use anyhow::Result;
use common::environment::Workspace;
use common::exit::ExitStatus;
use common::keep::Keep;
use common::record::{Record, SpecKind};
use common::stage::{Output, Tally};
use common::ui::{Progress, Ui};

use self::baseline::Baseline;
use self::counts::Counts;
use self::csv::CsvWriter;
use self::missing_modules::MissingModules;
use self::sarif::SarifWriter;
use self::summary::SummaryWriter;
use self::tables::Tables;
use crate::check::{CheckedItem, CheckedSpec};
use crate::gym_manifests::GymManifests;
use crate::settings::{Format, Python, Settings, Source, SummaryScope};

/// The name of the manifest in the run directory.
const MANIFEST: &str = "verdicts";

/// Writes results and counts them.
pub(crate) struct VerdictWriter {
    sink: Sink,
    tally: Option<Tally>,
    workspace: Workspace,
    scope: SummaryScope,
    manifests: GymManifests,
    counts: Counts,
    tables: Tables,
    missing_modules: MissingModules,
    baseline: Option<Baseline>,
    only_bad: bool,
    python: Python,
    limit: Limit,
    progress: Progress,
    ui: Ui,
}

enum Sink {
    Records(Box<Output>),
    Text(Box<dyn Write>),
    Summary(SummaryWriter),
    Sarif(SarifWriter),
    Csv(Box<CsvWriter>),
}

/// The limit of bad verdicts.
struct Limit {
    max_failures: Option<u64>,
    /// Records do not say where an environment ends: the run stops at once.
    at_any_spec: bool,
}

/// Why a run ends before its last item.
pub(crate) enum Stop {
    /// The limit of bad verdicts is reached.
    LimitReached,
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl VerdictWriter {
    /// Opens the output. `tally` is that of the input, if specs are read from it.
    pub(crate) fn open(settings: &Settings, keep: Keep, tally: Option<Tally>, ui: &Ui) -> Result<Self> {
        let baseline = settings.baseline.as_deref().map(Baseline::read).transpose()?;
        let manifests = GymManifests::open(&settings.manifests, settings.coverage())?;
        let sink = match settings.format {
            Format::Jsonl => Sink::Records(Box::new(records(settings, keep, tally.as_ref())?)),
            Format::Text => Sink::Text(settings.stage.writer()?),
            Format::SummaryJson => Sink::Summary(SummaryWriter::new(settings.stage.writer()?)),
            Format::Sarif => Sink::Sarif(SarifWriter::new(settings.stage.writer()?)?),
            Format::Csv => Sink::Csv(Box::new(CsvWriter::new(settings.stage.writer()?)?)),
        };
        let limit = Limit {
            max_failures: settings.max_failures,
            at_any_spec: matches!(settings.source, Source::Records),
        };
        Ok(Self {
            sink,
            tally,
            workspace: settings.workspace.clone(),
            scope: settings.summary_scope(),
            manifests,
            counts: Counts::default(),
            tables: Tables::default(),
            missing_modules: MissingModules::default(),
            baseline,
            only_bad: settings.only_bad,
            python: settings.python.clone(),
            limit,
            progress: ui.progress("verifying", None),
            ui: ui.clone(),
        })
    }

    /// Writes one result, unless the limit of bad verdicts stops the run.
    pub(crate) fn write(&mut self, item: CheckedItem) -> Result<(), Stop> {
        match item {
            CheckedItem::PassLine(line) => {
                if let Sink::Records(output) = &mut self.sink {
                    output.raw(&line)?;
                }
            }
            CheckedItem::PassTask(task) => {
                self.counts.unchecked += 1;
                if let Sink::Records(output) = &mut self.sink {
                    output.record(&Record::Task(*task))?;
                }
            }
            CheckedItem::Spec(spec) if self.limit.stops_before(&spec, self.counts.bad) => {
                return Err(Stop::LimitReached);
            }
            CheckedItem::Spec(spec) => self.write_spec(&spec)?,
        }
        Ok(())
    }

    /// Completes the output and returns the exit status. `is_limited` says that the limit of bad verdicts stopped
    /// the run.
    pub(crate) fn finish(self, is_limited: bool) -> Result<ExitStatus> {
        let Self {
            sink,
            tally,
            scope,
            manifests,
            counts,
            tables,
            missing_modules,
            baseline,
            python,
            progress,
            ui,
            ..
        } = self;
        drop(progress);
        tally.map_or(Ok(()), |tally| tally.ensure_any())?;
        match sink {
            Sink::Records(output) => output.finish()?,
            Sink::Text(mut out) => {
                text::write_totals(&mut out, counts, &scope)?;
                tables.write(&mut out)?;
                if let Some(baseline) = &baseline {
                    text::write_changes(&mut out, "New findings", &baseline.new)?;
                    text::write_changes(&mut out, "Fixed findings", &baseline.fixed)?;
                }
                out.flush()?;
            }
            Sink::Summary(summary) => summary.finish(&scope)?,
            Sink::Sarif(sarif) => sarif.finish()?,
            Sink::Csv(csv) => csv.finish()?,
        }
        manifests.write(&scope)?;
        counts.show(&ui);
        if let Some(line) = missing_modules.line(counts.bad, python.command()) {
            ui.info(line);
        }
        if let Some(baseline) = baseline {
            baseline.show(&ui);
        }
        if is_limited {
            ui.warn("stopped early: the limit of --max-failures is reached");
            return Ok(ExitStatus::Limit);
        }
        Ok(ExitStatus::failed_if(counts.bad > 0 || ui.errors() > 0))
    }

    /// Leaves the output unfinished, and reports what was checked before the interrupt.
    pub(crate) fn interrupted(self) -> ExitStatus {
        drop(self.progress);
        self.ui.warn("interrupted; run the same command again to check everything");
        self.counts.show(&self.ui);
        ExitStatus::Interrupted
    }

    fn write_spec(&mut self, spec: &CheckedSpec) -> Result<()> {
        let states = self.baseline.as_mut().map(|baseline| baseline.compare(spec)).unwrap_or_default();
        if !(self.only_bad && spec.ok) {
            match &mut self.sink {
                Sink::Records(output) => output.record(&spec.record(&self.workspace))?,
                Sink::Text(out) => text::write_spec(out, spec)?,
                Sink::Summary(summary) => summary.write(spec)?,
                Sink::Sarif(sarif) => sarif.write(spec, &states, &self.workspace)?,
                Sink::Csv(csv) => csv.write(spec, &states, &self.workspace)?,
            }
        }
        self.counts.add(spec);
        self.tables.add(spec);
        self.missing_modules.add(spec);
        self.manifests.add(spec, &self.scope);
        if spec.findings.kind == SpecKind::Env {
            self.progress.message(&spec.env);
        }
        self.progress.inc(1);
        Ok(())
    }
}

/// The output for records, and the run directory's copy of them.
fn records(settings: &Settings, keep: Keep, tally: Option<&Tally>) -> Result<Output> {
    Ok(match tally {
        Some(tally) => settings.stage.output_kept(keep, MANIFEST, tally)?,
        None => settings.stage.output_kept_now(keep, MANIFEST, settings.manifest_coverage())?,
    })
}

impl Limit {
    fn stops_before(&self, spec: &CheckedSpec, bad: u64) -> bool {
        let is_boundary = self.at_any_spec || spec.findings.kind == SpecKind::Env;
        is_boundary && self.max_failures.is_some_and(|max| bad >= max)
    }
}
