//! Rows of the plan: reading them out of an answer, and telling which may stand.

use std::collections::{BTreeMap, BTreeSet};

use common::environment::TaskName;
use common::record::Plan;
use common::text::shorten;
use serde_json::Value;

use crate::duplicates::words;
use crate::examples::normal_label;
use crate::profile::{Profile, Quota};

/// The rows in a model's answer: JSON objects with a `task`, one a line, or in an array, or over several
/// lines. Whatever stands around them is passed over.
pub(crate) fn in_answer(text: &str) -> Vec<Value> {
    let by_line: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line.trim().trim_end_matches(',')).ok())
        .filter(is_row)
        .collect();
    if by_line.is_empty() { anywhere(text) } else { by_line }
}

fn anywhere(text: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(['{', '[']) {
        let mut values = serde_json::Deserializer::from_str(&rest[start..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(Value::Array(items))) => rows.extend(items.into_iter().filter(is_row)),
            Some(Ok(value)) if is_row(&value) => rows.push(value),
            _ => {
                rest = &rest[start + 1..];
                continue;
            }
        }
        rest = &rest[start + values.byte_offset()..];
    }
    rows
}

/// Of a plan's rows, the share that may have the same archetype, or the same occupation, before others are
/// asked for in their place: one in so many.
const SHARE: usize = 3;

/// How few rows may be alike in any plan.
const ALIKE: usize = 3;

/// Puts the rows aside that make a plan lopsided, each with the reason in words for the model. A plan that
/// does not tell its rows apart by a field at all is left as it is: it was not written with that field in
/// mind.
pub(crate) fn balance(rows: Vec<Value>) -> (Vec<Value>, Vec<(Value, String)>) {
    let most = ALIKE.max(rows.len().div_ceil(SHARE));
    let (mut kept, mut aside) = (rows, Vec::new());
    for field in ["archetype", "occupation"] {
        let named = |row: &Value| row[field].as_str().unwrap_or_default().trim().to_lowercase();
        let kinds: BTreeSet<String> = kept.iter().map(named).collect();
        if kinds.len() <= SHARE {
            continue;
        }
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let (stay, go): (Vec<Value>, Vec<Value>) = kept.into_iter().partition(|row| {
            let count = counts.entry(named(row)).or_default();
            *count += 1;
            *count <= most
        });
        let why = |row: &Value| {
            let [task, name] = [&row["task"], &row[field]].map(|text| text.as_str().unwrap_or_default());
            format!("`{}`: too many rows have the {field} {}", shorten(task, 100), shorten(name, 100))
        };
        aside.extend(go.into_iter().map(|row| (row.clone(), why(&row))));
        kept = stay;
    }
    (kept, aside)
}

fn is_row(value: &Value) -> bool {
    value.get("task").is_some_and(Value::is_string)
}

/// A plan row from what a model wrote, with its small liberties taken back.
fn tidy(value: &Value) -> Plan {
    let text = |key: &str| value[key].as_str().unwrap_or_default().trim().to_owned();
    let features = match &value["features"] {
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(list) => list.split(',').map(|feature| feature.trim().to_owned()).collect(),
        _ => Vec::new(),
    };
    Plan {
        task: text("task"),
        title: text("title"),
        activity: text("activity"),
        occupation: text("occupation"),
        features,
        archetype: text("archetype"),
        difficulty: normal_label(&text("difficulty")),
        category: text("category"),
        ..Plan::default()
    }
}

/// Decides which rows may stand beside one another.
pub(crate) struct Gate<'a> {
    /// Names that are taken.
    taken: BTreeSet<String>,
    /// What the rows that stand are about, as sets of words.
    about: BTreeMap<Vec<String>, String>,
    difficulties: &'a [String],
    profile: Option<&'a Profile>,
    /// What is still wanted of each category.
    quotas: Vec<Quota>,
}

impl<'a> Gate<'a> {
    /// A gate that lets through only rows of these `difficulties` (any, where there are none), and of each
    /// category of the `profile` only as many as `quotas` says.
    pub(crate) fn new(difficulties: &'a [String], profile: Option<&'a Profile>, quotas: Vec<Quota>) -> Self {
        Self { taken: BTreeSet::new(), about: BTreeMap::new(), difficulties, profile, quotas }
    }

    /// Takes a name.
    pub(crate) fn take(&mut self, name: &str) {
        self.taken.insert(name.to_owned());
    }

    /// Takes a row that stands.
    pub(crate) fn stand(&mut self, row: &Plan) {
        self.take(&row.task);
        self.about.insert(about(row), row.task.clone());
    }

    /// What is still wanted of each category that is short.
    pub(crate) fn wanted(&self) -> Vec<Quota> {
        self.quotas.iter().filter(|quota| quota.count > 0).cloned().collect()
    }

    /// Lets a row through, or says why not, in words for the model.
    pub(crate) fn admit(&mut self, value: &Value) -> Result<Plan, String> {
        let mut row = tidy(value);
        let Some(name) = TaskName::from_text(&row.task) else {
            return Err(format!("`{}` is no name: use a-z, 0-9 and _", shorten(&row.task, 100)));
        };
        row.task = name.to_string();
        let refused = |why: &str| Err(format!("`{name}`: {why}"));
        if self.taken.contains(&row.task) {
            return refused("a task of that name exists");
        }
        if row.activity.is_empty() && row.title.is_empty() {
            return refused("it does not say what is done");
        }
        if let Some(same) = self.about.get(&about(&row)) {
            return refused(&format!("it says the same as `{same}`"));
        }
        if !self.difficulties.is_empty() && !self.difficulties.contains(&row.difficulty) {
            return refused(&format!("its difficulty is not one of {}", self.difficulties.join(", ")));
        }
        if let Some(profile) = self.profile {
            let Some(category) = profile.category(&row.category) else {
                return refused("its category is none of those that are wanted");
            };
            let quota = self.quotas.iter_mut().find(|quota| quota.name == category);
            match quota {
                Some(quota) if quota.count > 0 => quota.count -= 1,
                _ => return refused(&format!("there are enough rows of the category {category}")),
            }
            category.clone_into(&mut row.category);
        }
        self.stand(&row);
        Ok(row)
    }
}

