//! Which tasks are exported, and why the others are not.

use common::environment::Environment;
use common::record::REJECTED_BY_PERSON;

use crate::evidence::{Evidence, Finding, Known};
use crate::settings::Require;

/// The tasks of an environment, divided.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    /// The tasks to export, sorted by name.
    pub(crate) chosen: Vec<Chosen>,
    /// The tasks that are left out, sorted by name.
    pub(crate) left_out: Vec<LeftOut>,
}

/// A task that is exported.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// Its name.
    pub(crate) task: String,
    /// What is known of it.
    pub(crate) known: Known,
}

/// A task that is not exported.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// Its name.
    pub(crate) task: String,
    /// A stable name of the reason.
    pub(crate) code: &'static str,
    /// The reason, for people.
    pub(crate) message: String,
}

/// Divides the tasks of an environment by their evidence, and by what people decided.
pub(crate) fn select(environment: &Environment, evidence: &Evidence, require: Require) -> Selection {
    let mut selection = Selection::default();
    let Some(known) = evidence.environment(&environment.name) else { return selection };
    for (name, task) in &known.tasks {
        let reason = if !environment.task_dir(name).is_dir() {
            Some(("not_in_environment", "its folder is not in the environment".to_owned()))
        } else if evidence.decisions.reject(&environment.name, name) {
            Some((REJECTED_BY_PERSON, "a decision rejects it".to_owned()))
        } else {
            reason_against(task, known.verdict.as_ref(), require)
        };
        match reason {
            None => selection.chosen.push(Chosen { task: name.clone(), known: task.clone() }),
            Some((code, message)) => {
                selection.left_out.push(LeftOut { task: name.clone(), code, message });
            }
        }
    }
    selection
}

/// Why a task is left out, if it is.
fn reason_against(
    task: &Known,
    environment: Option<&Finding>,
    require: Require,
) -> Option<(&'static str, String)> {
    if task.status.is_some_and(|status| !status.is_live()) {
        return Some(("not_published", "it was rejected, planned or quarantined".to_owned()));
    }
    if let Some(Finding::Bad(codes)) = environment {
        return Some(("environment_bad", format!("its environment is bad: {}", codes.join(", "))));
    }
    let steps = [
        (Require::Spec, &task.verdict, "stage-verify-spec"),
        (Require::Probe, &task.probe, "stage-probe"),
        (Require::Live, &task.trial, "stage-verify-task"),
    ];
    let steps = steps.into_iter().filter(|&(step, ..)| step <= require);
    steps.into_iter().find_map(|(_, finding, stage)| match finding {
        Some(Finding::Good) => None,
        Some(Finding::Bad(codes)) => Some(("bad", format!("{stage} found {}", codes.join(", ")))),
        Some(Finding::NotRun(reason)) => Some(("not_run", format!("{stage} did not run it: {reason}"))),
        None => Some(("no_evidence", format!("there is no record of {stage}"))),
    })
}
