//! JSON files that other tools write too: what is not changed keeps its order and its form.

use std::path::Path;

use anyhow::{Context, Result};
use common::publish::write_file_atomic;
use common::read::read_regular;
use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use serde_json::{Serializer, Value, json};

/// The longest file that is read, in bytes. The longest published one has 0.7 MB.
const MAX_BYTES: usize = 64 << 20;

/// A JSON file.
pub(super) struct Document {
    /// What it holds.
    pub(super) value: Value,
    before: Vec<u8>,
    indent: String,
}

impl Document {
    /// Reads the file at `path`.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let before =
            read_regular(path, MAX_BYTES).with_context(|| format!("cannot read {}", path.display()))?;
        let value = serde_json::from_slice(&before)
            .with_context(|| format!("{} is not valid JSON", path.display()))?;
        let indent = indent(&before);
        Ok(Self { value, before, indent })
    }

    /// Writes the file, unless it would be the same.
    pub(super) fn write_if_changed(&self, path: &Path) -> Result<()> {
        if serde_json::from_slice::<Value>(&self.before).is_ok_and(|before| before == self.value) {
            return Ok(());
        }
        let mut text = Vec::new();
        let formatter = PrettyFormatter::with_indent(self.indent.as_bytes());
        self.value.serialize(&mut Serializer::with_formatter(&mut text, formatter))?;
        if self.before.ends_with(b"\n") {
            text.push(b'\n');
        }
        Ok(write_file_atomic(path, &text)?)
    }
}

/// The indentation of the first line that has one, two spaces by default.
fn indent(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let indented = text.lines().find(|line| line.starts_with([' ', '\t']));
    indented.map_or_else(
        || "  ".to_owned(),
        |line| line.chars().take_while(|c| [' ', '\t'].contains(c)).collect(),
    )
}

/// The names in a list of an object. A list that is not there is empty.
pub(super) fn names(object: &Value, key: &str) -> Result<Vec<String>> {
    let Some(list) = object.get(key) else { return Ok(Vec::new()) };
    let list = list.as_array().with_context(|| format!("{key} is not a list"))?;
    Ok(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// The list of an object. It is added if it is not there.
pub(super) fn list<'a>(object: &'a mut Value, key: &str) -> Result<&'a mut Vec<Value>> {
    let object = object.as_object_mut().context("it is not a JSON object")?;
    let list = object.entry(key).or_insert_with(|| json!([]));
    list.as_array_mut().with_context(|| format!("{key} is not a list"))
}

/// Adds a name to a list, at its place if the list is sorted and at the end otherwise. A name that is there stays.
pub(super) fn insert(list: &mut Vec<Value>, name: &str) {
    if list.iter().any(|other| other == name) {
        return;
    }
    let is_sorted = list.is_sorted_by_key(Value::as_str);
    let place =
        if is_sorted { list.partition_point(|other| other.as_str() < Some(name)) } else { list.len() };
    list.insert(place, name.into());
}
