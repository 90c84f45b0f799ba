//! The keys of JSON and the elements of XML.

use std::collections::{BTreeMap, BTreeSet};

use common::text::escape;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::Value;

use super::{add_line, value};

/// The maximum number of paths that are shown.
const PATHS: usize = 60;

/// The number of levels that are shown.
const LEVELS: usize = 6;

/// The paths of a JSON document with their types, and one value of each.
pub(super) fn json(text: &str) -> Option<String> {
    let document: Value = serde_json::from_str(text).ok()?;
    let mut paths = Vec::new();
    collect(&document, "", 0, &mut paths);
    let mut outline = String::new();
    for path in paths {
        add_line(&mut outline, format_args!("{path}"));
    }
    Some(outline)
}

fn collect(document: &Value, path: &str, level: usize, paths: &mut Vec<String>) {
    if paths.len() >= PATHS || level > LEVELS {
        return;
    }
    match document {
        Value::Object(fields) => {
            for (key, field) in fields {
                collect(field, &format!("{path}.{}", value(key)), level + 1, paths);
            }
        }
        Value::Array(items) => {
            paths.push(format!("{path}[]: {} items", items.len()));
            if let Some(first) = items.first().filter(|first| first.is_object() || first.is_array()) {
                collect(first, &format!("{path}[]"), level + 1, paths);
            }
        }
        scalar => paths.push(format!("{path} = {}", value(&scalar.to_string()))),
    }
}

/// The elements of an XML document by their paths, with their numbers and the names of their attributes.
pub(super) fn xml(text: &str) -> Option<String> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<String> = Vec::new();
    let mut elements: BTreeMap<String, (usize, BTreeSet<String>)> = BTreeMap::new();
    loop {
        let (element, opens) = match reader.read_event().ok()? {
            Event::Start(element) => (element, true),
            Event::Empty(element) => (element, false),
            Event::End(_) => {
                open.pop();
                continue;
            }
            Event::Eof => break,
            _ => continue,
        };
        let name = element.name().as_ref().to_owned();
        let path =
            open.iter().map(String::as_str).take(LEVELS).chain([name.as_str()]).collect::<Vec<_>>().join("/");
        if open.len() < LEVELS && (elements.contains_key(&path) || elements.len() < PATHS) {
            let (count, attributes) = elements.entry(path).or_default();
            *count += 1;
            attributes.extend(attribute_names(&element));
        }
        if opens {
            open.push(name);
        }
    }
    let mut outline = String::new();
    for (path, (count, attributes)) in elements {
        let attributes: Vec<String> = attributes.iter().map(|name| format!(" @{}", value(name))).collect();
        add_line(&mut outline, format_args!("{}: {count}{}", escape(&path), attributes.concat()));
    }
    Some(outline)
}

fn attribute_names(element: &BytesStart<'_>) -> Vec<String> {
    let attributes = element.attributes().filter_map(Result::ok).take(12);
    attributes.map(|attribute| attribute.key.as_ref().to_owned()).collect()
}
