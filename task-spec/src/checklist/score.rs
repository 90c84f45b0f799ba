//! What the answer of a judge makes of a checklist, as gym-anything scores it under the mode `vlm_checklist`.
//!
//! An item passes with its points, is partial with half of them, or fails; an item that the answer lacks fails. The
//! score is the share of the points, from 0 to 100; it is 0 if too few integrity items pass. `make test-checklists`
//! compares this with gym-anything's own code.

use std::collections::HashMap;

use crate::pyjson;
use crate::value::Value;

/// What a run needs to pass. `success.spec` of a task can set both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// The least score, from 0 to 100.
    pub completion: f64,
    /// The least share of integrity items that pass, from 0 to 1.
    pub integrity: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { completion: 100.0, integrity: 1.0 }
    }
}

impl Thresholds {
    /// Those of a task's spec.
    pub fn of(spec: &Value) -> Self {
        let success = spec.get("success").and_then(|success| success.get("spec"));
        let nested =
            success.and_then(|spec| spec.get("vlm_checklist")).filter(|nested| nested.as_map().is_some());
        let field = |name: &str, default: f64| {
            let value = nested.and_then(|nested| nested.get(name)).or_else(|| success?.get(name));
            value.and_then(number).unwrap_or(default)
        };
        let Self { completion, integrity } = Self::default();
        Self {
            completion: field("completion_threshold", completion),
            integrity: field("integrity_threshold", integrity),
        }
    }
}

/// The score of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Whether the task counts as done.
    pub passed: bool,
    /// From 0 to 100; 0 if too few integrity items pass. Not rounded, while gym-anything reports tenths.
    pub points: f64,
}

/// What a judge says of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemVerdict {
    Passed,
    /// Passed as part of the work; gym-anything does not take these words for integrity.
    Completed,
    Partial,
    Failed,
}

impl ItemVerdict {
    fn of(text: &str) -> Self {
        match text {
            "pass" | "passed" | "yes" | "true" => Self::Passed,
            "complete" | "completed" => Self::Completed,
            "partial" | "partially" | "partially_passed" | "incomplete" => Self::Partial,
            _ => Self::Failed,
        }
    }
}

/// The verdicts of a judge, by the ids of the items.
#[derive(Debug)]
pub(super) struct ItemVerdicts<'a> {
    pub(super) completion: HashMap<&'a str, ItemVerdict>,
    pub(super) integrity: HashMap<&'a str, ItemVerdict>,
}

/// Scores the answer of a judge. `None` if gym-anything ends with an error: the checklist, or a list of it, does not
/// have the form that it expects.
pub fn score(checklist: &Value, answer: &str, thresholds: Thresholds) -> Option<Score> {
    let answer = in_answer(answer).unwrap_or(Value::Null);
    let (completion, integrity) = (named(&answer, "task_completion"), named(&answer, "integrity"));
    let verdicts =
        ItemVerdicts { completion: by_id(borrowed(&completion)), integrity: by_id(borrowed(&integrity)) };
    score_verdicts(checklist, &verdicts, thresholds)
}

/// Scores what a judge says of the items.
pub(super) fn score_verdicts(
    checklist: &Value,
    verdicts: &ItemVerdicts<'_>,
    thresholds: Thresholds,
) -> Option<Score> {
    checklist.as_map()?;
    let (completion, integrity) = (items(checklist, "task_completion")?, items(checklist, "integrity")?);

    #[expect(clippy::cast_precision_loss, reason = "a number of items")]
    let default = 100.0 / completion.len().max(1) as f64;
    let (mut earned, mut possible) = (0.0, 0.0);
    for (number, item) in (1..).zip(completion) {
        let points = item.get("points").and_then(self::number).unwrap_or(default);
        possible += points;
        earned += match verdict(&verdicts.completion, item, number) {
            ItemVerdict::Passed | ItemVerdict::Completed => points,
            ItemVerdict::Partial => points * 0.5,
            ItemVerdict::Failed => 0.0,
        };
    }
    let completed = if possible > 0.0 { earned / possible * 100.0 } else { 0.0 };

    let honest = (1..)
        .zip(integrity)
        .filter(|(number, item)| verdict(&verdicts.integrity, item, *number) == ItemVerdict::Passed);
    #[expect(clippy::cast_precision_loss, reason = "a number of items")]
    let share = if integrity.is_empty() { 1.0 } else { honest.count() as f64 / integrity.len() as f64 };
    let is_honest = share >= thresholds.integrity;
    let points = if is_honest { completed } else { 0.0 };
    Some(Score { passed: is_honest && points >= thresholds.completion, points })
}

