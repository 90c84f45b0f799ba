//! What the records say of one task.

use std::path::Path;

use common::environment::Workspace;
use common::record::{
    Failure, Issue, Mutation, Outcome, Plan, ProbeState, Problem, Severity, TaskStatus, Trial,
};
use serde::Serialize;
use serde_json::Value;
use task_spec::spec;

use crate::gather::TaskRecords;
use crate::spending::Spent;

/// How far a task got, and what is known of it. A step that no record tells of is `None`.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Task {
    /// The number of its source, from 0.
    pub(crate) run: usize,
    pub(crate) env: String,
    #[serde(rename = "task")]
    pub(crate) name: String,
    /// Its folder, relative to the workspace. Empty if none was written.
    pub(crate) dir: String,
    pub(crate) title: String,
    pub(crate) difficulty: String,
    pub(crate) occupation: String,
    pub(crate) archetype: String,
    pub(crate) features: Vec<String>,
    pub(crate) activity: String,
    /// The task as the agent reads it.
    #[serde(skip)]
    pub(crate) description: String,
    /// The most steps that its spec allows.
    pub(crate) max_steps: Option<u64>,
    /// The number of an expert's actions, by its README.
    pub(crate) expert_steps: Option<u32>,
    pub(crate) planned: bool,
    /// Whether its folder was written, or was there.
    pub(crate) written: bool,
    pub(crate) status: Option<TaskStatus>,
    pub(crate) valid: Option<bool>,
    pub(crate) probed: Option<bool>,
    /// Whether it behaved in the real software.
    pub(crate) live: Option<bool>,
    /// Whether its solution passed there.
    pub(crate) passable: Option<bool>,
    /// Whether any record says that it cannot be used.
    pub(crate) bad: bool,
    pub(crate) findings: Vec<Finding>,
    pub(crate) states: Vec<ProbeState>,
    pub(crate) mutation: Option<Mutation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trial: Option<Trial>,
    pub(crate) spent: Spent,
    /// How similar the nearest task is, from 0 to 1.
    pub(crate) nearest: Option<f64>,
}

/// Something wrong with a task, or worth a look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The stage that found it.
    pub(crate) stage: &'static str,
    pub(crate) code: String,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    /// The file in the task folder that it is about.
    pub(crate) file: Option<String>,
    /// The line in that file, from 1.
    pub(crate) line: Option<usize>,
}

impl Task {
    /// What the records of a task say.
    pub(crate) fn of(env: &str, name: &str, records: &TaskRecords, workspace: &Workspace) -> Self {
        let mut task = Self { env: env.to_owned(), name: name.to_owned(), ..Self::default() };
        records.dir().clone_into(&mut task.dir);
        task.expert_steps = records.expert_steps;
        task.add_spec(workspace);
        task.add_plan(records.plan.as_ref());
        task.add_steps(records);
        task.add_findings(records);
        task.bad = records.task.as_ref().is_some_and(|task| !task.status.is_live())
            && task.status != Some(TaskStatus::Planned)
            || !records.failures.is_empty()
            || [task.valid, task.probed, task.live].contains(&Some(false))
            || records.agreement.as_ref().is_some_and(|agreement| !agreement.ok);
        task
    }

    /// Notes that a task is this similar, from 0 to 1.
    pub(crate) fn note_neighbour(&mut self, similarity: f64) {
        self.nearest = Some(self.nearest.map_or(similarity, |nearest| nearest.max(similarity)));
    }

    fn add_plan(&mut self, plan: Option<&Plan>) {
        let Some(plan) = plan else { return };
        self.planned = true;
        self.title.clone_from(&plan.title);
        self.activity.clone_from(&plan.activity);
        self.features.clone_from(&plan.features);
        self.archetype.clone_from(&plan.archetype);
        for (field, planned) in
            [(&mut self.difficulty, &plan.difficulty), (&mut self.occupation, &plan.occupation)]
        {
            if !planned.is_empty() {
                field.clone_from(planned);
            }
        }
    }

    /// What the spec in the task folder says, as far as it can be read.
    fn add_spec(&mut self, workspace: &Workspace) {
        if self.dir.is_empty() {
            return;
        }
        let Ok(folder) = workspace.resolve(&self.dir) else { return };
        let Ok(spec) = spec::read_task(&folder, Path::new("")) else { return };
        let spec = spec.to_json();
        self.description = text_of(&spec["description"]);
        self.difficulty = text_of(&spec["difficulty"]);
        self.occupation = text_of(&spec["metadata"]["occupation"]);
        self.max_steps = spec["init"]["max_steps"].as_u64();
    }

