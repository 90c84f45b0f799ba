//! Recognises the file of an unnamed block by its content.

use super::block::Block;
use super::content_kind::ContentKind;
use task_spec::value::Value;
use task_spec::{pyjson, python};

/// What the content of an unnamed block suggests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guess {
    /// It is this file.
    File(&'static str),
    /// It is one of the scripts of a task.
    SomeScript,
    /// It is an example, or another part of the text.
    Talk,
}

/// Recognises the file of `block`.
pub(super) fn guess(block: &Block<'_>) -> Guess {
    match block.kind {
        ContentKind::Json => json(&block.content),
        ContentKind::Python => verifier(&block.content),
        ContentKind::Shell => script(&block.content, "setup_task.sh", "export_result.sh"),
        ContentKind::PowerShell => script(&block.content, "setup_task.ps1", "export_result.ps1"),
        ContentKind::Markdown => Guess::File("README.md"),
        ContentKind::Text => Guess::Talk,
    }
}

fn json(content: &str) -> Guess {
    let Ok(value) = pyjson::parse(content) else { return Guess::Talk };
    if has_any(&value, &["id"]) && has_any(&value, &["success", "hooks", "init"]) {
        Guess::File("task.json")
    } else if has_any(&value, &["task_completion", "checklist"]) {
        Guess::File("vlm_checklist.json")
    } else if has_any(&value, &["golden"]) {
        Guess::File("fixtures.json")
    } else {
        Guess::Talk
    }
}

fn has_any(value: &Value, keys: &[&str]) -> bool {
    keys.iter().any(|key| value.get(key).is_some())
}

fn verifier(content: &str) -> Guess {
    let defines_one = python::parse(content.as_bytes())
        .is_ok_and(|module| module.functions().iter().any(|function| function.starts_with("verify_")));
    if defines_one { Guess::File("verifier.py") } else { Guess::Talk }
}

/// Distinguishes the set-up script from the export script: by its first lines, then by the rest. Commands for a
/// person to type are neither; they are few lines without `#!`.
fn script(content: &str, setup: &'static str, export: &'static str) -> Guess {
    let typed_at_most = if setup == "setup_task.sh" { 20 } else { 5 };
    let is_program = content.trim_start().starts_with("#!") || content.lines().count() > typed_at_most;
    if !is_program {
        return Guess::Talk;
    }
    let top: String = content.lines().take(12).collect::<Vec<_>>().join("\n");
    let by_top =
        role(&top, &["setup", "set up", "setting up", "prepar", "pre_task"], &["export", "post_task"]);
    let role = by_top.or_else(|| {
        role(content, &["task_start", "setup_task"], &["result.json", "export_result", "task_end"])
    });
    match role {
        Some(Role::Setup) => Guess::File(setup),
        Some(Role::Export) => Guess::File(export),
        None => Guess::SomeScript,
    }
}

enum Role {
    Setup,
    Export,
}

fn role(text: &str, setup: &[&str], export: &[&str]) -> Option<Role> {
    let text = text.to_lowercase();
    match (contains_any(&text, setup), contains_any(&text, export)) {
        (true, false) => Some(Role::Setup),
        (false, true) => Some(Role::Export),
        _ => None,
    }
}

fn contains_any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}
