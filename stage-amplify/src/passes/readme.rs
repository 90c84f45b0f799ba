//! The README pass: the README of one task, written from its row of the plan.

mod document;

use common::record::{Plan, Spec};
use model_client::Prefix;
use serde_json::{Map, Value};
use task_spec::readme::expert_steps;

use crate::ask::{Asker, Attempts, Question, Unanswered};
use crate::prompts::as_line;

pub(super) use self::document::{description, points_criteria};

/// The maximum number of output tokens, reasoning included. A limit against runaway answers, not an expectation:
/// the longest README of the published corpus has 2,400 tokens.
const MAX_OUTPUT_TOKENS: u64 = 32_000;

/// Asks for the README of a row. `attempts` holds the answers that were rejected before. A README that counts
/// fewer than `floor` actions of an expert is rejected.
pub(super) fn write(
    asker: Asker<'_>,
    prefix: &Prefix,
    row: &Plan,
    floor: u32,
    attempts: &mut Attempts,
) -> Result<Spec, Unanswered> {
    let annotations = row.carried();
    let question = Question {
        pass: "readme",
        prefix,
        env: &row.env,
        task: &row.task,
        index: row.index,
        annotations: &annotations,
        variables: variables(row)?,
        max_output_tokens: MAX_OUTPUT_TOKENS,
    };
    let (readme, answer) = asker.ask(&question, attempts, |answer| {
        let readme = document::in_answer(&answer.text, answer.stop, &row.task);
        readme
            .and_then(|readme| large_enough(readme, floor, &row.difficulty))
            .map_err(|problem| vec![problem])
    })?;
    Ok(Spec {
        env: row.env.clone(),
        task: row.task.clone(),
        index: row.index,
        readme,
        model: answer.model,
        usage: attempts.usage,
        annotations,
    })
}

/// The README, unless it counts fewer than `floor` actions of an expert. One without a count is accepted.
fn large_enough(readme: String, floor: u32, difficulty: &str) -> Result<String, String> {
    match expert_steps(&readme) {
        Some(steps) if steps < floor => Err(format!(
            "its expert_steps are {steps}, and a task that is {difficulty} has at least {floor}: make the work deeper, not \
             longer by repetition"
        )),
        _ => Ok(readme),
    }
}

/// The variables of `readme.ask.md`.
pub(crate) fn variables(row: &Plan) -> anyhow::Result<Map<String, Value>> {
    let mut variables = Map::new();
    variables.insert("task".to_owned(), row.task.clone().into());
    variables.insert("row".to_owned(), as_line(row)?.into());
    Ok(variables)
}
