//! A few lines of text: how far the tasks got, why they failed, where to look.

use std::fmt::Write;

use common::record::Severity;
use common::text::{count, escape, shorten};

use crate::report::Report;
use crate::table;

/// The reasons and the failed tasks that are named.
const NAMED: usize = 3;
const NAMED_TASKS: usize = 10;
/// The longest message, in characters.
const MESSAGE: usize = 100;

/// The summary of a report.
pub(crate) fn text(report: &Report) -> String {
    let mut text = if report.runs.len() > 1 { table::text(report) } else { String::new() };
    let steps = report.funnel.iter();
    let steps = steps.filter_map(|step| Some(format!("{} {}", step.count?, step.name)));
    line(&mut text, &format!("tasks: {}", steps.collect::<Vec<_>>().join(", ")));
    add_cost(&mut text, report);
    let errors = report.reasons.iter().filter(|reason| reason.severity == Severity::Error);
    for reason in errors.take(NAMED) {
        let example = shorten(&reason.example, MESSAGE);
        line(&mut text, &format!("{} in {}: {example}", reason.code, count(reason.tasks as u64, "task")));
    }
    add_bad_tasks(&mut text, report);
    add_pairs_across(&mut text, report);
    if report.runs.len() > 1 {
        return text;
    }
    for run in &report.runs {
        for problem in run.failures.iter().chain(&run.problems) {
            line(&mut text, &shorten(problem, 2 * MESSAGE));
        }
        line(&mut text, &format!("all records: {}", run.name));
    }
    text
}

fn add_cost(text: &mut String, report: &Report) {
    let total = &report.spending.total;
    if total.answers == 0 {
        return;
    }
    let mut cost = format!("cost: {}", count(total.answers, "answer"));
    if total.again > 0 {
        let _ = write!(cost, " ({} asked again)", total.again);
    }
    let _ = write!(cost, ", {} tokens in, {} out", total.usage.input(), total.usage.output());
    if let Some(share) = total.cache_share() {
        let _ = write!(cost, ", {:.0} % cached", share * 100.0);
    }
    let price = match total.unpriced {
        0 => format!(", ${:.2}", total.dollars),
        all if all == total.answers => ", price unknown".to_owned(),
        some => format!(", ${:.2} and {} of unknown price", total.dollars, count(some, "answer")),
    };
    cost.push_str(&price);
    if let Some(dollars) = report.dollars_per_usable_task {
        let _ = write!(cost, ", ${dollars:.3} per usable task");
    }
    line(text, &cost);
}

fn add_bad_tasks(text: &mut String, report: &Report) {
    let bad: Vec<&str> = report.tasks.iter().filter(|task| task.bad).map(|task| task.name.as_str()).collect();
    let named = bad.iter().take(NAMED_TASKS).copied().collect::<Vec<_>>().join(", ");
    match bad.len() {
        0 => {}
        all if all > NAMED_TASKS => {
            line(text, &format!("bad tasks: {named} and {} more", all - NAMED_TASKS));
        }
        _ => line(text, &format!("bad tasks: {named}")),
    }
}

/// Names the most similar tasks of different environments.
fn add_pairs_across(text: &mut String, report: &Report) {
    let side = |place: usize| {
        report.tasks.get(place).map(|task| format!("{}/{}", task.env, task.name)).unwrap_or_default()
    };
    let most_similar = report.pairs_across.iter().take(NAMED);
    let named = most_similar.map(|pair| {
        let percent = pair.similarity * 100.0;
        format!("{} and {} ({percent:.0} %)", side(pair.first), side(pair.second))
    });
    let named = named.collect::<Vec<_>>().join("; ");
    match report.pairs_across.len() {
        0 => {}
        all => line(
            text,
            &format!("nearly the same in different environments: {}: {named}", count(all as u64, "pair")),
        ),
    }
}

/// Adds a line. Messages and names may come from a model.
fn line(text: &mut String, line: &str) {
    text.push_str(&escape(line));
    text.push('\n');
}
