//! Which file a block without a name is, as far as its content says so.

use super::block::Block;
use super::kind::Kind;
use task_spec::{pyjson, python};

/// What the content of a nameless block says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guess {
    /// It is this file.
    File(&'static str),
    /// It is a script of a task, but nothing says which.
    SomeScript,
    /// It is an example, or something else that is part of the talk.
    Talk,
}

/// What the content of `block` says of it.
pub(super) fn guess(block: &Block<'_>) -> Guess {
    match block.kind {
        Kind::Json => json(&block.content),
        Kind::Python => verifier(&block.content),
        Kind::Shell => script(&block.content, "setup_task.sh", "export_result.sh"),
        Kind::PowerShell => script(&block.content, "setup_task.ps1", "export_result.ps1"),
        Kind::Markdown => Guess::File("README.md"),
        Kind::Text => Guess::Talk,
    }
}

fn json(content: &str) -> Guess {
    let Ok(value) = pyjson::parse(content) else { return Guess::Talk };
    let has = |key| value.get(key).is_some();
    if has("id") && (has("success") || has("hooks") || has("init")) {
        Guess::File("task.json")
    } else if has("task_completion") || has("checklist") {
        Guess::File("vlm_checklist.json")
    } else if has("golden") {
        Guess::File("fixtures.json")
    } else {
        Guess::Talk
    }
}

fn verifier(content: &str) -> Guess {
    let defines_one = python::parse(content.as_bytes())
        .is_ok_and(|module| module.functions().iter().any(|function| function.starts_with("verify_")));
    if defines_one { Guess::File("verifier.py") } else { Guess::Talk }
}

/// Tells the script that prepares a task from the one that exports its result: by what it says of itself at
/// the top, then by what it does. Commands that are to be typed are neither, and they are few.
fn script(content: &str, setup: &'static str, export: &'static str) -> Guess {
    let typed_at_most = if setup == "setup_task.sh" { 20 } else { 5 };
    let is_program = content.trim_start().starts_with("#!") || content.lines().count() > typed_at_most;
    if !is_program {
        return Guess::Talk;
    }
    let top: String = content.lines().take(12).collect::<Vec<_>>().join("\n");
    let by_top =
        role(&top, &["setup", "set up", "setting up", "prepar", "pre_task"], &["export", "post_task"]);
    let by_deed =
        || role(content, &["task_start", "setup_task"], &["result.json", "export_result", "task_end"]);
    match by_top.or_else(by_deed) {
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
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match (says(setup), says(export)) {
        (true, false) => Some(Role::Setup),
        (false, true) => Some(Role::Export),
        _ => None,
    }
}
