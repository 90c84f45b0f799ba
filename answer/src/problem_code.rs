//! The problems of an answer.

use common::record::Problem;
use common::text::{escape, shorten};

/// The kinds of problems of an answer. The codes in records are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemCode {
    // The text of the answer.
    /// It ends before it is complete.
    CutOff,
    /// The model did not answer.
    NoAnswer,
    /// It contains no files.
    NoFiles,
    /// The end of a block is ambiguous.
    AmbiguousBlock,
    /// The file of a block is ambiguous.
    AmbiguousFile,
    /// It has too many fences.
    TooManyBlocks,
    /// It contains two versions of a file. The last one counts.
    GivenTwice,
    /// An unnamed block was recognised by its content.
    Recognised,

    // Its files.
    /// A name that leads out of the task folder, or that is not portable.
    BadFileName,
    /// A file of an unsupported type.
    UnknownFileType,
    /// Two names differ only in case.
    NamesDifferInCase,
    /// Too many files.
    TooManyFiles,
    /// Too many bytes.
    TooLarge,
    /// A control character in a text.
    ControlCharacter,
    /// A file that is not valid JSON.
    InvalidJson,
    /// A file that is not valid Python.
    InvalidPython,
    /// A shell script with an unclosed construct.
    BrokenScript,

    // The task.
    /// task.json is missing.
    MissingTaskJson,
    /// task.json is not a JSON object.
    InvalidTaskJson,
    /// task.json lacks a field, or the field has another type.
    MissingField,
    /// The environment of the record does not exist.
    UnknownEnvironment,
    /// The task has no name.
    NoName,
    /// The script of a hook is missing.
    MissingHookScript,
    /// The verifier is missing.
    MissingVerifier,
    /// The verifier does not define the function that task.json names.
    MissingFunction,
    /// The checklist is missing.
    MissingChecklist,
    /// The id had another name than the plan: fixed.
    IdFixed,
    /// A path led to a folder of another name: fixed.
    PathFixed,
    /// task.json named another function than the verifier defines: fixed.
    FunctionFixed,
}

impl ProblemCode {
    /// Every code that rejects an answer.
    const REJECTING: [Self; 24] = [
        Self::CutOff,
        Self::NoAnswer,
        Self::NoFiles,
        Self::AmbiguousBlock,
        Self::AmbiguousFile,
        Self::TooManyBlocks,
        Self::BadFileName,
        Self::UnknownFileType,
        Self::NamesDifferInCase,
        Self::TooManyFiles,
        Self::TooLarge,
        Self::ControlCharacter,
        Self::InvalidJson,
        Self::InvalidPython,
        Self::BrokenScript,
        Self::MissingTaskJson,
        Self::InvalidTaskJson,
        Self::MissingField,
        Self::UnknownEnvironment,
        Self::NoName,
        Self::MissingHookScript,
        Self::MissingVerifier,
        Self::MissingFunction,
        Self::MissingChecklist,
    ];

    /// The code in a record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CutOff => "cut_off",
            Self::NoAnswer => "no_answer",
            Self::NoFiles => "no_files",
            Self::AmbiguousBlock => "ambiguous_block",
            Self::AmbiguousFile => "ambiguous_file",
            Self::TooManyBlocks => "too_many_blocks",
            Self::GivenTwice => "given_twice",
            Self::Recognised => "recognised",
            Self::BadFileName => "bad_file_name",
            Self::UnknownFileType => "unknown_file_type",
            Self::NamesDifferInCase => "names_differ_in_case",
            Self::TooManyFiles => "too_many_files",
            Self::TooLarge => "too_large",
            Self::ControlCharacter => "control_character",
            Self::InvalidJson => "invalid_json",
            Self::InvalidPython => "invalid_python",
            Self::BrokenScript => "broken_script",
            Self::MissingTaskJson => "missing_task_json",
            Self::InvalidTaskJson => "invalid_task_json",
            Self::MissingField => "missing_field",
            Self::UnknownEnvironment => "unknown_environment",
            Self::NoName => "no_name",
            Self::MissingHookScript => "missing_hook_script",
            Self::MissingVerifier => "missing_verifier",
            Self::MissingFunction => "missing_function",
            Self::MissingChecklist => "missing_checklist",
            Self::IdFixed => "id_mended",
            Self::PathFixed => "path_mended",
            Self::FunctionFixed => "function_mended",
        }
    }

    /// A problem with this code.
    pub(super) fn problem(self, message: impl Into<String>) -> Problem {
        Problem::new(self.as_str(), message)
    }
}

/// Whether `problem` rejects an answer. The others report what was fixed. A problem with an unknown code comes
/// from another program and rejects nothing.
pub fn rejects(problem: &Problem) -> bool {
    ProblemCode::REJECTING.iter().any(|code| code.as_str() == problem.code)
}

/// A word of the answer, shortened and escaped for a message.
pub(super) fn quote(word: &str) -> String {
    escape(&shorten(word, 80)).into_owned()
}
