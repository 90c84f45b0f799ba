//! Requests rows until enough of them are accepted.

use anyhow::Result;
use common::record::{Plan, StopReason};
use common::ui::Ui;
use model_client::{Prefix, Request};
use serde_json::{Value, json};

use super::gate::Gate;
use super::rows;
use crate::ask::{Asker, Halt};
use crate::corpus::Quota;
use crate::difficulty;
use crate::prompts::as_lines;

/// The maximum number of rows requested by one call: a longer answer may be cut off, and its rows get
/// similar.
pub(crate) const ROWS_PER_CALL: usize = 100;

/// The maximum number of output tokens of one call, reasoning included. A limit against runaway answers, not an
/// expectation: [`ROWS_PER_CALL`] rows have about 12,000 visible tokens.
const MAX_OUTPUT_TOKENS: u64 = 48_000;

/// The pass ends after this many consecutive calls without an accepted row. Answers from the journal do not count: a
/// command that is run again because rows are missing asks again.
const FRUITLESS_CALLS: u32 = 3;

/// The maximum number of rejected rows that the next call names.
const REASONS: usize = 40;

/// Requests rows.
pub(super) struct Planner<'a> {
    pub(super) asker: Asker<'a>,
    pub(super) ui: &'a Ui,
    pub(super) prefix: Prefix,
    /// The number of the first new row.
    pub(super) first: usize,
    /// The labels that rows may have.
    pub(super) difficulties: &'a [String],
    /// The environment's name, for the rows.
    pub(super) env: &'a str,
}

/// The rows so far.
#[derive(Default)]
struct Selection {
    rows: Vec<Plan>,
    /// Why rows of the last answer were rejected.
    rejected: Vec<String>,
}

impl Planner<'_> {
    /// Requests `count` rows that `gate` accepts. The result is shorter if the model runs out of ideas.
    pub(super) fn plan(&self, count: usize, gate: &mut Gate<'_>) -> Result<Vec<Plan>, Halt> {
        let mut selection = Selection::default();
        // Rows of the first answer that would make the plan lopsided.
        let mut set_aside: Vec<Value> = Vec::new();
        let (mut sample, mut fruitless) = (0, 0);
        while selection.rows.len() < count && fruitless < FRUITLESS_CALLS {
            let request = self.request(count, &selection, &gate.wanted(), sample)?;
            let is_call = !self.asker.client.has_answer(&request);
            let before = selection.rows.len();
            let mut offered = self.ask(&request)?;
            selection.rejected.clear();
            if before == 0 && set_aside.is_empty() {
                let lopsided;
                (offered, lopsided) = rows::balance(offered);
                (set_aside, selection.rejected) = lopsided.into_iter().unzip();
            }
            self.admit(&offered, count, gate, &mut selection);
            for why in &selection.rejected {
                self.ui.debug(format_args!("plan: rejected row: {why}"));
            }
            selection.rejected.truncate(REASONS);
            (sample, fruitless) = if selection.rows.len() == before {
                (sample + 1, fruitless + u32::from(is_call))
            } else {
                (0, 0)
            };
        }
        // A lopsided plan is better than a short one.
        self.admit(&set_aside, count, gate, &mut selection);
        Ok(selection.rows)
    }

    /// The request for the rows that are missing. `sample` tells apart requests with the same words: without a
    /// new row there may be nothing new to say.
    fn request(&self, count: usize, selection: &Selection, quotas: &[Quota], sample: u32) -> Result<Request> {
        let missing = count - selection.rows.len();
        let variables = json!({
            "accepted": as_lines(&selection.rows)?,
            "rejected": selection.rejected,
            "quotas": quotas,
            "mix": difficulty::mix(self.difficulties, missing.min(ROWS_PER_CALL)),
            "count": missing.min(ROWS_PER_CALL),
        });
        Ok(Request {
            label: format!("plan/{}", self.first + selection.rows.len()),
            prefix: self.prefix.clone(),
            suffix: self.asker.templates.render("plan.ask.md", variables)?,
            max_output_tokens: Some(MAX_OUTPUT_TOKENS),
            sample,
        })
    }

    /// The rows that the model offers; none if the call failed.
    fn ask(&self, request: &Request) -> Result<Vec<Value>, Halt> {
        match self.asker.client.ask(request) {
            Ok(answer) => {
                if answer.stop != StopReason::End {
                    let label = &answer.label;
                    self.ui.warn(format_args!("the answer to {label} is incomplete; using the rows it has"));
                }
                Ok(rows::in_answer(&answer.text))
            }
            Err(error) if error.ends_run() => Err(Halt::Client(error)),
            Err(error) => {
                self.ui.warn(format_args!("no answer to {}: {error}", request.label));
                Ok(Vec::new())
            }
        }
    }

    /// Adds the offered rows that the gate accepts, up to `count` rows in all.
    fn admit(&self, offered: &[Value], count: usize, gate: &mut Gate<'_>, selection: &mut Selection) {
        for value in offered {
            if selection.rows.len() == count {
                return;
            }
            match gate.admit(value) {
                Ok(row) => {
                    let index = self.first + selection.rows.len();
                    self.asker.steps.add("plan", 1);
                    selection.rows.push(Plan { env: self.env.to_owned(), index, ..row });
                }
                Err(why) => selection.rejected.push(why),
            }
        }
    }
}
