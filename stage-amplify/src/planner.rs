//! The plan pass: rows are asked for until enough of them stand.

use anyhow::Result;
use common::model::{Client, Request, Shared, Stop};
use common::record::Plan;
use common::ui::Ui;
use serde_json::json;

use crate::profile::Quota;
use crate::prompts::Templates;
use crate::rows::{self, Gate};

/// The most rows that one call is asked for: more would be cut off, or grow alike.
pub(crate) const ROWS_PER_CALL: usize = 100;

/// The most tokens of so many rows, reasoning included.
const TOKENS: u64 = 48_000;

/// After so many calls in a row that brought no new row, no further one is made.
const FRUITLESS_CALLS: u32 = 3;

/// How many reasons are given for rows that could not stand.
const REASONS: usize = 40;

/// Asks for rows.
pub(crate) struct Planner<'a> {
    pub(crate) client: &'a Client,
    pub(crate) templates: &'a Templates,
    pub(crate) ui: &'a Ui,
    /// What the calls have in common.
    pub(crate) shared: Shared,
    /// The number of the first row that is asked for.
    pub(crate) first: usize,
    /// The environment's name, for the rows.
    pub(crate) env: &'a str,
}

impl Planner<'_> {
    /// Asks for `count` rows that `gate` lets through. What comes back may be fewer, when the model has no
    /// more to say. Only what ends the whole run is an error.
    pub(crate) fn plan(&self, count: usize, gate: &mut Gate<'_>) -> Result<Vec<Plan>> {
        let mut rows: Vec<Plan> = Vec::new();
        let mut rejected: Vec<String> = Vec::new();
        let mut fruitless = 0;
        for call in 0.. {
            if rows.len() >= count || fruitless == FRUITLESS_CALLS {
                break;
            }
            let missing = count - rows.len();
            let own = self.own_part(missing.min(ROWS_PER_CALL), &rows, &rejected, &gate.wanted())?;
            // Without a new row there may be nothing new to say, and the same words are asked again.
            let request = self.request(call, own, fruitless);
            rejected.clear();
            let before = rows.len();
            match self.client.ask(&request) {
                Ok(answer) => {
                    if answer.stop != Stop::End {
                        self.ui.warn(format_args!(
                            "the answer {} is incomplete; using what there is",
                            answer.label
                        ));
                    }
                    for value in rows::in_answer(&answer.text) {
                        if rows.len() == count {
                            break;
                        }
                        match gate.admit(&value) {
                            Ok(row) => rows.push(self.numbered(row, rows.len())),
                            Err(why) => rejected.push(why),
                        }
                    }
                }
                Err(error) if error.ends_run() => return Err(error.into()),
                Err(error) => self.ui.warn(format_args!("no answer to {}: {error}", request.label)),
            }
            for why in &rejected {
                self.ui.debug(format_args!("planning: row refused: {why}"));
            }
            rejected.truncate(REASONS);
            fruitless = if rows.len() == before { fruitless + 1 } else { 0 };
        }
        Ok(rows)
    }

    fn request(&self, call: usize, own: String, sample: u32) -> Request {
        Request {
            label: format!("plan/{}", self.first + call),
            shared: self.shared.clone(),
            own,
            max_output_tokens: Some(TOKENS),
            sample,
        }
    }

    fn own_part(
        &self,
        count: usize,
        accepted: &[Plan],
        rejected: &[String],
        quotas: &[Quota],
    ) -> Result<String> {
        let accepted = as_lines(accepted)?;
        let context = json!({"accepted": accepted, "rejected": rejected, "quotas": quotas, "count": count});
        self.templates.render("plan.ask.md", context)
    }

    fn numbered(&self, row: Plan, before: usize) -> Plan {
        Plan { env: self.env.to_owned(), index: self.first + before, ..row }
    }
}

/// Rows as the model is shown them and asked for them: without environment and number.
pub(crate) fn as_lines(rows: &[Plan]) -> Result<String> {
    let mut lines = String::new();
    for row in rows {
        lines += &as_line(row)?;
        lines.push('\n');
    }
    Ok(lines)
}

/// One row as the model is shown it.
pub(crate) fn as_line(row: &Plan) -> Result<String> {
    let mut value = serde_json::to_value(row)?;
    if let Some(object) = value.as_object_mut() {
        object.shift_remove("env");
        object.shift_remove("index");
    }
    Ok(value.to_string())
}
