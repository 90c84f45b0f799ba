//! `--agent-cmd`: a shell command with placeholders.

use anyhow::{Context, Result, ensure};

use super::order::Order;

const PLACEHOLDERS: [&str; 4] = ["{prompt_file}", "{session_id}", "{env_dir}", "{workspace}"];

/// A shell command with [`PLACEHOLDERS`].
#[derive(Clone, Debug)]
pub(crate) struct Template(String);

impl Template {
    /// Accepts a template that contains `{prompt_file}`.
    pub(crate) fn new(template: &str) -> Result<Self> {
        ensure!(
            template.contains("{prompt_file}"),
            "--agent-cmd has no {{prompt_file}}, so the agent would not get its prompt; its placeholders are {}",
            PLACEHOLDERS.join(", ")
        );
        Ok(Self(template.to_owned()))
    }

    /// The command with every placeholder replaced. Each value is quoted, as one word of the shell.
    pub(crate) fn fill_in(&self, order: &Order<'_>) -> Result<String> {
        let values = [
            &order.prompt_file.to_string_lossy(),
            order.session,
            &order.env_dir.to_string_lossy(),
            &order.workspace.to_string_lossy(),
        ];
        let mut command = self.0.clone();
        for (placeholder, value) in PLACEHOLDERS.iter().zip(values) {
            let word =
                shlex::try_quote(value).with_context(|| format!("cannot quote {value:?} for the shell"))?;
            command = command.replace(placeholder, &word);
        }
        Ok(command)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn values_are_quoted() {
        let order = Order {
            prompt: "",
            prompt_file: Path::new("/a b/it's.md"),
            session: "u",
            resume: false,
            workspace: Path::new("/w"),
            env_dir: Path::new("/w/e"),
        };
        let template = Template::new("go {prompt_file} --in {env_dir} ${HOME} {other}").unwrap();
        assert_eq!(template.fill_in(&order).unwrap(), r#"go "/a b/it's.md" --in /w/e ${HOME} {other}"#);
    }

    #[test]
    fn a_template_without_the_prompt_is_refused() {
        assert!(Template::new("go {workspace}").is_err());
    }
}
