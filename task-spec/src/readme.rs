//! What the README of a task states.

/// The steps that an agent gets for each action of an expert.
pub const STEPS_PER_ACTION: f64 = 2.5;

/// The steps that an agent gets for each screen or document, to find its way.
pub const STEPS_PER_SCREEN: f64 = 8.0;

/// The fewest steps that a task allows.
pub const FEWEST_STEPS: f64 = 60.0;

/// The seconds that a step takes.
pub const SECONDS_PER_STEP: f64 = 15.0;

/// The work that a README counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// The number of an expert's actions.
    pub expert_steps: u32,
    /// The number of different screens and documents.
    pub screens: u32,
}

impl Effort {
    /// What a README counts; `None` unless it gives both numbers, the one of the screens after the other.
    pub fn of(readme: &str) -> Option<Self> {
        let (_, rest) = readme.split_once("expert_steps")?;
        let section = rest.split("\n#").next()?;
        let screens = section.split("screens").skip(1).find_map(number_behind_marks)?;
        Some(Self { expert_steps: expert_steps(readme)?, screens })
    }

    /// The steps that an agent needs: rounded up to ten.
    pub fn max_steps(self) -> f64 {
        let steps =
            STEPS_PER_ACTION * f64::from(self.expert_steps) + STEPS_PER_SCREEN * f64::from(self.screens);
        ((steps / 10.0).ceil() * 10.0).max(FEWEST_STEPS)
    }

    /// The seconds that these steps take, without the setup and what the agent waits for.
    pub fn seconds(self) -> f64 {
        SECONDS_PER_STEP * self.max_steps()
    }
}

/// The number of an expert's actions: the first number after `expert_steps`, on the same line.
pub fn expert_steps(readme: &str) -> Option<u32> {
    let (_, rest) = readme.split_once("expert_steps")?;
    number(rest.lines().next()?)
}

/// The number with which a text begins, but for marks such as `: ` or `|`.
fn number_behind_marks(text: &str) -> Option<u32> {
    let starts = text.trim_start_matches(|c: char| c.is_ascii_punctuation() || c == ' ');
    starts.starts_with(|c: char| c.is_ascii_digit()).then(|| number(starts))?
}

/// The first number in a text.
fn number(text: &str) -> Option<u32> {
    let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Effort, expert_steps};

    #[test]
    fn the_number_of_steps_is_read() {
        assert_eq!(expert_steps("## Effort\n`expert_steps: 42`, `screens: 6`, counted"), Some(42));
        assert_eq!(expert_steps("| `expert_steps` | 42 |"), Some(42));
        assert_eq!(expert_steps("expert_steps\n42"), None);
        assert_eq!(expert_steps("expert_steps: 99999999999"), None);
        assert_eq!(expert_steps("# A task"), None);
    }

    #[test]
    fn an_effort_has_both_numbers() {
        let numbers = |readme: &str| Effort::of(readme).map(|effort| (effort.expert_steps, effort.screens));
        assert_eq!(numbers("`expert_steps: 42`, `screens: 6`, counted as 3"), Some((42, 6)));
        assert_eq!(numbers("| `expert_steps` | 42 |\n| `screens` | 6 |"), Some((42, 6)));
        assert_eq!(numbers("expert_steps: 42, over all screens of 3 kinds; screens: 6"), Some((42, 6)));
        assert_eq!(numbers("expert_steps: 42, over two screens"), None);
        assert_eq!(numbers("expert_steps: 42\n\n## Data\nscreens: 6"), None);
        assert_eq!(numbers("screens: 6"), None);
    }

    #[test]
    fn limits_follow_from_the_effort() {
        let limits = |expert_steps, screens| {
            let effort = Effort { expert_steps, screens };
            (effort.max_steps(), effort.seconds())
        };
        assert_eq!(limits(84, 8), (280.0, 4_200.0));
        assert_eq!(limits(20, 0), (60.0, 900.0));
        assert_eq!(limits(25, 1), (80.0, 1_200.0));
        assert_eq!(limits(0, 0), (60.0, 900.0));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "(expert_steps|screens|[0-9:ä `\n#]){0,20}") {
            let _ = expert_steps(&text);
            if let Some(effort) = Effort::of(&text) {
                prop_assert!(effort.max_steps() >= 60.0 && effort.seconds() >= 900.0);
            }
        }
    }
}
