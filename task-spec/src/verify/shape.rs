//! The shape of specs: which keys they may have, and what must be under them.
//!
//! gym-anything turns a spec into Python dataclasses and then checks the result against a small JSON schema
//! (`specs.py`, `config/validators.py`). Keys that a dataclass does not have are errors inside a nested
//! block and ignored at the top; values are hardly looked at. The lists of keys here are those dataclasses'.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::value::{Map, Value};

/// Levels of lists and objects that gym-anything's checks can copy before they run into Python's recursion
/// limit, measured with its command line on Python 3.11.
const MAX_LEVELS: usize = 496;

const RUNNERS: [&str; 8] =
    ["docker", "qemu", "qemu_native", "avd", "avd_native", "avf", "local", "apptainer"];

const MODES: [&str; 4] = ["program", "image_match", "multi", "vlm_checklist"];

/// What is wrong with a spec, for people.
pub(super) type Invalid = String;

/// What the checks need of an environment's spec.
#[derive(Clone, Debug, Default)]
pub(super) struct EnvironmentShape {
    pub id: Option<String>,
    pub mounts: Vec<Mount>,
    /// Names and commands.
    pub hooks: Vec<(String, Value)>,
}

/// A folder of the host that the environment sees at another place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub target: String,
    pub source: String,
}

/// What the checks need of a task's spec.
#[derive(Clone, Debug)]
pub(super) struct TaskShape {
    pub pre_task: Value,
    pub post_task: Value,
    pub mode: Mode,
}

/// How a task is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Program,
    ImageMatch,
    Multi,
    VlmChecklist,
}

/// The `id` of a spec, if it is text.
pub(super) fn id(spec: &Value) -> Option<String> {
    spec.get("id").and_then(Value::as_str).map(str::to_owned)
}

/// Checks a task's spec.
pub(super) fn task(spec: &Value) -> Result<TaskShape, Invalid> {
    let spec = object(spec, "the spec")?;
    let empty = Map::default();
    let init = ["init_script", "init_pyautogui", "timeout_sec", "max_steps", "reward_type", "reward_shaping"];
    block(spec, "init", &init)?;
    let hooks = block(spec, "hooks", &["pre_task", "post_task", "pre_task_timeout"])?.unwrap_or(&empty);
    let success = block(spec, "success", &["mode", "spec"])?.unwrap_or(&empty);
    check_id(spec)?;
    let mode = mode(success.get("mode"))?;
    check_levels(spec)?;
    let value = |map: &Map, key| map.get(key).cloned().unwrap_or(Value::Null);
    Ok(TaskShape { pre_task: value(hooks, "pre_task"), post_task: value(hooks, "post_task"), mode })
}

fn mode(mode: Option<&Value>) -> Result<Mode, Invalid> {
    let Some(mode) = mode else { return Ok(Mode::Program) };
    match mode.as_str() {
        Some("program") => Ok(Mode::Program),
        Some("image_match") => Ok(Mode::ImageMatch),
        Some("multi") => Ok(Mode::Multi),
        Some("vlm_checklist") => Ok(Mode::VlmChecklist),
        _ => Err(format!("success.mode is {}; use one of {}", name(mode), MODES.join(", "))),
    }
}

/// Checks an environment's spec, and takes what its preset gives it.
pub(super) fn environment(spec: &Value) -> Result<EnvironmentShape, Invalid> {
    let own = object(spec, "the spec")?;
    let spec = match own.get("base").filter(|base| base.truthy()) {
        Some(base) => Cow::Owned(merge(preset(base)?, own)?),
        None => Cow::Borrowed(own),
    };
    let mounts = list(&spec, "mounts")?.iter().map(mount).collect::<Result<_, _>>()?;
    for user in list(&spec, "user_accounts")? {
        check_user(user)?;
    }
    for interface in ["observation", "action"] {
        check_interfaces(&spec, interface)?;
    }
    check_blocks(&spec)?;
    check_id(&spec)?;
    for interface in ["observation", "action"] {
        if list(&spec, interface)?.is_empty() {
            return Err(format!("{interface} is empty; give it at least one item, such as {{\"type\": …}}"));
        }
    }
    if let Some(runner) = spec.get("runner").filter(|runner| runner.truthy())
        && !runner.as_str().is_some_and(|runner| RUNNERS.contains(&runner))
    {
        return Err(format!("runner is {}; use one of {}", name(runner), RUNNERS.join(", ")));
    }
    check_levels(&spec)?;
    Ok(EnvironmentShape {
        id: spec.get("id").and_then(Value::as_str).map(str::to_owned),
        mounts,
        hooks: hooks(&spec)?,
    })
}