    fn add_steps(&mut self, records: &TaskRecords) {
        self.status = records.task.as_ref().map(|task| task.status);
        let is_checked = records.verdict.is_some() || records.probe.is_some() || records.trial.is_some();
        self.written = self.status.map_or(is_checked, TaskStatus::is_live);
        self.valid = records.verdict.as_ref().map(|verdict| verdict.ok);
        if let Some(probe) = &records.probe {
            self.probed = (!probe.is_unjudged()).then_some(probe.ok);
            self.states.clone_from(&probe.states);
            self.mutation.clone_from(&probe.mutation);
        }
        let Some(trial) = &records.trial else { return };
        if trial.not_run.is_none() {
            self.live = Some(trial.ok);
            let solution = trial.episodes.iter().find(|episode| episode.name == "solution");
            let verdict = solution.and_then(|episode| episode.verdict.as_ref());
            self.passable = verdict.map(|verdict| verdict.outcome == Outcome::Pass);
        }
        self.trial = Some(trial.clone());
    }

    fn add_findings(&mut self, records: &TaskRecords) {
        let of_issue = |stage, issue: &Issue| self.finding(stage, issue);
        let mut findings: Vec<Finding> = records.failures.iter().map(of_failure).collect();
        if let Some(task) = &records.task {
            let severity = if self.bad_status() { Severity::Error } else { Severity::Warning };
            findings.extend(task.problems.iter().map(|problem| of_problem(problem, severity)));
        }
        let verdict = records.verdict.iter().flat_map(|verdict| &verdict.issues);
        findings.extend(verdict.map(|issue| of_issue("verify-spec", issue)));
        let probe = records.probe.iter().flat_map(|probe| &probe.issues);
        findings.extend(probe.map(|issue| of_issue("probe", issue)));
        let trial = records.trial.iter().flat_map(|trial| &trial.issues);
        findings.extend(trial.map(|issue| of_issue("verify-task", issue)));
        let agreement = records.agreement.iter().flat_map(|agreement| &agreement.issues);
        findings.extend(agreement.map(|issue| of_issue("agreement", issue)));
        self.findings = findings;
    }

    fn bad_status(&self) -> bool {
        matches!(self.status, Some(TaskStatus::Rejected | TaskStatus::Quarantined))
    }

    fn finding(&self, stage: &'static str, issue: &Issue) -> Finding {
        let file = issue.path.as_deref().map(|path| {
            path.strip_prefix(&self.dir).map_or(path, |below| below.trim_start_matches('/')).to_owned()
        });
        Finding {
            stage,
            code: issue.code.clone(),
            severity: issue.severity,
            message: issue.message.clone(),
            file: file.filter(|file| !file.is_empty()),
            line: line_in(&issue.message),
        }
    }

    /// The number of findings that make the task bad.
    pub(crate) fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error).count()
    }

    /// The share of mutants that the verifier noticed, from 0 to 1.
    pub(crate) fn mutation_score(&self) -> Option<f64> {
        let mutation = self.mutation.as_ref().filter(|mutation| mutation.mutants > 0)?;
        #[expect(clippy::cast_precision_loss, reason = "a few dozen mutants")]
        let (caught, mutants) = (mutation.caught as f64, mutation.mutants as f64);
        Some(caught / mutants)
    }

    /// The number of findings that are worth a look.
    pub(crate) fn warnings(&self) -> usize {
        self.findings.len() - self.errors()
    }
}

fn text_of(field: &Value) -> String {
    field.as_str().unwrap_or_default().to_owned()
}

fn of_failure(failure: &Failure) -> Finding {
    Finding {
        stage: "failure",
        code: failure.code.clone(),
        severity: Severity::Error,
        message: format!("{}: {}", failure.stage, failure.message),
        file: None,
        line: None,
    }
}

fn of_problem(problem: &Problem, severity: Severity) -> Finding {
    Finding {
        stage: "extract",
        code: problem.code.clone(),
        severity,
        message: problem.message.clone(),
        file: None,
        line: None,
    }
}

/// The line that a message names, as in "line 12: …".
fn line_in(message: &str) -> Option<usize> {
    let (_, after) = message.split_once("line ")?;
    let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok().filter(|line| *line > 0)
}

impl TaskRecords {
    /// The task's folder, by the last stage that names it.
    fn dir(&self) -> &str {
        let dirs = [
            self.trial.as_ref().map(|trial| &trial.dir),
            self.probe.as_ref().map(|probe| &probe.dir),
            self.verdict.as_ref().map(|verdict| &verdict.dir),
            self.task.as_ref().map(|task| &task.dir),
        ];
        dirs.into_iter().flatten().find(|dir| !dir.is_empty()).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::line_in;

    #[test]
    fn a_message_may_name_a_line() {
        assert_eq!(line_in("line 12: \"Certainly\" does not belong in the file"), Some(12));
        assert_eq!(line_in("expected `,` at line 3 column 4"), Some(3));
        assert_eq!(line_in("the last line is empty"), None);
        assert_eq!(line_in("line 99999999999999999999999"), None);
    }
}
