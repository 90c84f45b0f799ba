//! The prompts: one Markdown file per phase, with [minijinja](https://docs.rs/minijinja) placeholders.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use fs_err as fs;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value, context};

/// Name and text of each built-in prompt.
const BUILT_IN: [(&str, &str); 4] = [
    ("notes.md", include_str!("../prompts/notes.md")),
    ("create.md", include_str!("../prompts/create.md")),
    ("edit.md", include_str!("../prompts/edit.md")),
    ("nudge.md", include_str!("../prompts/nudge.md")),
];

/// The prompts of a run.
pub(crate) struct Prompts(Environment<'static>);

/// The data that a prompt may use. A prompt that uses another name is refused.
pub(crate) struct PromptData<'a> {
    /// The name of the software.
    pub(crate) software: &'a str,
    /// The environment's name.
    pub(crate) env_name: &'a str,
    /// The environment's folder.
    pub(crate) env_dir: &'a str,
    /// The working directory.
    pub(crate) workspace: &'a str,
    /// Paths of the pages of the notes to read, in order.
    pub(crate) notes: &'a [String],
    /// Names of the existing tasks.
    pub(crate) existing_tasks: &'a [String],
    /// The number of new tasks; 0 if a task is reworked.
    pub(crate) seed_count: usize,
    /// The task to rework, or empty.
    pub(crate) edit_task: &'a str,
    /// An expert's feedback on it, or empty.
    pub(crate) feedback: &'a str,
    /// `enterprise` or `consumer`.
    pub(crate) task_type: &'a str,
    /// The findings of the checks, one line each.
    pub(crate) findings: &'a [String],
}

impl PromptData<'_> {
    fn context(&self) -> Value {
        context! {
            software => self.software,
            env_name => self.env_name,
            env_dir => self.env_dir,
            workspace => self.workspace,
            notes => Value::from_iter(self.notes),
            existing_tasks => Value::from_iter(self.existing_tasks),
            seed_count => self.seed_count,
            edit_task => self.edit_task,
            feedback => self.feedback,
            task_type => self.task_type,
            findings => Value::from_iter(self.findings),
        }
    }
}

impl Prompts {
    /// Loads the prompts: those in `dir`, and built-in ones for the rest.
    pub(crate) fn load(dir: Option<&Path>) -> Result<Self> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        if let Some(dir) = dir {
            ensure!(dir.is_dir(), "the prompts folder {} does not exist", dir.display());
        }
        for (name, built_in) in BUILT_IN {
            let text = match dir.map(|dir| dir.join(name)).filter(|path| path.exists()) {
                Some(path) => fs::read_to_string(path)?,
                None => built_in.to_owned(),
            };
            templates
                .add_template_owned(name, text)
                .with_context(|| format!("the prompt {name} is not a valid template"))?;
        }
        Ok(Self(templates))
    }

    /// The text of the prompt `name`.
    pub(crate) fn render(&self, name: &str, data: &PromptData<'_>) -> Result<String> {
        let template = self.0.get_template(name)?;
        template.render(data.context()).with_context(|| format!("cannot fill in the prompt {name}"))
    }
}
