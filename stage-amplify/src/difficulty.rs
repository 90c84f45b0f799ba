//! How difficult a task is: the labels, what each means, and how many tasks have which.

use serde::Serialize;

/// All labels, the easiest first.
pub(crate) const LABELS: [&str; 4] = ["easy", "medium", "hard", "very_hard"];

/// What a label means. This is its only definition; prompts show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Level {
    label: &'static str,
    /// What the description states.
    states: &'static str,
    /// What the agent must find.
    finds: &'static str,
    /// The minimum number of actions of an expert.
    floor: u32,
}

/// How long tasks are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Horizon {
    /// As long as the difficulty demands.
    #[default]
    Usual,
    /// 200 to 500 steps, with intermediate results that are scored.
    Long,
}

/// A part of a plan: the number of rows with a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Share {
    label: String,
    count: usize,
}

/// The minimum number of an expert's actions of a long task. Long tasks have at least 200 steps, and the
/// formula of `effort.md` gives 2.5 steps for an action.
const LONG_FLOOR: u32 = 80;

/// The levels, the easiest first. A floor is the tenth percentile of `max_steps` of the published tasks with this
/// label (20, 40, 60 and 75), divided by 2.5, the steps that `effort.md` gives for an action.
pub(crate) fn levels(horizon: Horizon) -> [Level; 4] {
    let level = |label, states, finds, floor| Level {
        label,
        states,
        finds,
        floor: match horizon {
            Horizon::Usual => floor,
            Horizon::Long => LONG_FLOOR,
        },
    };
    let [easy, medium, hard, very_hard] = LABELS;
    [
        level(easy, "targets, values, where to click", "nothing", 8),
        level(medium, "targets, values, the name of the feature", "the way through the interface", 16),
        level(hard, "targets and values", "which features to use, in which order, and the way", 24),
        level(very_hard, "the goal and the rules that decide", "targets, values, features and the way", 30),
    ]
}

/// The minimum number of an expert's actions of a task with this label; 0 for an unknown label.
pub(crate) fn floor(label: &str, horizon: Horizon) -> u32 {
    levels(horizon).iter().find(|level| level.label == label).map_or(0, |level| level.floor)
}

/// How many of `count` rows have which of the labels: twice as many `very_hard` ones as of any other. What does
/// not divide goes to the first labels.
pub(crate) fn mix(labels: &[String], count: usize) -> Vec<Share> {
    let weight = |label: &str| if label == "very_hard" { 2 } else { 1 };
    let all: usize = labels.iter().map(|label| weight(label)).sum();
    let mut mix: Vec<Share> = labels
        .iter()
        .map(|label| Share { label: label.clone(), count: count * weight(label) / all })
        .collect();
    let given: usize = mix.iter().map(|share| share.count).sum();
    for share in mix.iter_mut().take(count.saturating_sub(given)) {
        share.count += 1;
    }
    mix
}

/// A label in its one spelling: `Very Hard` and `very-hard` are `very_hard`.
pub(crate) fn normalize(label: &str) -> String {
    label.trim().to_lowercase().replace([' ', '-'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_one_spelling() {
        assert_eq!(normalize(" Very Hard"), "very_hard");
        assert_eq!(normalize("very-hard"), "very_hard");
    }

    #[test]
    fn two_thirds_of_a_plan_are_very_hard() {
        let counts = |labels: &[&str], count| -> Vec<usize> {
            let labels: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
            mix(&labels, count).iter().map(|share| share.count).collect()
        };
        assert_eq!(counts(&["very_hard", "hard"], 75), [50, 25]);
        assert_eq!(counts(&["very_hard", "hard"], 2), [2, 0]);
        assert_eq!(counts(&["hard", "medium", "easy"], 10), [4, 3, 3]);
        assert_eq!(counts(&[], 10), Vec::<usize>::new());
    }

    #[test]
    fn floors_rise_with_the_label() {
        let floors = LABELS.map(|label| floor(label, Horizon::Usual));
        assert!(floors.is_sorted(), "{floors:?}");
        assert_eq!((floor("hard", Horizon::Long), floor("odd", Horizon::Usual)), (80, 0));
    }
}
