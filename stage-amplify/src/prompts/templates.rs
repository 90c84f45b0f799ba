//! The templates: Markdown files, rendered strictly.
//!
//! All of them are built in. A folder given with `--prompts` replaces those of the same name.

use std::path::Path;

use answer::fence;
use anyhow::{Context, Result, bail};
use common::text::one_line;
use fs_err as fs;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::Serialize;

/// The built-in templates.
const BUILT_IN: &[(&str, &str)] = &[
    ("agreement.ask.md", include_str!("../../prompts/agreement.ask.md")),
    ("agreement.md", include_str!("../../prompts/agreement.md")),
    ("checklist.ask.md", include_str!("../../prompts/checklist.ask.md")),
    ("checklist.md", include_str!("../../prompts/checklist.md")),
    ("contract.md", include_str!("../../prompts/contract.md")),
    ("difficulty.md", include_str!("../../prompts/difficulty.md")),
    ("effort.md", include_str!("../../prompts/effort.md")),
    ("environment.md", include_str!("../../prompts/environment.md")),
    ("files.ask.md", include_str!("../../prompts/files.ask.md")),
    ("files.md", include_str!("../../prompts/files.md")),
    ("fixtures.ask.md", include_str!("../../prompts/fixtures.ask.md")),
    ("fixtures.md", include_str!("../../prompts/fixtures.md")),
    ("good-task.md", include_str!("../../prompts/good-task.md")),
    ("occupations.md", include_str!("../../prompts/occupations.md")),
    ("plan.ask.md", include_str!("../../prompts/plan.ask.md")),
    ("plan.md", include_str!("../../prompts/plan.md")),
    ("platform-android.md", include_str!("../../prompts/platform-android.md")),
    ("platform-linux.md", include_str!("../../prompts/platform-linux.md")),
    ("platform-macos.md", include_str!("../../prompts/platform-macos.md")),
    ("platform-windows.md", include_str!("../../prompts/platform-windows.md")),
    ("profile.md", include_str!("../../prompts/profile.md")),
    ("readme.ask.md", include_str!("../../prompts/readme.ask.md")),
    ("readme.md", include_str!("../../prompts/readme.md")),
    ("repair.ask.md", include_str!("../../prompts/repair.ask.md")),
    ("repair.md", include_str!("../../prompts/repair.md")),
    ("shape-android.md", include_str!("../../prompts/shape-android.md")),
    ("shape-linux.md", include_str!("../../prompts/shape-linux.md")),
    ("shape-macos.md", include_str!("../../prompts/shape-macos.md")),
    ("shape-windows.md", include_str!("../../prompts/shape-windows.md")),
    ("shape.md", include_str!("../../prompts/shape.md")),
    ("solution.ask.md", include_str!("../../prompts/solution.ask.md")),
    ("solution.md", include_str!("../../prompts/solution.md")),
];

/// The templates, ready to render.
pub(crate) struct Templates {
    templates: Environment<'static>,
}

impl Templates {
    /// The built-in templates, with those in the folder `replaced` in place of the ones of the same name.
    ///
    /// stage-propose sets up minijinja by itself. Its three lines do not justify a shared crate, and they differ:
    /// here a template keeps its last newline, since prefix and suffix are concatenated.
    pub(crate) fn load(replaced: Option<&Path>) -> Result<Self> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_auto_escape_callback(|_| AutoEscape::None);
        templates.set_syntax(
            SyntaxConfig::builder()
                .trim_blocks(true)
                .lstrip_blocks(true)
                .keep_trailing_newline(true)
                .build()?,
        );
        templates.add_filter("fenced", |text: String, name: String| fence::wrap(&text, &name));
        templates.add_filter("cell", |text: String| cell(&text));
        for &(name, source) in BUILT_IN {
            templates.add_template(name, source)?;
        }
        if let Some(dir) = replaced {
            replace(&mut templates, dir)?;
        }
        Ok(Self { templates })
    }

    /// Renders one template. A variable that `variables` lacks is an error.
    pub(crate) fn render(&self, name: &str, variables: impl Serialize) -> Result<String> {
        let rendered = self
            .templates
            .get_template(name)
            .and_then(|template| template.render(Value::from(Serde(variables))))
            .with_context(|| format!("cannot render the prompt {name}"))?;
        Ok(rendered)
    }
}

/// Adds every `.md` file in `dir`, except README.md; a built-in template of the same name is replaced.
fn replace(templates: &mut Environment<'static>, dir: &Path) -> Result<()> {
    let mut found = false;
    for entry in fs::read_dir(dir).context("cannot read the folder given with --prompts")? {
        let path = entry?.path();
        let is_template =
            path.extension().is_some_and(|extension| extension == "md") && !path.ends_with("README.md");
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|_| is_template) else {
            continue;
        };
        found = true;
        let source = fs::read_to_string(&path)?;
        templates
            .add_template_owned(name.to_owned(), source)
            .with_context(|| format!("{} is not a valid template", path.display()))?;
    }
    if !found {
        bail!(
            "{} contains no templates: --prompts takes a folder with files such as readme.md",
            dir.display()
        );
    }
    Ok(())
}

/// `text` in the form of a Markdown table cell.
fn cell(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_templates_are_valid() {
        Templates::load(None).unwrap();
    }

    #[test]
    fn an_unknown_variable_is_an_error() {
        let error = Templates::load(None).unwrap().render("readme.md", ()).unwrap_err();
        assert!(format!("{error:#}").contains("undefined"), "{error:#}");
    }
}