fn mount(mount: &Value) -> Result<Mount, Invalid> {
    let mount = keyed(mount, "a mount", &["target", "source", "mode"])?;
    let text = |key| match mount.get(key) {
        Some(value) if value.truthy() => Ok(value.to_text()),
        Some(_) => Ok(String::new()),
        None => Err(format!("a mount has no {key}; add it")),
    };
    Ok(Mount { target: text("target")?, source: text("source")? })
}

fn check_user(user: &Value) -> Result<(), Invalid> {
    let user = object(user, "a user account")?;
    let permissions = [
        "sudo",
        "sudo_nopasswd",
        "shell",
        "groups",
        "primary_group",
        "home_dir",
        "home_permissions",
        "create_home",
        "login_shell",
        "system_user",
        "network_access",
        "max_processes",
        "max_memory",
        "env_vars",
    ];
    block(user, "permissions", &permissions)?;
    if user.get("name").is_none() { Err("a user account has no name; add it".to_owned()) } else { Ok(()) }
}

fn check_interfaces(spec: &Map, interface: &str) -> Result<(), Invalid> {
    for item in list(spec, interface)? {
        let item = object(item, &format!("an item of {interface}"))?;
        match item.get("type") {
            Some(Value::String(_)) => {}
            Some(other) => return Err(format!("a type in {interface} is {}, not text", other.kind())),
            None => return Err(format!("an item of {interface} has no type; add it")),
        }
        let iterable = |value: &Value| matches!(value, Value::List(_) | Value::String(_) | Value::Map(_));
        if interface == "observation"
            && item.get("resolution").is_some_and(|value| value.truthy() && !iterable(value))
        {
            return Err("a resolution in observation is not a list of two numbers".to_owned());
        }
    }
    Ok(())
}

fn check_blocks(spec: &Map) -> Result<(), Invalid> {
    block(spec, "resources", &["cpu", "mem_gb", "gpu", "net"])?;
    check_security(spec)?;
    let recording = [
        "enable",
        "output_dir",
        "video_fps",
        "video_resolution",
        "video_codec",
        "video_crf",
        "audio_rate",
        "audio_channels",
        "audio_codec",
        "force_audio_track",
    ];
    block(spec, "recording", &recording)?;
    let vnc = ["enable", "host_port", "container_port", "password", "view_only", "fallback_only", "note"];
    block(spec, "vnc", &vnc)?;
    optional_block(spec, "ssh", &["user", "password", "key_file", "port", "shell", "note"])?;
    optional_block(spec, "adb", &["host_port", "guest_port", "timeout", "note"])?;
    optional_block(spec, "avd", &["api_level", "variant", "arch", "device"])?;
    let apptainer = [
        "sif",
        "definition",
        "image",
        "cache_dir",
        "binds",
        "overlays",
        "fakeroot",
        "contain",
        "contain_all",
        "writable_tmpfs",
        "enable_gpu",
        "env",
        "workdir",
        "extra_start_args",
        "extra_exec_args",
    ];
    optional_block(spec, "apptainer", &apptainer)
}

