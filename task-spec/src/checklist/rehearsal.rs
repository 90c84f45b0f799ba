//! A checklist tried on made-up answers of a judge: without a screen, and without a model.

use serde_json::{Value as Json, json};

use super::score::{Score, Thresholds, score};
use crate::value::Value;

/// How far a score may be from what the points say.
const TOLERANCE: f64 = 0.05;

/// Where the score of a made-up answer is not what the checklist means, for people. Nothing is said of a checklist
/// that gym-anything cannot score.
pub fn rehearse(checklist: &Value, thresholds: Thresholds) -> Vec<String> {
    let trial = Trial { checklist, thresholds };
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
    expect("every item passes", trial.score("pass", "pass", None), true, Some(100.0));
    expect("every item of task_completion fails", trial.score("fail", "pass", None), false, Some(0.0));
    if !trial.items("integrity").is_empty() {
        expect("every integrity item fails", trial.score("pass", "fail", None), false, Some(0.0));
    }
    for (number, _) in (1..).zip(trial.items("task_completion")) {
        let alone = trial.score("pass", "pass", Some(number));
        if alone.is_some_and(|score| score.points > 100.0 - TOLERANCE) {
            expect(&format!("item {number} of task_completion alone fails"), alone, false, None);
        }
    }
    surprises
}

struct Trial<'a> {
    checklist: &'a Value,
    thresholds: Thresholds,
}

impl Trial<'_> {
    fn items(&self, list: &str) -> &[Value] {
        self.checklist.get(list).and_then(Value::as_list).unwrap_or_default()
    }

    /// The score if all items of a list have the same verdict, but for one completion item that fails.
    fn score(&self, completion: &str, integrity: &str, failing: Option<usize>) -> Option<Score> {
        let verdict = |number| if failing == Some(number) { "fail" } else { completion };
        let answer = json!({
            "task_completion": self.verdicts("task_completion", verdict),
            "integrity": self.verdicts("integrity", |_| integrity),
        });
        score(self.checklist, &answer.to_string(), self.thresholds)
    }

    /// A judge names an item by the id that it is shown.
    fn verdicts<'a>(&self, list: &str, verdict: impl Fn(usize) -> &'a str) -> Vec<Json> {
        let items = (1..).zip(self.items(list));
        let verdicts = items.map(|(number, item)| {
            json!({ "id": item.get("id").map_or(Json::Null, Value::to_json), "verdict": verdict(number) })
        });
        verdicts.collect()
    }
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
