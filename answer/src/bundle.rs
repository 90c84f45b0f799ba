//! An answer that is one JSON object of file names and contents.

use serde_json::{Map, Value};

use super::name::below_task;

/// Keys of a name in a list of files.
const NAME_KEYS: [&str; 4] = ["name", "path", "filename", "file"];

/// Keys of a content in a list of files.
const CONTENT_KEYS: [&str; 3] = ["content", "contents", "text"];

/// The files in `json`: an object of names and contents, or an object whose `files` is such an object or a list of
/// named contents. `None` without a `task.json`.
pub(super) fn files(json: &Value) -> Option<Vec<(String, String)>> {
    let object = json.as_object()?;
    let files = match object.get("files") {
        Some(Value::Object(files)) => from_object(files)?,
        Some(Value::Array(files)) => files.iter().map(from_item).collect::<Option<_>>()?,
        _ => from_object(object)?,
    };
    files
        .iter()
        .any(|(name, _)| below_task(name).as_deref() == Ok("task.json") || name.ends_with("/task.json"))
        .then_some(files)
}

fn from_object(files: &Map<String, Value>) -> Option<Vec<(String, String)>> {
    files.iter().map(|(name, value)| Some((name.clone(), content(value)?))).collect()
}

fn from_item(item: &Value) -> Option<(String, String)> {
    let item = item.as_object()?;
    let name = NAME_KEYS.iter().find_map(|key| item.get(*key))?.as_str()?;
    let value = CONTENT_KEYS.iter().find_map(|key| item.get(*key))?;
    Some((name.to_owned(), content(value)?))
}

/// The text of a file. A JSON file may be given as its value.
fn content(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(_) | Value::Array(_) => serde_json::to_string_pretty(value).ok(),
        _ => None,
    }
}
