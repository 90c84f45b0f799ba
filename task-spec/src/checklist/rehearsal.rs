//! A checklist tried on made-up answers of a judge: without a screen, and without a model.

use super::score::{ItemVerdict, ItemVerdicts, Score, Thresholds, by_id, score_verdicts};
use crate::value::Value;

/// How far a score may be from what the points say.
const TOLERANCE: f64 = 0.05;

/// The most items that fail alone in one rehearsal. The published benchmark has up to 15.
const MAX_ITEMS: usize = 200;

/// Where the score of a made-up answer is not what the checklist means, for people. Nothing is said of a checklist
/// that gym-anything cannot score.
pub fn rehearse(checklist: &Value, thresholds: Thresholds) -> Vec<String> {
    use ItemVerdict::{Failed, Passed};

    let judge = Judge::of(checklist, thresholds);
    let mut surprises = Vec::new();
    let mut expect = |what: &str, score: Option<Score>, passes: bool, points: Option<f64>| {
        let Some(Score { passed, points: scored }) = score else { return };
        if passed != passes {
            let verdict = if passed { "passed" } else { "failed" };
            surprises.push(format!("if {what}, the task is {verdict} with {scored:.0} points"));
        } else if points.is_some_and(|points| (scored - points).abs() >= TOLERANCE || scored.is_nan()) {
            surprises.push(format!("if {what}, the score is {scored:.0}"));
        }
    };
    expect("every item passes", judge.score(Passed, Passed, None), true, Some(100.0));
    expect("every item of task_completion fails", judge.score(Failed, Passed, None), false, Some(0.0));
    if !judge.integrity.is_empty() {
        expect("every integrity item fails", judge.score(Passed, Failed, None), false, Some(0.0));
    }
    for index in 0..judge.completion.len().min(MAX_ITEMS) {
        let alone = judge.score(Passed, Passed, Some(index));
        if alone.is_some_and(|score| score.points > 100.0 - TOLERANCE) {
            expect(&format!("item {} of task_completion alone fails", index + 1), alone, false, None);
        }
    }
    surprises
}

/// A judge that is told what to say.
struct Judge<'a> {
    checklist: &'a Value,
    thresholds: Thresholds,
    /// The items of both lists by the ids that the judge is shown.
    completion: Vec<String>,
    integrity: Vec<String>,
}

impl<'a> Judge<'a> {
    fn of(checklist: &'a Value, thresholds: Thresholds) -> Self {
        let (completion, integrity) = (ids(checklist, "task_completion"), ids(checklist, "integrity"));
        Self { checklist, thresholds, completion, integrity }
    }

    /// The score if all items of a list have the same verdict, but for one completion item that fails.
    fn score(
        &self,
        completion: ItemVerdict,
        integrity: ItemVerdict,
        failing: Option<usize>,
    ) -> Option<Score> {
        let verdict = |index| if failing == Some(index) { ItemVerdict::Failed } else { completion };
        let verdicts = ItemVerdicts {
            completion: by_id((0..).zip(&self.completion).map(|(index, id)| (id.as_str(), verdict(index)))),
            integrity: by_id(self.integrity.iter().map(|id| (id.as_str(), integrity))),
        };
        score_verdicts(self.checklist, &verdicts, self.thresholds)
    }
}

/// The ids of the items of a list.
fn ids(checklist: &Value, list: &str) -> Vec<String> {
    let items = checklist.get(list).and_then(Value::as_list).unwrap_or_default();
    items.iter().map(|item| item.get("id").unwrap_or(&Value::Null).to_text()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pyjson::parse;

    #[test]
    fn a_checklist_is_tried_on_made_up_answers() {
        let good = r#"{
            "task_completion": [{"id": "a", "points": 60}, {"id": "b", "points": 40}],
            "integrity": [{"id": "c"}, {"id": "d"}]
        }"#;
        let check = |from: &str, to: &str, expected: &[&str]| {
            assert!(good.contains(from));
            let checklist = parse(&good.replace(from, to)).unwrap();
            assert_eq!(rehearse(&checklist, Thresholds::default()), expected, "{to}");
        };
        check("60", "60", &[]);
        check("60", "10", &[]);
        check("60", "0", &["if item 1 of task_completion alone fails, the task is passed with 100 points"]);
        check(
            r#""id": "a""#,
            r#""id": "b""#,
            &["if item 1 of task_completion alone fails, the task is passed with 100 points"],
        );
        check(r#""id": "a""#, r#""id": " a""#, &["if every item passes, the task is failed with 40 points"]);
        check(r#""id": "c""#, r#""id": """#, &["if every item passes, the task is failed with 0 points"]);
        check("task_completion", "completion", &["if every item passes, the task is failed with 0 points"]);
        check(
            "\"a\", \"points\": 60",
            "\"a\", \"points\": -40",
            &["if every item passes, the task is failed with 0 points"],
        );
        check("{\"id\": \"a\", \"points\": 60}", "7", &[]);
    }

    #[test]
    fn thresholds_that_cannot_be_reached_or_missed_are_named() {
        let checklist = parse(r#"{"task_completion": [{"id": "a"}], "integrity": [{"id": "c"}]}"#).unwrap();
        let check = |completion: f64, integrity: f64, expected: &[&str]| {
            assert_eq!(rehearse(&checklist, Thresholds { completion, integrity }), expected);
        };
        check(60.0, 0.5, &[]);
        check(101.0, 1.0, &["if every item passes, the task is failed with 100 points"]);
        check(0.0, 1.0, &["if every item of task_completion fails, the task is passed with 0 points"]);
        check(100.0, 0.0, &["if every integrity item fails, the task is passed with 100 points"]);
    }
}
