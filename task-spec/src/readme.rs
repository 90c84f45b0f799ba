//! What the README of a task states.

/// The number of an expert's actions: the first number after `expert_steps`, on the same line.
pub fn expert_steps(readme: &str) -> Option<u32> {
    let (_, rest) = readme.split_once("expert_steps")?;
    let line = rest.lines().next()?;
    let digits = line.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::expert_steps;

    #[test]
    fn the_number_of_steps_is_read() {
        assert_eq!(expert_steps("## Effort\n`expert_steps: 42`, `screens: 6`, counted"), Some(42));
        assert_eq!(expert_steps("| `expert_steps` | 42 |"), Some(42));
        assert_eq!(expert_steps("expert_steps\n42"), None);
        assert_eq!(expert_steps("expert_steps: 99999999999"), None);
        assert_eq!(expert_steps("# A task"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "(expert_steps|[0-9:ä `\n]){0,20}") {
            let _ = expert_steps(&text);
        }
    }
}