/// `security` is given to `dict()` before its keys are looked at, so that a list of pairs will do.
fn check_security(spec: &Map) -> Result<(), Invalid> {
    let keys = [
        "user",
        "cap_drop",
        "cap_add",
        "devices",
        "seccomp_profile",
        "network_allowlist",
        "secrets_ref",
        "privileged",
        "use_systemd",
        "mount_cgroups",
        "cgroupns_host",
        "tmpfs_run",
        "stop_timeout",
        "runtime",
        "resolved_env",
        "ignored_fields",
    ];
    let pairs = match spec.get("security") {
        None => return Ok(()),
        Some(Value::List(items)) => pairs(items)?,
        Some(Value::String(text)) if text.is_empty() => return Ok(()),
        Some(other) => object(other, "security")?.clone(),
    };
    check_keys(&pairs, "security", &keys)?;
    match (pairs.get("network_allowlist"), pairs.get("ignored_fields")) {
        (Some(_), Some(ignored)) if ignored.as_map().is_none() => {
            Err("security.ignored_fields is not an object; remove it".to_owned())
        }
        _ => Ok(()),
    }
}

fn pairs(items: &[Value]) -> Result<Map, Invalid> {
    let mut map = Map::default();
    for item in items {
        let (key, value) = match item {
            Value::List(pair) => match pair.as_slice() {
                [key, value] => (key.to_text(), value.clone()),
                _ => return Err("security is a list, not an object".to_owned()),
            },
            Value::String(text) => match text.chars().collect::<Vec<_>>().as_slice() {
                [key, value] => (key.to_string(), Value::String(value.to_string())),
                _ => return Err("security is a list, not an object".to_owned()),
            },
            _ => return Err("security is a list, not an object".to_owned()),
        };
        map.entries.insert(key, value);
    }
    Ok(map)
}

fn hooks(spec: &Map) -> Result<Vec<(String, Value)>, Invalid> {
    let Some(hooks) = spec.get("hooks").filter(|hooks| hooks.truthy()) else { return Ok(Vec::new()) };
    let hooks = object(hooks, "hooks")?;
    let odd = hooks.odd.iter().map(|(name, command)| (name.to_text(), command.clone()));
    let named = hooks.entries.iter().map(|(name, command)| (name.clone(), command.clone()));
    Ok(named.chain(odd).collect())
}

fn check_id(spec: &Map) -> Result<(), Invalid> {
    match spec.get("id") {
        Some(Value::String(id)) if !id.is_empty() => Ok(()),
        Some(id) if !id.truthy() => Err("id is empty; give it the form name@version".to_owned()),
        Some(id) => Err(format!("id is {}, not text; give it the form name@version", id.kind())),
        None => Err("id is missing; give it the form name@version".to_owned()),
    }
}

fn check_levels(spec: &Map) -> Result<(), Invalid> {
    let levels = 1 + spec.values().map(Value::levels).max().unwrap_or(0);
    if levels > MAX_LEVELS { Err(format!("nested {levels} levels deep; flatten it")) } else { Ok(()) }
}

/// What is iterated where a list is expected. Python is content with anything empty.
fn list<'a>(map: &'a Map, key: &str) -> Result<&'a [Value], Invalid> {
    match map.get(key) {
        None => Ok(&[]),
        Some(Value::List(items)) => Ok(items),
        Some(Value::String(text)) if text.is_empty() => Ok(&[]),
        Some(Value::Map(map)) if map.is_empty() => Ok(&[]),
        Some(other) => Err(format!("{key} is {}, not a list", other.kind())),
    }
}

fn object<'a>(value: &'a Value, what: &str) -> Result<&'a Map, Invalid> {
    value.as_map().ok_or_else(|| format!("{what} is {}, not an object", value.kind()))
}

/// A block whose keys are all known. It may be left out.
fn block<'a>(map: &'a Map, key: &str, known: &[&str]) -> Result<Option<&'a Map>, Invalid> {
    map.get(key).map(|value| keyed(value, key, known)).transpose()
}

/// A block whose keys are all known. It may be left out, or be anything empty.
fn optional_block(map: &Map, key: &str, known: &[&str]) -> Result<(), Invalid> {
    match map.get(key).filter(|value| value.truthy()) {
        Some(value) => keyed(value, key, known).map(|_| ()),
        None => Ok(()),
    }
}

