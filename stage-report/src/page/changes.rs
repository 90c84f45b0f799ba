//! What was changed in a task since the model's first answer: by a repair, or by hand.

use std::collections::BTreeMap;

use serde::Serialize;
use similar::{ChangeTag, TextDiff};

/// Longer files are not compared, in bytes.
const MAX_COMPARED: usize = 100_000;

/// A file that was changed.
#[derive(Debug, Serialize)]
pub(super) struct Change {
    name: String,
    lines: Vec<Line>,
}

/// A line of a difference.
#[derive(Debug, Serialize)]
struct Line {
    /// `add`, `del`, `same` or `gap`.
    kind: &'static str,
    text: String,
}

/// The changed files. `before` and `after` are contents by name.
pub(super) fn between(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<Change> {
    let mut changes = Vec::new();
    for (name, new) in after {
        let Some(old) = before.get(name) else { continue };
        if old != new && old.len().max(new.len()) <= MAX_COMPARED {
            changes.push(Change { name: name.clone(), lines: lines(old, new) });
        }
    }
    changes
}

fn lines(old: &str, new: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let diff = TextDiff::from_lines(old, new);
    for (number, group) in diff.grouped_ops(3).iter().enumerate() {
        if number > 0 {
            lines.push(Line { kind: "gap", text: "…".to_owned() });
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let kind = match change.tag() {
                ChangeTag::Insert => "add",
                ChangeTag::Delete => "del",
                ChangeTag::Equal => "same",
            };
            lines.push(Line { kind, text: change.value().trim_end_matches('\n').to_owned() });
        }
    }
    lines
}
