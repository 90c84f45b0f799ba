//! Decides which rows are accepted into the plan.

use std::collections::{BTreeMap, BTreeSet};

use common::environment::TaskName;
use common::record::Plan;
use common::text::shorten;
use serde_json::Value;

use crate::corpus::{Profile, Quota};
use crate::difficulty;
use task_spec::words::words;

/// Accepts rows that differ from each other and meet the restrictions of the run.
pub(super) struct Gate<'a> {
    /// Names that a new row cannot have.
    reserved: BTreeSet<String>,
    /// The words of each accepted row, and its name.
    accepted: BTreeMap<Vec<String>, String>,
    difficulties: &'a [String],
    profile: Option<&'a Profile>,
    /// The number of rows still wanted of each category.
    quotas: Vec<Quota>,
}

impl<'a> Gate<'a> {
    /// A gate that accepts only these `difficulties` (any if empty), and of each category of the `profile` as
    /// many rows as `quotas` says.
    pub(super) fn new(difficulties: &'a [String], profile: Option<&'a Profile>, quotas: Vec<Quota>) -> Self {
        Self { reserved: BTreeSet::new(), accepted: BTreeMap::new(), difficulties, profile, quotas }
    }

    /// Reserves the name of an existing task.
    pub(super) fn reserve(&mut self, name: &str) {
        self.reserved.insert(name.to_owned());
    }

    /// Adds a row of the plan.
    pub(super) fn accept(&mut self, row: &Plan) {
        self.reserve(&row.task);
        self.accepted.insert(subject(row), row.task.clone());
    }

    /// The categories that need more rows.
    pub(super) fn wanted(&self) -> Vec<Quota> {
        self.quotas.iter().filter(|quota| quota.count > 0).cloned().collect()
    }

    /// Accepts a row that the model wrote, or says why not, in words for the model.
    pub(super) fn admit(&mut self, value: &Value) -> Result<Plan, String> {
        let mut row = tidy(value);
        let Some(name) = TaskName::from_text(&row.task) else {
            return Err(format!("`{}` is not a valid name: use {}", shorten(&row.task, 100), TaskName::FORM));
        };
        row.task = name.to_string();
        self.check(&mut row).map_err(|why| format!("`{name}`: {why}"))?;
        self.accept(&row);
        Ok(row)
    }

    /// Checks a row, and gives its category the name it has in the profile.
    fn check(&mut self, row: &mut Plan) -> Result<(), String> {
        if self.reserved.contains(&row.task) {
            return Err("a task of that name exists".to_owned());
        }
        if row.activity.is_empty() && row.title.is_empty() {
            return Err("it does not say what is done".to_owned());
        }
        if let Some(same) = self.accepted.get(&subject(row)) {
            return Err(format!("it says the same as `{same}`"));
        }
        if !self.difficulties.is_empty() && !self.difficulties.contains(&row.difficulty) {
            return Err(format!("its difficulty is not one of {}", self.difficulties.join(", ")));
        }
        if row.difficulty_reason.is_empty() {
            return Err("it has no difficulty_reason".to_owned());
        }
        let Some(profile) = self.profile else { return Ok(()) };
        let Some(category) = profile.category(&row.category) else {
            return Err("its category is not one of the wanted ones".to_owned());
        };
        match self.quotas.iter_mut().find(|quota| quota.name == category) {
            Some(quota) if quota.count > 0 => quota.count -= 1,
            _ => return Err(format!("there are enough rows of the category {category}")),
        }
        category.clone_into(&mut row.category);
        Ok(())
    }
}

/// A row of the plan from what a model wrote, with small deviations corrected.
fn tidy(value: &Value) -> Plan {
    Plan {
        task: text(value, "task"),
        title: text(value, "title"),
        activity: text(value, "activity"),
        occupation: text(value, "occupation"),
        features: features(&value["features"]),
        archetype: text(value, "archetype"),
        difficulty: difficulty::normalize(&text(value, "difficulty")),
        difficulty_reason: text(value, "difficulty_reason"),
        category: text(value, "category"),
        ..Plan::default()
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().trim().to_owned()
}

/// A list of names: an array, or one string with commas.
fn features(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(list) => list.split(',').map(|feature| feature.trim().to_owned()).collect(),
        _ => Vec::new(),
    }
}

/// The words of a row, whatever their order.
fn subject(row: &Plan) -> Vec<String> {
    let mut words = words(&format!("{} {}", row.title, row.activity));
    words.sort_unstable();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::rows::in_answer;
    use super::*;

    #[test]
    fn rejected_rows_say_why() {
        let difficulties = ["hard".to_owned()];
        let mut gate = Gate::new(&difficulties, None, Vec::new());
        gate.reserve("there_before");
        let row = |task: &str, activity: &str| json!({"task": task, "activity": activity, "difficulty": "Hard", "difficulty_reason": "r"});
        assert_eq!(gate.admit(&row("First-Row@1", "merge a with b")).unwrap().task, "first_row");
        let mut why = |value| gate.admit(&value).unwrap_err();
        assert_eq!(why(row("first_row", "x")), "`first_row`: a task of that name exists");
        assert_eq!(why(row("there_before", "x")), "`there_before`: a task of that name exists");
        assert_eq!(why(row("other", "b with A merge")), "`other`: it says the same as `first_row`");
        assert_eq!(why(row("other", "")), "`other`: it does not say what is done");
        assert!(
            why(row("東京", "x")).starts_with("`東京` is not a valid name: use 1 to 80 of a-z, 0-9 and _")
        );
        assert_eq!(
            why(json!({"task": "other", "activity": "y", "difficulty": "hard"})),
            "`other`: it has no difficulty_reason"
        );
        assert_eq!(
            why(json!({"task": "other", "activity": "y", "difficulty": "easy"})),
            "`other`: its difficulty is not one of hard"
        );
    }

    #[test]
    fn quotas_are_met_and_not_exceeded() {
        let profile: Profile = serde_json::from_value(
            json!({"categories": [{"name": "A", "weight": 1}, {"name": "B", "weight": 1}]}),
        )
        .unwrap();
        let quotas = profile.quotas(2, &[], &[]);
        let mut gate = Gate::new(&[], Some(&profile), quotas);
        let row = |task: &str, category: &str| json!({"task": task, "activity": task, "category": category, "difficulty_reason": "r"});
        assert_eq!(gate.admit(&row("one", "a")).unwrap().category, "A");
        assert_eq!(
            gate.admit(&row("two", "A")).unwrap_err(),
            "`two`: there are enough rows of the category A"
        );
        assert_eq!(
            gate.admit(&row("three", "C")).unwrap_err(),
            "`three`: its category is not one of the wanted ones"
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
