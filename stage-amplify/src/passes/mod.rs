//! The passes.

pub(crate) mod agreement;
pub(crate) mod checklist;
mod evidence;
pub(crate) mod expand;
pub(crate) mod files;
pub(crate) mod fixtures;
pub(crate) mod plan;
pub(crate) mod readme;
pub(crate) mod repair;
pub(crate) mod snapshot;
pub(crate) mod solution;
mod tasks;

use common::record::{Failure, Problem};

/// The problems that keep an answer from being used, in words for the model.
fn rejections(problems: &[Problem]) -> Vec<String> {
    let rejecting = problems.iter().filter(|problem| answer::rejects(problem));
    rejecting.map(|problem| problem.message.clone()).collect()
}

/// A failure to read the files of an existing task.
fn unreadable(env: &str, task: &str, index: usize, why: &str) -> Box<Failure> {
    Box::new(Failure {
        env: env.to_owned(),
        task: Some(task.to_owned()),
        stage: "amplify".to_owned(),
        index: Some(index),
        code: "unreadable_task".to_owned(),
        message: format!("its files cannot be sent to the model: {why}"),
        attempts: 0,
        ..Failure::default()
    })
}
