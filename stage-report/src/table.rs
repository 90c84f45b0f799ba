//! A table over several runs: what is done, bad and left in each, what it cost, and what to run again.

use std::collections::BTreeMap;
use std::fmt::Write;

use common::clock;
use common::text::{count, escape, shorten};

use crate::report::{Report, RunFigures};
use crate::spending::Spending;

/// The answers of the last ten minutes tell the pace, in seconds.
const RECENT: u64 = 600;
/// The runs to run again that are named.
const NAMED: usize = 20;
/// The longest reason, in characters.
const REASON: usize = 160;
/// The passes with an answer for each task.
const PASSES: [&str; 5] = ["readme", "files", "checklist", "agreement", "fixtures"];

/// The table, and what to run again.
pub(crate) fn text(report: &Report) -> String {
    let names = report.runs.iter().map(short_name).map(str::len);
    let width = names.max().unwrap_or(0).max("environment".len());
    let mut text = String::new();
    row(&mut text, width, ["environment", "done", "asked", "bad", "left", "cost", "state"]);
    for run in &report.runs {
        let asked = run.asked.map_or("?".to_owned(), |asked| asked.to_string());
        let left = run.left().map_or("?".to_owned(), |left| left.to_string());
        let (done, bad) = (run.done.to_string(), run.bad.to_string());
        row(
            &mut text,
            width,
            [short_name(run), &done, &asked, &bad, &left, &cost(&run.spending), &run.progress.state()],
        );
    }
    add_time_left(&mut text, report);
    add_again(&mut text, report);
    text
}

fn row(text: &mut String, width: usize, cells: [&str; 7]) {
    let [name, done, asked, bad, left, cost, state] = cells;
    let line = format!("{name:width$} {done:>5} {asked:>5} {bad:>5} {left:>5} {cost:>10}  {state}");
    let _ = writeln!(text, "{}", escape(&line));
}

/// The name of the run directory.
fn short_name(run: &RunFigures) -> &str {
    let name = run.name.trim_end_matches('/');
    name.rsplit_once('/').map_or(name, |(_, last)| last)
}

fn cost(spending: &Spending) -> String {
    let total = &spending.total;
    match total.unpriced {
        0 => format!("${:.2}", total.dollars),
        all if all == total.answers => "unknown".to_owned(),
        _ => format!("${:.2}+", total.dollars),
    }
}

/// Says how long the answers that are still to come take at the present pace.
fn add_time_left(text: &mut String, report: &Report) {
    let left: u64 = report.runs.iter().map(|run| answers_left(run, &report.spending)).sum();
    let Some(last) = report.spending.arrivals.iter().max().filter(|_| left > 0) else { return };
    let silence = clock::now().saturating_sub(*last);
    let when = if silence > RECENT {
        format!("none has arrived for {}", count(silence / 60, "minute"))
    } else {
        let Some(pace) = pace(&report.spending.arrivals) else { return };
        #[expect(clippy::cast_precision_loss, reason = "far fewer answers than a float can count")]
        let minutes = left as f64 / pace / 60.0;
        format!("{minutes:.0} minutes at the present pace of {:.1} a minute", pace * 60.0)
    };
    let _ = writeln!(text, "about {} to come: {when}", count(left, "answer"));
}

/// The answers that a run has not got yet: one for each task and pass. The passes are those that it was asked for, or,
/// where that is not known, those with any answers.
fn answers_left(run: &RunFigures, all: &Spending) -> u64 {
    let Some(asked) = run.asked.filter(|_| run.left() != Some(0)) else { return 0 };
    let is_asked = |pass: &&str| match run.passes.as_slice() {
        [] => all.passes.contains_key(*pass),
        passes => passes.iter().any(|asked| asked == pass),
    };
    let left = PASSES.iter().filter(|pass| is_asked(pass)).map(|pass| {
        let got = run.spending.passes.get(*pass).map_or(0, |spent| spent.answers - spent.again);
        (asked as u64).saturating_sub(got)
    });
    left.sum()
}

/// Answers per second, by the recent ones.
fn pace(arrivals: &[u64]) -> Option<f64> {
    let last = *arrivals.iter().max()?;
    let recent: Vec<u64> = arrivals.iter().copied().filter(|at| at + RECENT >= last).collect();
    let span = last - recent.iter().min()?;
    #[expect(clippy::cast_precision_loss, reason = "a few minutes and answers")]
    let pace = (recent.len() - 1) as f64 / span as f64;
    (span > 0).then_some(pace)
}

/// Names the runs that are not complete, by what stopped them.
fn add_again(text: &mut String, report: &Report) {
    let mut stopped: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let runs =
        report.runs.iter().filter(|run| run.progress.is_incomplete() && run.progress.at_work.is_none());
    for run in runs {
        let reason = run.progress.reason.as_deref().map(|reason| format!(": {}", shorten(reason, REASON)));
        let state = run.progress.state() + &reason.unwrap_or_default();
        stopped.entry(state).or_default().push(short_name(run));
    }
    for (state, names) in stopped {
        let more = names.len().saturating_sub(NAMED);
        let named = names.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = writeln!(text, "{}", escape(&format!("to run again: {named}{more} ({state})")));
    }
}

#[cfg(test)]
mod tests {
    use super::pace;

    #[test]
    fn the_pace_is_that_of_the_last_ten_minutes() {
        assert_eq!(pace(&[]), None);
        assert_eq!(pace(&[7, 7]), None);
        assert_eq!(pace(&[5, 1000, 1010, 1020]), Some(0.1));
    }
}
