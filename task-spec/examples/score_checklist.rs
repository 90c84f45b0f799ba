//! Scores answers of judges, line by line: `make test-checklists` compares the scores with gym-anything's.
//!
//!     score_checklist < LINES
//!
//! A line is `{"checklist": …, "answer": "…"}`. Writes `[passed, points]` for each, with points in tenths as gym-anything
//! rounds them, or `null` where gym-anything ends with an error.

use std::io::{self, BufRead, Write};

use anyhow::{Context, Result};
use task_spec::checklist::{Score, Thresholds, score};
use task_spec::pyjson;
use task_spec::value::Value;

fn main() -> Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = pyjson::parse(&line?)?;
        let answer = line.get("answer").and_then(Value::as_str).context("a line without an answer")?;
        match score(line.get("checklist").unwrap_or(&Value::Null), answer, Thresholds::default()) {
            Some(Score { passed, points }) => writeln!(out, "[{passed}, {points:.1}]")?,
            None => writeln!(out, "null")?,
        }
    }
    Ok(())
}