/// The items of a list. `None` if gym-anything cannot go through it.
fn items<'a>(checklist: &'a Value, list: &str) -> Option<&'a [Value]> {
    match checklist.get(list) {
        None => Some(&[]),
        Some(Value::List(items)) => items.iter().all(|item| item.as_map().is_some()).then_some(items),
        Some(Value::String(text)) if text.is_empty() => Some(&[]),
        Some(Value::Map(map)) if map.is_empty() => Some(&[]),
        Some(_) => None,
    }
}

/// The verdict on an item. Without an id, an item is named by its place.
fn verdict(verdicts: &HashMap<&str, ItemVerdict>, item: &Value, number: usize) -> ItemVerdict {
    let given = match item.get("id").filter(|id| id.truthy()) {
        Some(Value::String(id)) => verdicts.get(id.as_str()),
        Some(id) => verdicts.get(id.to_text().as_str()),
        None => verdicts.get(format!("item_{number}").as_str()),
    };
    given.copied().unwrap_or(ItemVerdict::Failed)
}

/// The verdicts of an answer, with the ids of their items.
fn named(answer: &Value, list: &str) -> Vec<(String, ItemVerdict)> {
    let records = answer.get(list).and_then(Value::as_list).unwrap_or_default();
    let records = records.iter().filter(|record| record.as_map().is_some());
    let named = records.map(|record| {
        let id = record.get("id").map_or_else(String::new, Value::to_text);
        let verdict = record.get("verdict").filter(|verdict| verdict.truthy());
        let text = verdict.map_or_else(String::new, Value::to_text);
        (id, ItemVerdict::of(&text.trim().to_lowercase()))
    });
    named.collect()
}

fn borrowed(named: &[(String, ItemVerdict)]) -> impl Iterator<Item = (&str, ItemVerdict)> {
    named.iter().map(|(id, verdict)| (id.as_str(), *verdict))
}

/// Of verdicts about the same item, the last one counts; those without an id count for nothing.
pub(super) fn by_id<'a>(
    named: impl Iterator<Item = (&'a str, ItemVerdict)>,
) -> HashMap<&'a str, ItemVerdict> {
    named.map(|(id, verdict)| (id.trim(), verdict)).filter(|(id, _)| !id.is_empty()).collect()
}

/// A number as Python's `float` reads it.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::String(text) => text.trim().parse().ok(),
        Value::BigInt(digits) => digits.parse().ok(),
        other => other.as_f64(),
    }
}