/// How the rows spread, in words for people.
pub(crate) fn spread(rows: &[Plan]) -> String {
    fn kinds<'a>(names: impl Iterator<Item = &'a str>) -> usize {
        names.filter(|name| !name.is_empty()).map(str::to_lowercase).collect::<BTreeSet<_>>().len()
    }
    let mut labels: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        *labels.entry(row.difficulty.as_str()).or_default() += 1;
    }
    let labels: Vec<String> = labels.iter().map(|(label, count)| format!("{count} {label}")).collect();
    format!(
        "{} occupations, {} archetypes, {} features; {}",
        kinds(rows.iter().map(|row| row.occupation.as_str())),
        kinds(rows.iter().map(|row| row.archetype.as_str())),
        kinds(rows.iter().flat_map(|row| row.features.iter().map(String::as_str))),
        labels.join(", ")
    )
}

/// What a row is about, whatever the order of its words.
fn about(row: &Plan) -> Vec<String> {
    let mut words = words(&format!("{} {}", row.title, row.activity));
    words.sort_unstable();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn names(text: &str) -> Vec<String> {
        in_answer(text).iter().map(|row| row["task"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn rows_are_found_in_whatever_form_they_come() {
        let lines = "Here:\n````jsonl\n{\"task\": \"a\"}\n{\"task\": \"b\"},\nnot json\n{\"name\": \"c\"}\n````\nDone.";
        assert_eq!(names(lines), ["a", "b"]);
        assert_eq!(names("```json\n[{\"task\": \"a\"},\n {\"task\": \"b\"}]\n```"), ["a", "b"]);
        assert_eq!(names("{\n \"task\": \"a\"\n}\n{ x }\n{\n \"task\": \"b\"\n}"), ["a", "b"]);
        assert_eq!(names("nothing {[ here"), Vec::<String>::new());
    }

    #[test]
    fn rows_that_cannot_stand_say_why() {
        let difficulties = ["hard".to_owned()];
        let mut gate = Gate::new(&difficulties, None, Vec::new());
        gate.take("there_before");
        let row =
            |task: &str, activity: &str| json!({"task": task, "activity": activity, "difficulty": "Hard"});
        assert_eq!(gate.admit(&row("First-Row@1", "merge a with b")).unwrap().task, "first_row");
        let mut why = |value| gate.admit(&value).unwrap_err();
        assert_eq!(why(row("first_row", "x")), "`first_row`: a task of that name exists");
        assert_eq!(why(row("there_before", "x")), "`there_before`: a task of that name exists");
        assert_eq!(why(row("other", "b with A merge")), "`other`: it says the same as `first_row`");
        assert_eq!(why(row("other", "")), "`other`: it does not say what is done");
        assert_eq!(why(row("東京", "x")), "`東京` is no name: use a-z, 0-9 and _");
        assert_eq!(
            why(json!({"task": "other", "activity": "y", "difficulty": "easy"})),
            "`other`: its difficulty is not one of hard"
        );
    }

    #[test]
    fn rows_that_make_a_plan_lopsided_are_put_aside() {
        let row = |n: usize, archetype: &str| json!({"task": format!("t{n}"), "archetype": archetype, "occupation": format!("o{n}")});
        let kinds = ["a", "b", "c", "d", "a", "a", "A ", "a", "a", "b", "c", "d"];
        let rows: Vec<Value> = kinds.iter().enumerate().map(|(n, kind)| row(n, kind)).collect();
        let (kept, aside) = balance(rows);
        assert_eq!((kept.len(), aside.len()), (10, 2));
        assert_eq!(aside[0].1, "`t7`: too many rows have the archetype a");
        let alike: Vec<Value> = (0..12).map(|n| json!({"task": format!("t{n}"), "archetype": "a"})).collect();
        assert_eq!(balance(alike).0.len(), 12);
    }

    #[test]
    fn quotas_are_met_and_not_exceeded() {
        let profile: Profile = serde_json::from_value(
            json!({"categories": [{"name": "A", "weight": 1}, {"name": "B", "weight": 1}]}),
        )
        .unwrap();
        let quotas = profile.quotas(2, &[], &[]);
        let mut gate = Gate::new(&[], Some(&profile), quotas);
        let row = |task: &str, category: &str| json!({"task": task, "activity": task, "category": category});
        assert_eq!(gate.admit(&row("one", "a")).unwrap().category, "A");
        assert_eq!(
            gate.admit(&row("two", "A")).unwrap_err(),
            "`two`: there are enough rows of the category A"
        );
        assert_eq!(
            gate.admit(&row("three", "C")).unwrap_err(),
            "`three`: its category is none of those that are wanted"
        );
        assert_eq!(gate.wanted(), [Quota { name: "B".to_owned(), count: 1 }]);
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_panic(text in r#"[\[\]{}":,ta\n ä1]{0,80}"#) {
            for row in in_answer(&text) {
                drop(Gate::new(&[], None, Vec::new()).admit(&row));
            }
        }
    }
}
