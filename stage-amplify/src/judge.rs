//! Whether an answer to the files pass can be used.

use std::collections::BTreeMap;

use common::model::{Answer, Stop};
use common::record::{Problem, Spec};

/// The files of a usable answer.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) problems: Vec<Problem>,
}

/// The files in an answer, with the README they were written from; or what is wrong, in words for the model.
pub(crate) fn files(answer: &Answer, spec: &Spec) -> Result<Judged, Vec<String>> {
    if answer.stop != Stop::End {
        return Err(vec!["it was cut off before it was complete".to_owned()]);
    }
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut open: Option<(String, String, String)> = None;
    for line in answer.text.lines() {
        let ticks: String = line.chars().take_while(|&c| c == '`' || c == '~').collect();
        match &mut open {
            None if ticks.len() >= 3 => {
                let name = line[ticks.len()..].trim().to_owned();
                open = Some((ticks, name, String::new()));
            }
            None => {}
            Some((fence, name, text)) if line.trim() == fence => {
                files.insert(std::mem::take(name), std::mem::take(text));
                open = None;
            }
            Some((_, _, text)) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    files.retain(|name, _| name.contains('.'));
    let missing: Vec<String> = ["task.json", "verifier.py"]
        .iter()
        .filter(|name| !files.contains_key(**name))
        .map(|name| format!("{name} is missing"))
        .collect();
    if !missing.is_empty() {
        return Err(missing);
    }
    files.entry("README.md".to_owned()).or_insert_with(|| format!("{}\n", spec.readme));
    Ok(Judged { files, problems: Vec::new() })
}
