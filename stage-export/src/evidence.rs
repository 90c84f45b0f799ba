//! What the records say of each task.

use std::collections::{BTreeMap, BTreeSet};

use common::record::{
    Annotations, Decisions, Issue, Outcome, Record, Severity, SpecKind, TaskStatus, Trial, Usage,
};

/// What is known of tasks and environments.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    environments: BTreeMap<String, Environment>,
    /// What people decided about tasks.
    pub(crate) decisions: Decisions,
}

/// What is known of an environment and its tasks.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    /// The result of verifying its own spec.
    pub(crate) verdict: Option<Finding>,
    /// Its tasks, by name.
    pub(crate) tasks: BTreeMap<String, Known>,
}

/// What is known of a task.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Whether it is a seed of the run.
    pub(crate) is_seed: bool,
    /// What stage-extract did with it.
    pub(crate) status: Option<TaskStatus>,
    /// The result of verifying its spec.
    pub(crate) verdict: Option<Finding>,
    /// The result of probing its verifier.
    pub(crate) probe: Option<Finding>,
    /// The codes of all that probing its verifier found, warnings too, sorted.
    pub(crate) probe_issues: Vec<String>,
    /// The result of running it in the real software.
    pub(crate) trial: Option<Finding>,
    /// Whether its solution passed in the real software.
    pub(crate) is_solved: bool,
    /// The model that wrote its files, and what that used.
    pub(crate) author: Option<Author>,
    /// What its record says beside: occupation, features and so on.
    pub(crate) annotations: Annotations,
}

/// The model that wrote the files of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Author {
    /// Its name.
    pub(crate) model: String,
    /// The tokens of the call.
    pub(crate) usage: Usage,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// No error was found.
    Good,
    /// These errors were found, by code.
    Bad(Vec<String>),
    /// The check was not made, for this reason.
    NotRun(String),
}

impl Finding {
    fn new(ok: bool, issues: &[Issue]) -> Self {
        if ok {
            return Self::Good;
        }
        Self::Bad(codes(issues.iter().filter(|issue| issue.severity == Severity::Error)))
    }
}

/// The codes of issues, sorted, each once.
fn codes<'a>(issues: impl Iterator<Item = &'a Issue>) -> Vec<String> {
    issues.map(|issue| issue.code.clone()).collect::<BTreeSet<_>>().into_iter().collect()
}

impl Evidence {
    /// The names of the environments, sorted.
    pub(crate) fn environments(&self) -> impl Iterator<Item = &String> {
        self.environments.keys()
    }

    /// What is known of an environment, if any record names it.
    pub(crate) fn environment(&self, name: &str) -> Option<&Environment> {
        self.environments.get(name)
    }

    /// Adds a record. The last record of a kind counts.
    pub(crate) fn add(&mut self, record: Record) {
        match record {
            Record::Seed(seed) => self.task(&seed.env, &seed.task).is_seed = true,
            Record::Files(files) => {
                if let Some(task) = files.task {
                    self.task(&files.env, &task).author =
                        Some(Author { model: files.model, usage: files.usage });
                }
            }
            Record::Task(task) => {
                let known = self.task(&task.env, &task.task);
                known.status = Some(task.status);
                known.annotations = task.annotations;
            }
            Record::Verdict(verdict) => {
                let finding = Some(Finding::new(verdict.ok, &verdict.issues));
                match (verdict.kind, verdict.task) {
                    (SpecKind::Task, Some(task)) => self.task(&verdict.env, &task).verdict = finding,
                    (SpecKind::Env, _) => self.entry(&verdict.env).verdict = finding,
                    (SpecKind::Task, None) => {}
                }
            }
            Record::Probe(probe) => {
                let known = self.task(&probe.env, &probe.task);
                known.probe = Some(Finding::new(probe.ok, &probe.issues));
                known.probe_issues = codes(probe.issues.iter());
            }
            Record::Trial(trial) => {
                let finding = match &trial.not_run {
                    Some(reason) => Finding::NotRun(reason.clone()),
                    None => Finding::new(trial.ok, &trial.issues),
                };
                let known = self.task(&trial.env, &trial.task);
                known.is_solved = finding == Finding::Good && passes_solved(&trial);
                known.trial = Some(finding);
            }
            Record::Decision(decision) => self.decisions.add(&decision),
            _ => {}
        }
    }

    /// Adds what `stored` knows and the records before did not say. With tasks of an environment known, no other tasks
    /// of it are added: they are what the user asked for.
    pub(crate) fn complete(&mut self, env: &str, mut stored: Evidence) {
        self.decisions.complete(stored.decisions);
        let Some(stored) = stored.environments.remove(env) else { return };
        let known = self.entry(env);
        known.verdict = known.verdict.take().or(stored.verdict);
        if known.tasks.is_empty() {
            known.tasks = stored.tasks;
            return;
        }
        for (name, task) in stored.tasks {
            if let Some(known) = known.tasks.get_mut(&name) {
                known.complete(task);
            }
        }
    }

    fn task(&mut self, env: &str, task: &str) -> &mut Known {
        self.entry(env).tasks.entry(task.to_owned()).or_default()
    }

    fn entry(&mut self, env: &str) -> &mut Environment {
        self.environments.entry(env.to_owned()).or_default()
    }
}

impl Known {
    fn complete(&mut self, stored: Self) {
        self.is_seed |= stored.is_seed;
        self.status = self.status.or(stored.status);
        self.verdict = self.verdict.take().or(stored.verdict);
        if self.probe.is_none() {
            (self.probe, self.probe_issues) = (stored.probe, stored.probe_issues);
        }
        self.is_solved |= self.trial.is_none() && stored.is_solved;
        self.trial = self.trial.take().or(stored.trial);
        self.author = self.author.take().or(stored.author);
        if self.annotations.is_empty() {
            self.annotations = stored.annotations;
        }
    }
}

/// Whether a solution was run, and the verifier passed it.
fn passes_solved(trial: &Trial) -> bool {
    let verdicts = trial.episodes.iter().filter(|episode| episode.name == "solution");
    verdicts.filter_map(|episode| episode.verdict.as_ref()).any(|verdict| verdict.outcome == Outcome::Pass)
}
