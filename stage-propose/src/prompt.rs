//! The prompts: Markdown files with [minijinja](https://docs.rs/minijinja) in them, one a phase.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use fs_err as fs;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value, context};

/// Name and text of each prompt.
const OWN: [(&str, &str); 4] = [
    ("notes.md", include_str!("../prompts/notes.md")),
    ("create.md", include_str!("../prompts/create.md")),
    ("edit.md", include_str!("../prompts/edit.md")),
    ("nudge.md", include_str!("../prompts/nudge.md")),
];

/// The prompts in use.
pub(crate) struct Prompts(Environment<'static>);

/// What a prompt may speak of. A prompt that speaks of anything else is refused.
pub(crate) struct Facts<'a> {
    /// What the software is called.
    pub(crate) software: &'a str,
    /// The environment's name.
    pub(crate) env_name: &'a str,
    /// The environment's folder.
    pub(crate) env_dir: &'a str,
    /// The working directory.
    pub(crate) workspace: &'a str,
    /// Paths of the pages of the notes to read, in order.
    pub(crate) notes: &'a [String],
    /// Names of the tasks that were there before.
    pub(crate) existing_tasks: &'a [String],
    /// How many new tasks are wanted; 0 where one is to be reworked.
    pub(crate) seed_count: usize,
    /// The task to rework, or nothing.
    pub(crate) edit_task: &'a str,
    /// What an expert said of it, or nothing.
    pub(crate) feedback: &'a str,
    /// `enterprise` or `consumer`.
    pub(crate) task_type: &'a str,
    /// What the checks found so far, a line each.
    pub(crate) findings: &'a [String],
}

impl Facts<'_> {
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
    /// This program's prompts, but those that lie in `dir`.
    pub(crate) fn load(dir: Option<&Path>) -> Result<Self> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        if let Some(dir) = dir {
            ensure!(dir.is_dir(), "no folder {} to read prompts from", dir.display());
        }
        for (name, own) in OWN {
            let text = match dir.map(|dir| dir.join(name)).filter(|path| path.exists()) {
                Some(path) => fs::read_to_string(path)?,
                None => own.to_owned(),
            };
            templates
                .add_template_owned(name, text)
                .with_context(|| format!("the prompt {name} is broken"))?;
        }
        Ok(Self(templates))
    }

    /// The text of the prompt `name`.
    pub(crate) fn render(&self, name: &str, facts: &Facts<'_>) -> Result<String> {
        let template = self.0.get_template(name)?;
        template.render(facts.context()).with_context(|| format!("cannot fill in the prompt {name}"))
    }
}