/// The JSON in the text of a judge: the whole text, the first fenced block, or what is between the outermost braces.
fn in_answer(text: &str) -> Option<Value> {
    if let Ok(value) = pyjson::parse(text) {
        return Some(value);
    }
    let fenced = text.split_once("```json").or_else(|| text.split_once("```"));
    let block = fenced.map(|(_, after)| after.split("```").next().unwrap_or_default().trim());
    let braces = text.find('{').zip(text.rfind('}')).and_then(|(from, to)| text.get(from..=to));
    [block, braces].into_iter().flatten().find_map(|json| pyjson::parse(json).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pyjson::parse;

    const CHECKLIST: &str = r#"{
        "task_completion": [{"id": "a", "points": 60}, {"id": "b", "points": 40}],
        "integrity": [{"id": "c"}, {"id": "d"}]
    }"#;
    const ALL: &str = r#"{
        "task_completion": [{"id": "a", "verdict": "pass"}, {"id": "b", "verdict": "pass"}],
        "integrity": [{"id": "c", "verdict": "pass"}, {"id": "d", "verdict": "pass"}]
    }"#;

    fn scored(checklist: &str, answer: &str) -> Option<(bool, f64)> {
        let score = score(&parse(checklist).unwrap(), answer, Thresholds::default())?;
        Some((score.passed, score.points))
    }

    #[test]
    fn answers_are_scored() {
        let check = |answer: &str, expected: (bool, f64)| {
            assert_eq!(scored(CHECKLIST, answer), Some(expected), "{answer}");
        };
        check(ALL, (true, 100.0));
        check(&format!("Here:\n```json\n{ALL}\n```\nDone."), (true, 100.0));
        check(&format!("```\n{ALL}\n```"), (true, 100.0));
        check(&format!("I looked. {ALL} That is all."), (true, 100.0));
        check(&format!("{{}} {ALL}"), (false, 0.0));
        check("The agent did it all.", (false, 0.0));
        check("[]", (false, 0.0));
        check(&ALL.replace(r#""a", "verdict": "pass""#, r#""a", "verdict": "partial""#), (false, 70.0));
        check(&ALL.replace(r#""a", "verdict": "pass""#, r#"" a ", "verdict": " YES ""#), (true, 100.0));
        check(&ALL.replace(r#""b", "verdict": "pass""#, r#""b", "verdict": true"#), (true, 100.0));
        check(&ALL.replace(r#""b", "verdict": "pass""#, r#""b", "verdict": 1"#), (false, 60.0));
        check(&ALL.replace(r#""id": "b""#, r#""id": "x""#), (false, 60.0));
        check(&ALL.replace(r#""d", "verdict": "pass""#, r#""d", "verdict": "complete""#), (false, 0.0));
        check(&ALL.replace("integrity", "honesty"), (false, 0.0));
    }

    #[test]
    fn checklists_of_another_form_are_scored_as_well() {
        let check = |from: &str, to: &str, expected: Option<(bool, f64)>| {
            assert!(CHECKLIST.contains(from));
            assert_eq!(scored(&CHECKLIST.replace(from, to), ALL), expected, "{to}");
        };
        check("60", "\" 60 \"", Some((true, 100.0)));
        check("60", "null", Some((true, 100.0)));
        check("60", "0", Some((true, 100.0)));
        check("60", "-40", Some((false, 0.0)));
        check("60", "NaN", Some((false, 0.0)));
        check(r#""id": "a""#, r#""id": " a""#, Some((false, 40.0)));
        check(r#""id": "a""#, r#""id": null"#, Some((false, 40.0)));
        check(r#"{"id": "a", "points": 60}"#, "7", None);
        check("task_completion", "completion", Some((false, 0.0)));
        check("integrity", "honesty", Some((true, 100.0)));
        assert_eq!(scored(r#"{"task_completion": null}"#, ALL), None);
        assert_eq!(scored("[]", ALL), None);
    }

    #[test]
    fn a_spec_can_set_thresholds() {
        let spec =
            |spec: &str| Thresholds::of(&parse(&format!(r#"{{"success": {{"spec": {spec}}}}}"#)).unwrap());
        assert_eq!(spec("\"checklist.json\""), Thresholds::default());
        assert_eq!(
            spec(r#"{"completion_threshold": "80"}"#),
            Thresholds { completion: 80.0, integrity: 1.0 }
        );
        assert_eq!(
            spec(r#"{"integrity_threshold": 1, "vlm_checklist": {"integrity_threshold": 0.5}}"#),
            Thresholds { completion: 100.0, integrity: 0.5 }
        );
    }
}
