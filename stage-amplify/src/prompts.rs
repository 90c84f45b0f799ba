//! The prompts: templates in files, rendered strictly, kept once they were sent.
//!
//! A prompt has two parts. `NAME.md` is the beginning that all calls of a pass share, byte for byte;
//! `NAME.ask.md` is the end that one call has for itself. The other templates are included by these. All of
//! them are built in, and a folder of one's own (`--prompts`) replaces those it holds.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use common::publish::write_file_atomic;
use common::ui::Ui;
use fs_err as fs;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use model_client::Prefix;
use serde::Serialize;

/// The built-in templates.
const BUILT_IN: [(&str, &str); 16] = [
    ("contract.md", include_str!("../prompts/contract.md")),
    ("environment.md", include_str!("../prompts/environment.md")),
    ("files.ask.md", include_str!("../prompts/files.ask.md")),
    ("files.md", include_str!("../prompts/files.md")),
    ("fixtures.ask.md", include_str!("../prompts/fixtures.ask.md")),
    ("fixtures.md", include_str!("../prompts/fixtures.md")),
    ("good-task.md", include_str!("../prompts/good-task.md")),
    ("occupations.md", include_str!("../prompts/occupations.md")),
    ("plan.ask.md", include_str!("../prompts/plan.ask.md")),
    ("plan.md", include_str!("../prompts/plan.md")),
    ("profile.md", include_str!("../prompts/profile.md")),
    ("readme.ask.md", include_str!("../prompts/readme.ask.md")),
    ("readme.md", include_str!("../prompts/readme.md")),
    ("repair.ask.md", include_str!("../prompts/repair.ask.md")),
    ("repair.md", include_str!("../prompts/repair.md")),
    ("shape.md", include_str!("../prompts/shape.md")),
];

/// The shortest fence that content is put into. Answers are asked for in the same form.
const FENCE: usize = 4;

/// The templates, ready to be rendered.
pub(crate) struct Templates {
    templates: Environment<'static>,
}

impl Templates {
    /// The built-in templates, but for those that the folder `replaced` holds.
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
        templates.add_filter("fenced", |text: String, name: String| fenced(&text, &name));
        templates.add_filter("cell", |text: String| cell(&text));
        for (name, source) in BUILT_IN {
            templates.add_template(name, source)?;
        }
        if let Some(dir) = replaced {
            replace(&mut templates, dir)?;
        }
        Ok(Self { templates })
    }

    /// Renders one template. Something that the template names and `context` lacks is an error.
    pub(crate) fn render(&self, name: &str, context: impl Serialize) -> Result<String> {
        let rendered = self
            .templates
            .get_template(name)
            .and_then(|template| template.render(Value::from(Serde(context))))
            .with_context(|| format!("cannot render the prompt {name}"))?;
        Ok(rendered)
    }
}

/// Takes every `.md` file in `dir` in place of the built-in template of its name, or beside them.
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
            .with_context(|| format!("{} is no template", path.display()))?;
    }
    if !found {
        bail!("{} holds no template: --prompts takes a folder with files such as readme.md", dir.display());
    }
    Ok(())
}

/// `text` in a fence that no line in it can close.
pub(crate) fn fenced(text: &str, name: &str) -> String {
    let longest = text.lines().map(fence_length).max().unwrap_or(0);
    let fence = "`".repeat(FENCE.max(longest + 1));
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}{name}\n{text}{end}{fence}")
}

/// The number of backticks that a line begins with, after its indentation.
fn fence_length(line: &str) -> usize {
    let line = line.trim_start();
    line.len() - line.trim_start_matches('`').len()
}

/// `text` as it can stand in a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// Prompts as they were sent, in a folder of the run directory.
///
/// The journal knows a paid answer by its whole request. So what a request begins with must not change when
/// the environment does, and it does: the tasks of this very run are put into it. A prompt is rendered once,
/// kept as plain text, and used as it is from then on.
pub(crate) struct Kept {
    dir: PathBuf,
    /// Render again what the passes of this run need.
    fresh: bool,
    ui: Ui,
}

impl Kept {
    pub(crate) fn new(dir: PathBuf, fresh: bool, ui: &Ui) -> Self {
        Self { dir, fresh, ui: ui.clone() }
    }

    /// The prompt of this pass for the rows from number `first` on: the one that was kept, else `rendered`.
    pub(crate) fn prompt(&self, pass: &str, first: usize, rendered: String) -> Result<Prefix> {
        let path = self.dir.join(format!("{pass}.{first}.md"));
        if !self.fresh && path.exists() {
            let kept = fs::read_to_string(&path).context("cannot read a prompt of an earlier run")?;
            if kept != rendered {
                self.ui.info(format_args!(
                    "using {} as it is, so that answers which were paid for still fit; templates, flags, plan or \
                     environment have changed since, and --fresh renders it anew",
                    path.display()
                ));
            }
            return Ok(kept.into());
        }
        fs::create_dir_all(&self.dir)?;
        write_file_atomic(&path, rendered.as_bytes())?;
        Ok(rendered.into())
    }

    /// Drops the prompts of all passes from the plan on, as the rows they speak of are dropped.
    pub(crate) fn forget(&self) -> Result<()> {
        if !self.dir.exists() {
            return Ok(());
        }
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if ["plan.", "readme.", "files."].iter().any(|pass| name.starts_with(pass)) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// The numbers of the first rows of all batches of rows that were planned together, sorted; at least 1.
    pub(crate) fn batches(&self) -> Result<Vec<usize>> {
        let mut firsts = vec![1];
        if self.dir.exists() {
            for entry in fs::read_dir(&self.dir)? {
                let name = entry?.file_name();
                let first = name.to_str().and_then(|name| name.strip_prefix("plan.")?.strip_suffix(".md"));
                firsts.extend(first.and_then(|first| first.parse::<usize>().ok()));
            }
        }
        firsts.sort_unstable();
        firsts.dedup();
        Ok(firsts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_longer_than_any_inside() {
        assert_eq!(fenced("a", "x"), "````x\na\n````");
        assert_eq!(fenced("a\n", ""), "````\na\n````");
        assert_eq!(fenced("  `````\n", "x"), "``````x\n  `````\n``````");
    }

    #[test]
    fn all_templates_are_valid() {
        Templates::load(None).unwrap();
    }

    #[test]
    fn a_name_that_the_context_lacks_is_an_error() {
        let error = Templates::load(None).unwrap().render("readme.md", ()).unwrap_err();
        assert!(format!("{error:#}").contains("undefined"), "{error:#}");
    }
}