fn keyed<'a>(value: &'a Value, what: &str, known: &[&str]) -> Result<&'a Map, Invalid> {
    let map = object(value, what)?;
    check_keys(map, what, known)?;
    Ok(map)
}

fn check_keys(map: &Map, what: &str, known: &[&str]) -> Result<(), Invalid> {
    if let Some((key, _)) = map.odd.first() {
        return Err(format!("{what} has the key {}, which is not a string", key.to_text()));
    }
    match map.entries.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("{what} has the unknown key '{key}'; known are {}", known.join(", "))),
        None => Ok(()),
    }
}

/// A value in a message.
fn name(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{text}'"),
        value => value.kind().to_owned(),
    }
}

/// What the checks need of a preset. gym-anything, `presets/*.json`, of May 2026.
#[derive(Deserialize)]
struct Preset {
    id: String,
    observation: Vec<String>,
    #[serde(default)]
    runner: Option<String>,
    #[serde(default)]
    hooks: BTreeMap<String, String>,
}

static PRESETS: LazyLock<BTreeMap<String, Preset>> = LazyLock::new(parse_presets);

#[expect(clippy::expect_used, reason = "the file is part of the program, and a test parses it")]
fn parse_presets() -> BTreeMap<String, Preset> {
    serde_json::from_str(include_str!("presets.json")).expect("presets.json has the shape of presets")
}

fn preset(base: &Value) -> Result<&'static Preset, Invalid> {
    base.as_str().and_then(|base| PRESETS.get(base)).ok_or_else(|| {
        let known: Vec<_> = PRESETS.keys().map(String::as_str).collect();
        format!("base is {}, which is not a preset; use one of {}", name(base), known.join(", "))
    })
}

/// The environment's own data over its preset's: objects by key, `observation` and `action` by type, anything
/// else in its place. All that a preset has of objects, but for hooks, has only known keys: the environment's
/// own are looked at alone.
fn merge(preset: &Preset, own: &Map) -> Result<Map, Invalid> {
    let mut merged = own.clone();
    merged.entries.entry("id".to_owned()).or_insert_with(|| Value::String(preset.id.clone()));
    if let Some(runner) = &preset.runner {
        merged.entries.entry("runner".to_owned()).or_insert_with(|| Value::String(runner.clone()));
    }
    merge_interfaces(&mut merged, "observation", preset.observation.iter().map(String::as_str))?;
    // Every preset has the same two.
    merge_interfaces(&mut merged, "action", ["mouse", "keyboard"].into_iter())?;
    merge_hooks(&mut merged, preset);
    Ok(merged)
}

fn merge_interfaces<'a>(
    map: &mut Map,
    key: &str,
    types: impl Iterator<Item = &'a str>,
) -> Result<(), Invalid> {
    let own = match map.get(key) {
        None => &[],
        Some(Value::List(items)) => items.as_slice(),
        Some(_) => return Ok(()),
    };
    let kind = |item: &Value| item.get("type").cloned();
    if own.iter().filter_map(kind).any(|kind| !kind.hashable()) {
        return Err(format!("a type in {key} is not a string"));
    }
    let mut items = own.to_vec();
    for name in types {
        if !own.iter().filter_map(kind).any(|kind| kind.as_str() == Some(name)) {
            let entry = ("type".to_owned(), Value::String(name.to_owned()));
            items.push(Value::Map(Map { entries: [entry].into_iter().collect(), odd: Vec::new() }));
        }
    }
    map.entries.insert(key.to_owned(), Value::List(items));
    Ok(())
}

fn merge_hooks(map: &mut Map, preset: &Preset) {
    if preset.hooks.is_empty() {
        return;
    }
    let own = map.entries.entry("hooks".to_owned()).or_insert_with(|| Value::Map(Map::default()));
    let Value::Map(own) = own else { return };
    for (name, command) in &preset.hooks {
        own.entries.entry(name.clone()).or_insert_with(|| Value::String(command.clone()));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_presets_parse() {
        assert!(super::PRESETS.contains_key("ubuntu-gnome"));
    }
}
