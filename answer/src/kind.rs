//! Kinds of content, and whether a content is whole.

use super::code::Code;
use super::name::ending;
use task_spec::python::{self, Module};
use task_spec::{pyjson, shell};

/// A kind of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Python,
    Shell,
    PowerShell,
    Markdown,
    /// Anything else: nobody can tell whether it is whole.
    Text,
}

impl Kind {
    /// The kind of the file with this name.
    pub(super) fn of_file(name: &str) -> Self {
        match ending(name) {
            Some("json") => Self::Json,
            Some("py") => Self::Python,
            Some("sh") => Self::Shell,
            Some("ps1") => Self::PowerShell,
            Some("md") => Self::Markdown,
            _ => Self::Text,
        }
    }

    /// The kind that a block's language says, if it says one.
    pub(super) fn of_language(language: &str) -> Option<Self> {
        Some(match language {
            "json" | "jsonc" | "json5" => Self::Json,
            "python" | "py" | "python3" => Self::Python,
            "bash" | "sh" | "shell" | "zsh" => Self::Shell,
            "powershell" | "ps1" | "pwsh" | "ps" => Self::PowerShell,
            "markdown" | "md" => Self::Markdown,
            _ => return None,
        })
    }

    /// The kind that a content looks like by its first line, if it looks like one.
    pub(super) fn of_content(content: &str) -> Option<Self> {
        let line = content.trim_start().lines().next().unwrap_or_default();
        let begins = |with: &[&str]| with.iter().any(|with| line.starts_with(with));
        Some(if begins(&["{", "["]) {
            Self::Json
        } else if line.starts_with("#!") && line.contains("python")
            || begins(&["import ", "from ", "def ", "\"\"\""])
        {
            Self::Python
        } else if line.starts_with("#!") && line.contains("sh") {
            Self::Shell
        } else {
            return None;
        })
    }

    /// Whether a block in this language can hold a file of this kind. Other languages than the kinds' own
    /// hold other files.
    pub(super) fn fits(self, language: &str) -> bool {
        match Self::of_language(language) {
            Some(kind) => kind == self,
            None => self == Self::Text || matches!(language, "" | "text" | "txt" | "plaintext"),
        }
    }

    /// Whether a content that is cut off is not whole any more, so that its end can be found by trying.
    pub(super) fn is_checkable(self) -> bool {
        matches!(self, Self::Json | Self::Python | Self::Shell)
    }

    /// What is wrong with a content of this kind.
    pub(super) fn flaw(self, content: &str) -> Result<(), (Code, String)> {
        match self {
            Self::Json => pyjson::parse(content)
                .map(drop)
                .map_err(|error| (Code::InvalidJson, format!("is no JSON: {error}"))),
            Self::Python => python_module(content).map(drop),
            Self::Shell => shell::check(content)
                .map_err(|error| (Code::BrokenScript, format!("is no whole shell script: {error}"))),
            Self::PowerShell | Self::Markdown | Self::Text => Ok(()),
        }
    }
}

/// What a content in Python holds, or what is wrong with it.
pub(super) fn python_module(content: &str) -> Result<Module, (Code, String)> {
    python::parse(content.as_bytes()).map_err(|error| (Code::InvalidPython, format!("is no Python: {error}")))
}
