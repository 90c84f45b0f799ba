//! The card of the dataset: README.md, with YAML before the text.
//!
//! <https://github.com/huggingface/hub-docs/blob/main/datasetcard.md>

use std::collections::BTreeMap;
use std::fmt::Write as _;

use common::text::count;

use super::columns::{COLUMNS, Column};
use crate::evidence::{Finding, Known};
use crate::exported::Exported;
use crate::splits::Side;

/// What holds for every dataset that this program writes.
const LIMITS: &str = "\
## Limits

- The files hold verifiers, test states and expected values: an agent must not see them.
- A task needs its environment, which is not part of the dataset: gym-anything has it under the name in `env`.
- `evidence` says what was checked. A verifier that behaves on known states can still be wrong about others, and a task
  that was not run (`live`) may not start in the real software.
- Where `provenance.origin` is `generated`, a language model wrote the task: names and figures in it are invented, and
  its difficulty is an estimate of that model.
";

/// The card.
pub(super) fn write(tasks: &[Exported], license: &str, left_out: usize) -> String {
    let mut card = front_matter(tasks, license);
    let on = |side: Side| tasks.iter().filter(|task| task.side == side).count();
    // Writing to a String does not fail.
    let _ = write!(
        card,
        "\n# Tasks for computer-use agents\n\n{}: {} for training, {} for tests. {} left out, because the evidence for \
         them does not suffice.\n\n",
        count(tasks.len() as u64, "task"),
        on(Side::Train),
        on(Side::Test),
        count(left_out as u64, "task"),
    );
    card += &table("Environment", "Tasks", &tally(tasks, |task| task.env.as_str()));
    card += &table("Difficulty", "Tasks", &tally(tasks, |task| or(task.text(&["difficulty"]), "not stated")));
    card += "## Evidence\n\nEach step includes those before it.\n\n";
    card += &table("Step", "Tasks", &ladder(tasks));
    card += "## Provenance\n\n";
    card += &table("Written by", "Tasks", &tally(tasks, author));
    let _ = write!(card, "Licence: `{license}`.\n\n## Columns\n\n| column | content |\n|---|---|\n");
    for Column { name, about, .. } in &COLUMNS {
        let _ = writeln!(card, "| `{name}` | {about} |");
    }
    card + "\n" + LIMITS
}

fn front_matter(tasks: &[Exported], license: &str) -> String {
    let mut yaml = format!("---\nlicense: {license}\nsize_categories:\n- {}\n", size(tasks.len()));
    yaml += "configs:\n- config_name: default\n  data_files:\n";
    for side in [Side::Train, Side::Test] {
        if tasks.iter().any(|task| task.side == side) {
            let name = side.name();
            let _ = write!(yaml, "  - split: {name}\n    path: data/{name}-*.parquet\n");
        }
    }
    yaml += "dataset_info:\n  features:\n";
    for Column { name, feature, .. } in &COLUMNS {
        let _ = write!(yaml, "  - name: {name}\n    {feature}\n");
    }
    yaml + "---\n"
}

/// The size as Hugging Face names it.
fn size(tasks: usize) -> &'static str {
    match tasks {
        0..1_000 => "n<1K",
        1_000..10_000 => "1K<n<10K",
        10_000..100_000 => "10K<n<100K",
        _ => "100K<n<1M",
    }
}

/// How many tasks reached each step.
fn ladder(tasks: &[Exported]) -> BTreeMap<&'static str, usize> {
    let reached = |is_good: fn(&Known) -> bool| tasks.iter().filter(|task| is_good(&task.known)).count();
    BTreeMap::from([
        ("1. the spec is valid", reached(|known| known.verdict == Some(Finding::Good))),
        ("2. the verifier behaves on known states", reached(|known| known.probe == Some(Finding::Good))),
        (
            "3. it runs in the real software, and nothing done fails",
            reached(|known| known.trial == Some(Finding::Good)),
        ),
        ("4. a solution passes, in the real software", reached(|known| known.is_solved)),
    ])
}

fn author(task: &Exported) -> &str {
    match &task.known.author {
        Some(author) => or(&author.model, "a model without a name"),
        None if task.known.is_seed => "seed tasks",
        None => "not recorded",
    }
}

fn or<'a>(text: &'a str, other: &'a str) -> &'a str {
    if text.is_empty() { other } else { text }
}

fn tally<'a>(tasks: &'a [Exported], key: impl Fn(&'a Exported) -> &'a str) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for task in tasks {
        *counts.entry(key(task)).or_default() += 1;
    }
    counts
}

fn table(what: &str, number: &str, counts: &BTreeMap<&str, usize>) -> String {
    let mut table = format!("| {what} | {number} |\n|---|---:|\n");
    for (name, count) in counts {
        let _ = writeln!(table, "| {} | {count} |", cell(name));
    }
    table + "\n"
}

/// A text in a cell: in one line, and without what Markdown takes for something else.
fn cell(text: &str) -> String {
    let plain = |char: char| if char.is_control() || "|<>[]`*\\".contains(char) { ' ' } else { char };
    text.chars().take(200).map(plain).collect()
}
