//! The plan pass: rows are asked for until enough of them stand.

use anyhow::Result;
use common::jsonl::write_record;
use common::publish::write_file_atomic;
use common::record::StopReason;
use common::record::{Failure, Plan, Record};
use common::ui::Ui;
use fs_err as fs;
use model_client::{Client, Prefix, Request};
use serde_json::{Value, json};

use crate::profile::Quota;
use crate::prompt_data::PromptData;
use crate::prompts::Templates;
use crate::rows::{self, Gate};
use crate::run::Run;

/// The most rows that one call is asked for: more would be cut off, or grow alike.
pub(crate) const ROWS_PER_CALL: usize = 100;

/// The most tokens of so many rows, reasoning included.
const TOKENS: u64 = 48_000;

/// After so many calls in a row that brought no new row, no further one is made.
const FRUITLESS_CALLS: u32 = 3;

/// How many reasons are given for rows that could not stand.
const REASONS: usize = 40;

/// Asks for rows.
struct Planner<'a> {
    client: &'a Client,
    templates: &'a Templates,
    ui: &'a Ui,
    /// What the calls have in common.
    shared: Prefix,
    /// The number of the first row that is asked for.
    first: usize,
    /// The environment's name, for the rows.
    env: &'a str,
}

impl Planner<'_> {
    /// Asks for `count` rows that `gate` lets through. What comes back may be fewer, when the model has no
    /// more to say. Only what ends the whole run is an error.
    fn plan(&self, count: usize, gate: &mut Gate<'_>) -> Result<Vec<Plan>> {
        let mut rows: Vec<Plan> = Vec::new();
        let mut rejected: Vec<String> = Vec::new();
        // Rows that would make the plan lopsided.
        let mut aside: Vec<Value> = Vec::new();
        let mut fruitless = 0;
        while rows.len() < count && fruitless < FRUITLESS_CALLS {
            let missing = count - rows.len();
            let own = self.own_part(missing.min(ROWS_PER_CALL), &rows, &rejected, &gate.wanted())?;
            // Without a new row there may be nothing new to say, and the same words are asked again.
            let request = self.request(self.first + rows.len(), own, fruitless);
            rejected.clear();
            let before = rows.len();
            let mut offered = self.ask(&request)?;
            if before == 0 && aside.is_empty() {
                let lopsided;
                (offered, lopsided) = rows::balance(offered);
                (aside, rejected) = lopsided.into_iter().unzip();
            }
            self.admit(&offered, count, gate, &mut rows, &mut rejected);
            for why in &rejected {
                self.ui.debug(format_args!("planning: row refused: {why}"));
            }
            rejected.truncate(REASONS);
            fruitless = if rows.len() == before { fruitless + 1 } else { 0 };
        }
        // A lopsided plan is better than a short one.
        self.admit(&aside, count, gate, &mut rows, &mut rejected);
        Ok(rows)
    }

    /// The rows that the model offers; none where it gave no answer. Only what ends the run is an error.
    fn ask(&self, request: &Request) -> Result<Vec<Value>> {
        match self.client.ask(request) {
            Ok(answer) => {
                if answer.stop != StopReason::End {
                    self.ui
                        .warn(format_args!("the answer {} is incomplete; using what there is", answer.label));
                }
                Ok(rows::in_answer(&answer.text))
            }
            Err(error) if error.ends_run() => Err(error.into()),
            Err(error) => {
                self.ui.warn(format_args!("no answer to {}: {error}", request.label));
                Ok(Vec::new())
            }
        }
    }

    /// Takes the rows that may stand, up to `count`.
    fn admit(
        &self,
        offered: &[Value],
        count: usize,
        gate: &mut Gate<'_>,
        rows: &mut Vec<Plan>,
        rejected: &mut Vec<String>,
    ) {
        for value in offered {
            if rows.len() == count {
                return;
            }
            match gate.admit(value) {
                Ok(row) => rows.push(self.numbered(row, rows.len())),
                Err(why) => rejected.push(why),
            }
        }
    }

    /// A call for the rows from number `next` on.
    fn request(&self, next: usize, own: String, sample: u32) -> Request {
        Request {
            label: format!("plan/{next}"),
            prefix: self.shared.clone(),
            suffix: own,
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

impl Run<'_> {
    /// Adds rows to the plan, of which the first `on_file` rows are in plan.jsonl, until there are as many as
    /// tasks are wanted.
    pub(crate) fn plan(&mut self, rows: &mut Vec<Plan>, on_file: usize, data: &PromptData) -> Result<()> {
        let missing = self.settings.count.saturating_sub(rows.len());
        let stood = rows.len();
        if missing > 0 {
            rows.extend(self.plan_more(rows, missing, data)?);
            self.ui.info(format_args!(
                "planned {} tasks: {}",
                rows.len() - stood,
                rows::spread(&rows[stood..])
            ));
        }
        self.keep_plan(rows, on_file)?;
        if rows.len() < self.settings.count {
            self.ui.error(format_args!(
                "the plan has {} of {} rows; the same command asks for the others again, or add them to plan.jsonl",
                rows.len(),
                self.settings.count
            ));
        }
        for number in rows.len()..self.settings.count {
            self.write(&Record::Failure(Failure {
                env: self.settings.environment.name.clone(),
                stage: "amplify".to_owned(),
                index: Some(number + 1),
                code: "plan_short".to_owned(),
                message:
                    "no row of the plan: the model named no further task that may stand beside the others"
                        .to_owned(),
                ..Failure::default()
            }))?;
        }
        Ok(())
    }

    /// Writes plan.jsonl, of which the first `on_file` rows are there already. What somebody has written into
    /// it stays as it is.
    fn keep_plan(&self, rows: &[Plan], on_file: usize) -> Result<()> {
        let path = self.settings.run_dir.manifest("plan");
        let mut text = if on_file > 0 { fs::read(&path)? } else { Vec::new() };
        if text.last().is_some_and(|&byte| byte != b'\n') {
            text.push(b'\n');
        }
        for row in &rows[on_file..] {
            write_record(&mut text, &Record::Plan(row.clone()))?;
        }
        Ok(write_file_atomic(&path, &text)?)
    }

    fn plan_more(&self, rows: &[Plan], missing: usize, data: &PromptData) -> Result<Vec<Plan>> {
        let first = rows.last().map_or(0, |row| row.index) + 1;
        let have: Vec<&str> = rows.iter().map(|row| row.category.as_str()).collect();
        let quotas = data.profile.as_ref().map(|profile| profile.quotas(missing, &data.existing, &have));
        let mut gate =
            Gate::new(&self.settings.difficulties, data.profile.as_ref(), quotas.unwrap_or_default());
        for task in &data.existing {
            gate.take(&task.name);
        }
        for row in rows {
            gate.stand(row);
        }
        let planner = Planner {
            client: self.client,
            templates: self.templates,
            ui: self.ui,
            shared: self.kept.prompt("plan", first, data.plan_prompt(self.templates, rows)?)?,
            first,
            env: &self.settings.environment.name,
        };
        planner.plan(missing, &mut gate)
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
