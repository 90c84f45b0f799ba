//! Kinds of content, and whether a content is complete.

use task_spec::pyjson::{self, JsonError};
use task_spec::python::{self, Module, SyntaxError};
use task_spec::shell::{self, ShellError};

use super::name::ending;
use super::problem_code::ProblemCode;

/// A kind of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentKind {
    Json,
    Python,
    Shell,
    PowerShell,
    Markdown,
    /// Anything else. It cannot be checked for completeness.
    Text,
}

/// Why a content is not valid.
#[derive(Debug, thiserror::Error)]
pub(super) enum ContentError {
    #[error("is not valid JSON: {0}")]
    Json(JsonError),
    #[error("is not valid Python: {0}")]
    Python(SyntaxError),
    #[error("is not a complete shell script: {0}")]
    Shell(ShellError),
}

impl ContentError {
    pub(super) fn code(&self) -> ProblemCode {
        match self {
            Self::Json(_) => ProblemCode::InvalidJson,
            Self::Python(_) => ProblemCode::InvalidPython,
            Self::Shell(_) => ProblemCode::BrokenScript,
        }
    }
}

impl ContentKind {
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

    /// The kind for the language of a block, if it is known.
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

    /// The kind that the first line of a content suggests.
    pub(super) fn of_content(content: &str) -> Option<Self> {
        let line = content.trim_start().lines().next().unwrap_or_default();
        let interpreter = line.strip_prefix("#!").unwrap_or_default();
        if line.starts_with(['{', '[']) {
            Some(Self::Json)
        } else if interpreter.contains("python") || starts_like_python(line) {
            Some(Self::Python)
        } else if interpreter.contains("sh") {
            Some(Self::Shell)
        } else {
            None
        }
    }

    /// Whether a block in this language can contain a file of this kind. A language without a kind of its own fits
    /// [`ContentKind::Text`] only.
    pub(super) fn fits(self, language: &str) -> bool {
        match Self::of_language(language) {
            Some(kind) => kind == self,
            None => self == Self::Text || matches!(language, "" | "text" | "txt" | "plaintext"),
        }
    }

    /// Whether a truncated content of this kind is invalid, so that its end can be found by trial.
    pub(super) fn is_checkable(self) -> bool {
        matches!(self, Self::Json | Self::Python | Self::Shell)
    }

    /// Checks a content of this kind.
    pub(super) fn check(self, content: &str) -> Result<(), ContentError> {
        match self {
            Self::Json => pyjson::parse(content).map(drop).map_err(ContentError::Json),
            Self::Python => python_module(content).map(drop),
            Self::Shell => shell::check(content).map_err(ContentError::Shell),
            Self::PowerShell | Self::Markdown | Self::Text => Ok(()),
        }
    }
}

fn starts_like_python(line: &str) -> bool {
    ["import ", "from ", "def ", "\"\"\""].iter().any(|start| line.starts_with(start))
}

/// Parses a content in Python.
pub(super) fn python_module(content: &str) -> Result<Module, ContentError> {
    python::parse(content.as_bytes()).map_err(ContentError::Python)
}
