//! The folder of a task: task.toml, instruction.md, environment/, tests/ and solution/.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use task_spec::files::{CORE_FILES, Role};
use task_spec::machine::quote;

use super::image::Image;
use crate::exported::Exported;
use crate::folder::Folder;

/// The time limit of a set-up in seconds, where the spec has none. gym-anything, `specs.py`.
const SETUP: f64 = 600.0;

/// The time limit of export and verifier together, in seconds. The limit of an export is 600.
const VERIFIER: f64 = 900.0;

/// The time limit of an agent in seconds, where the spec has none.
const AGENT: f64 = 1800.0;

/// The name of a task: environment and task.
pub(super) fn name(task: &Exported) -> String {
    format!("{}/{}", plain(&task.env), plain(&task.task))
}

/// A text of letters, digits and `_.-`, as Harbor's names are.
fn plain(text: &str) -> String {
    let text = text.trim_start_matches(|char: char| !char.is_ascii_alphanumeric());
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "_-".contains(char);
    let text: String = text.chars().map(|char| if is_plain(char) { char } else { '-' }).collect();
    if text.is_empty() { "x".to_owned() } else { text }
}

/// Adds the folder of a task at `at`.
pub(super) fn add(folder: &mut Folder, at: &str, task: &Exported, image: &Image) -> Result<()> {
    let program = task.program.as_ref().context("it has no verifier program")?;
    folder.add(format!("{at}/task.toml"), task_toml(task, image));
    folder.add(format!("{at}/instruction.md"), format!("{}\n", task.text(&["description"]).trim()));
    for (name, file) in &task.files {
        match role(name) {
            // What an agent must not see, or nothing runs.
            Some(
                Role::Verifier
                | Role::Checklist
                | Role::Evidence
                | Role::Fixtures
                | Role::Readme
                | Role::Spec,
            ) => {
                continue;
            }
            Some(Role::Export) => {}
            Some(Role::Setup) | None if *name == program.file => continue,
            Some(Role::Setup) | None => {
                folder.add_file(format!("{at}/environment/{}/{name}", task.task), file);
            }
        }
        folder.add_file(format!("{at}/tests/task/{name}"), file);
    }
    let description = json!({
        "task": task.task, "file": program.file, "function": program.function, "env_id": program.env_id,
        "task_info": program.task_info,
    });
    folder.add(format!("{at}/tests/program.json"), serde_json::to_string_pretty(&description)? + "\n");
    for (name, bytes) in &program.files {
        folder.add(format!("{at}/tests/env/{name}"), bytes.clone());
    }
    folder.add(format!("{at}/tests/task.sh"), variables(task, image));
    folder.add(format!("{at}/tests/verify.py"), include_str!("scripts/verify.py"));
    folder.add_executable(format!("{at}/tests/test.sh"), include_str!("scripts/test.sh"));
    if let Some(solution) = &task.solution {
        folder.add_executable(format!("{at}/solution/solve.sh"), include_str!("scripts/solve.sh"));
        folder.add(format!("{at}/solution/solution.sh"), solution.clone());
    }
    Ok(())
}

fn role(name: &str) -> Option<Role> {
    CORE_FILES.iter().find(|file| file.name == name).map(|file| file.role)
}

/// What test.sh has to know, as variables of a shell.
fn variables(task: &Exported, image: &Image) -> String {
    let place = format!("{}/{}", image.tasks, task.task);
    format!("task_dir={}\npost_task={}\n", quote(&place), quote(task.text(&["hooks", "post_task"])))
}

fn task_toml(task: &Exported, image: &Image) -> String {
    let spec = &image.spec;
    let setup = task.number(&["hooks", "pre_task_timeout"]).unwrap_or(SETUP);
    let prepare = [task.text(&["hooks", "pre_task"]), task.text(&["init", "init_script"])].map(quote);
    let ready = format!("bash /opt/task-environment/ready.sh {} {}", prepare[0], prepare[1]);
    let network = if spec.resources.net == Some(false) { "no-network" } else { "public" };
    let title =
        [task.text(&["name"]), &task.task].into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let mut toml = Toml::default();
    toml.set("schema_version", "1.4");
    toml.table("task");
    toml.set("name", name(task)).set("description", title).set("keywords", task.features());
    toml.table("metadata");
    toml.set("env_id", task.text(&["env_id"])).set("difficulty", task.text(&["difficulty"]));
    toml.set("occupation", task.occupation()).set("split", task.side.name());
    toml.set("evidence", task.evidence());
    if let Some(steps) = task.max_steps() {
        toml.set("max_steps", steps);
    }
    toml.table("agent");
    toml.set("timeout_sec", task.number(&["init", "timeout_sec"]).unwrap_or(AGENT));
    toml.set("user", spec.desktop_user());
    toml.table("verifier");
    toml.set("timeout_sec", VERIFIER);
    toml.table("environment");
    // Harbor's first command already runs in the working directory, so that the image has to have it.
    toml.set("docker_image", image.name.as_str()).set("workdir", image.tasks.as_str());
    toml.set("network_mode", network);
    if let Some(cpus) = positive(spec.resources.cpu) {
        toml.set("cpus", cpus);
    }
    if let Some(memory) = positive(spec.resources.mem_gb) {
        #[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
        toml.set("memory_mb", (memory * 1024.0) as i64);
    }
    toml.table("environment.env");
    toml.set("DISPLAY", spec.display());
    toml.table("environment.healthcheck");
    // A set-up that fails is tried once: it may have changed what the next one starts from.
    toml.set("command", ready).set("timeout_sec", setup).set("retries", 1);
    toml.0
}

fn positive(number: Option<f64>) -> Option<f64> {
    number.filter(|number| *number > 0.0 && number.is_finite())
}

/// A TOML document.
#[derive(Default)]
struct Toml(String);

impl Toml {
    /// Starts a table.
    fn table(&mut self, name: &str) {
        // Writing to a String does not fail.
        let _ = writeln!(self.0, "\n[{name}]");
    }

    /// Adds a value: text, a list of texts, or a number. What JSON writes is TOML, but for one control character.
    fn set(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        let value = value.into().to_string().replace('\u{7f}', "\\u007f");
        let _ = writeln!(self.0, "{key} = {value}");
        self
    }
}
