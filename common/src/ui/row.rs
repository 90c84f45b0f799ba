//! The progress row: parts that fit into the width of a terminal.

use std::iter;
use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands between two parts.
const SEPARATOR: &str = ", ";

/// The importance of `stage-` in the name of a stage.
const NAME: u8 = 5;

/// The lengths of a bar, the longest first.
const BARS: [u64; 2] = [30, 12];

/// A part of a progress row, in one or more forms. Where the row is too narrow, the least important form of all parts
/// gives way to the next one of its part, and the last one to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The longest first.
    forms: Vec<Form>,
    /// Whether it is only drawn, and not written as text.
    is_drawing: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Form {
    /// Its importance; 0 is the highest, and never gives way.
    rank: u8,
    text: String,
}

impl Part {
    /// A part that says this. `rank` is its importance: 0 is the highest, and always stays.
    pub fn new(rank: u8, text: impl Into<String>) -> Self {
        Self { forms: vec![Form { rank, text: text.into() }], is_drawing: false }
    }

    /// The same part, with a shorter form that is more important.
    #[must_use]
    pub fn or(mut self, rank: u8, shorter: impl Into<String>) -> Self {
        self.forms.push(Form { rank, text: shorter.into() });
        self
    }

    /// A bar that shows how much of `total` is done. It gives way first.
    pub fn bar(done: u64, total: u64) -> Self {
        let form = |&length| Form { rank: u8::MAX, text: bar(done, total, length) };
        Self { forms: BARS.iter().map(form).collect(), is_drawing: true }
    }

    /// The form that is shown now.
    fn form(&self) -> Option<&Form> {
        self.forms.first()
    }

    fn text(&self) -> &str {
        self.form().map_or("", |form| &form.text)
    }
}

fn bar(done: u64, total: u64, length: u64) -> String {
    let filled = done.min(total).saturating_mul(length).checked_div(total).unwrap_or(0);
    (0..length).map(|position| if position < filled { '█' } else { '░' }).collect()
}

/// A duration for people, such as `45s`, `3m10s` or `1h05m`.
pub fn duration(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ ..60 => format!("{seconds}s"),
        seconds @ ..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        seconds => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// The stage's name and the parts in one row of at most `width` columns.
pub(super) fn fit(stage: &str, parts: &[Part], width: usize) -> String {
    let short = stage.strip_prefix("stage-").unwrap_or(stage);
    let name = Part::new(NAME, format!("{stage}:")).or(0, format!("{short}:"));
    let mut left: Vec<Part> = iter::once(name).chain(parts.iter().cloned()).collect();
    loop {
        let row = joined(&left);
        if row.width() <= width {
            return row;
        }
        let rank = |i: usize| left[i].form().map_or(0, |form| form.rank);
        let Some(least) = (0..left.len()).rev().filter(|&i| rank(i) > 0).max_by_key(|&i| rank(i)) else {
            return cut(&row, width);
        };
        left[least].forms.remove(0);
        left.retain(|part| !part.forms.is_empty());
    }
}

/// All that the parts say, for a line without a limit of length.
pub(super) fn text(parts: &[Part]) -> String {
    let texts: Vec<&str> = parts.iter().filter(|part| !part.is_drawing).map(Part::text).collect();
    texts.join(SEPARATOR)
}

/// The parts as they stand now. The name, and a bar, have only a space behind them.
fn joined(parts: &[Part]) -> String {
    let mut row = String::new();
    for (i, part) in parts.iter().enumerate() {
        let separator = match i.checked_sub(1).map(|before| &parts[before]) {
            None => "",
            Some(before) if before.is_drawing || i == 1 => " ",
            Some(_) => SEPARATOR,
        };
        row.push_str(separator);
        row.push_str(part.text());
    }
    row
}

/// The beginning of `text` that fits into `width` columns.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= width
    };
    let mut row: String = text.chars().take_while(fits).collect();
    row.extend((width > 0).then_some('…'));
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Vec<Part> {
        vec![
            Part::bar(15, 30),
            Part::new(4, "README 20/30, files 15/30").or(0, "15/30"),
            Part::new(1, "8 in flight"),
            Part::new(6, "2 retrying: 東京 answered 429").or(3, "2 retrying"),
            Part::new(2, "$4.46"),
        ]
    }

    #[test]
    fn a_row_gets_shorter_from_its_least_important_part_on() {
        let rows: Vec<String> = [140, 110, 100, 80, 70, 60, 40, 30, 20, 3, 0]
            .iter()
            .map(|&width| {
                let row = fit("stage-amplify", &parts(), width);
                assert!(row.width() <= width, "{row:?} is longer than {width}");
                row
            })
            .collect();
        insta::assert_snapshot!(rows.join("\n"), @r"
        stage-amplify: ███████████████░░░░░░░░░░░░░░░ README 20/30, files 15/30, 8 in flight, 2 retrying: 東京 answered 429, $4.46
        stage-amplify: ██████░░░░░░ README 20/30, files 15/30, 8 in flight, 2 retrying: 東京 answered 429, $4.46
        stage-amplify: README 20/30, files 15/30, 8 in flight, 2 retrying: 東京 answered 429, $4.46
        stage-amplify: README 20/30, files 15/30, 8 in flight, 2 retrying, $4.46
        amplify: README 20/30, files 15/30, 8 in flight, 2 retrying, $4.46
        amplify: 15/30, 8 in flight, 2 retrying, $4.46
        amplify: 15/30, 8 in flight, $4.46
        amplify: 15/30, 8 in flight
        amplify: 15/30
        am…
        ");
    }

    #[test]
    fn a_line_has_every_part_but_the_bar() {
        assert_eq!(
            text(&parts()),
            "README 20/30, files 15/30, 8 in flight, 2 retrying: 東京 answered 429, $4.46"
        );
    }

    #[test]
    fn durations_are_short() {
        let durations = [0, 59, 60, 190, 3600, 7500].map(|seconds| duration(Duration::from_secs(seconds)));
        assert_eq!(durations, ["0s", "59s", "1m00s", "3m10s", "1h00m", "2h05m"]);
    }

    #[test]
    fn a_bar_of_nothing_is_empty() {
        assert_eq!(bar(0, 0, 3), "░░░");
        assert_eq!(bar(9, 3, 3), "███");
    }
}
