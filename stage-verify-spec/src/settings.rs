//! What a run does, as plain data: paths are resolved, names are checked.

use std::collections::BTreeSet;
use std::path::PathBuf;

use common::environment::{Environment, Workspace};
use common::manifest;
use common::stage::StageSettings;

use crate::lints::Lint;
use crate::targets::Target;
use crate::work;

/// The settings of a run.
#[derive(Debug)]
pub(crate) struct Settings {
    pub source: Source,
    /// Check only the tasks with this name.
    pub task: Option<String>,
    pub format: Format,
    /// Write only the bad verdicts.
    pub only_bad: bool,
    /// The verdicts of an earlier run, to compare with.
    pub baseline: Option<PathBuf>,
    pub python: Python,
    /// Stop after this many bad verdicts.
    pub max_failures: Option<u64>,
    /// Whether a warning makes a verdict bad.
    pub strict: bool,
    /// The lints to run.
    pub lints: Vec<&'static Lint>,
    pub manifests: ManifestPaths,
    pub workspace: Workspace,
    /// The environment that the command line names.
    pub environment: Option<Environment>,
    pub stage: StageSettings,
}

/// Where the specs to check come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// `task` records on the input.
    Records,
    /// Paths on the command line.
    Targets(Vec<Target>),
}

/// The output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Jsonl,
    Text,
    SummaryJson,
    Sarif,
    Csv,
}

/// The Python that is asked which modules are installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Python {
    /// Ask none.
    None,
    /// Ask the default one, if it is installed.
    Default(String),
    /// Ask this one. It is an error if it is not installed.
    Named(String),
}

impl Python {
    pub(crate) const DEFAULT: &'static str = "python3";

    /// The command, as users write it.
    pub(crate) fn command(&self) -> &str {
        match self {
            Self::None => Self::DEFAULT,
            Self::Default(name) | Self::Named(name) => name,
        }
    }

    pub(crate) fn from_name(name: String) -> Self {
        match name.as_str() {
            "none" => Self::None,
            Self::DEFAULT => Self::Default(name),
            _ => Self::Named(name),
        }
    }
}

/// Where to write the manifests in gym-anything's format; none where a path is missing.
#[derive(Clone, Debug, Default)]
pub(crate) struct ManifestPaths {
    pub status: Option<PathBuf>,
    pub split: Option<PathBuf>,
    pub missing_hooks: Option<PathBuf>,
}

/// `scope` and `root` of gym-anything's summaries.
#[derive(Clone, Debug)]
pub(crate) struct SummaryScope {
    pub name: &'static str,
    pub root: PathBuf,
}

/// What a run checks completely.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coverage {
    /// Environments, by the names of their folders.
    pub environments: BTreeSet<String>,
    /// Whether it is a folder of environments.
    pub is_corpus: bool,
}

impl Settings {
    /// Whether the verdicts of the run directory are replaced, or only those of some tasks.
    pub(crate) fn manifest_coverage(&self) -> manifest::Coverage {
        let is_part = self.task.is_some()
            || match &self.source {
                Source::Records => true,
                Source::Targets(targets) => {
                    targets.iter().any(|target| matches!(target, Target::Task { .. }))
                }
            };
        manifest::Coverage::part_if(is_part)
    }

    /// The environments whose tasks are all checked, and whether the run is of a whole corpus.
    pub(crate) fn coverage(&self) -> Coverage {
        let Source::Targets(targets) = &self.source else { return Coverage::default() };
        let mut coverage = Coverage::default();
        for target in targets {
            match target {
                Target::Environment(root) if self.task.is_none() => {
                    coverage.environments.insert(work::environment_name(root));
                }
                Target::Corpus(_) if self.task.is_none() => coverage.is_corpus = true,
                Target::Environment(_) | Target::Corpus(_) | Target::Task { .. } => {}
            }
        }
        coverage
    }

    /// The scope of the run: one environment, or a corpus.
    pub(crate) fn summary_scope(&self) -> SummaryScope {
        let (name, root) = match &self.source {
            Source::Targets(targets) => match targets.as_slice() {
                [Target::Environment(root)] => ("environment", root.as_path()),
                [Target::Task { environment, .. }] => ("environment", environment.as_path()),
                [Target::Corpus(root)] => ("corpus", root.as_path()),
                _ => ("corpus", self.workspace.root()),
            },
            Source::Records => ("corpus", self.workspace.root()),
        };
        SummaryScope { name, root: root.to_owned() }
    }
}
