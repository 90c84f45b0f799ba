//! What can be wrong with an answer.

use common::record::Problem;

/// The kinds of problems of an answer. Their names are stable: programs go by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    // Of the answer as a text.
    /// It ends before it is complete.
    CutOff,
    /// The model did not answer.
    NoAnswer,
    /// There is no file in it.
    NoFiles,
    /// Nobody can say where one of its blocks ends.
    AmbiguousBlock,
    /// Nobody can say which file one of its blocks is.
    AmbiguousFile,
    /// It holds more blocks than any answer needs.
    TooManyBlocks,
    /// It gives a file twice, in two versions. The last one counts.
    GivenTwice,
    /// A block without a name was recognised by its content.
    Recognised,

    // Of its files.
    /// A name that leads out of the task folder, or that is no name everywhere.
    BadFileName,
    /// A file of a kind that no task needs.
    UnknownFileType,
    /// Two names differ in nothing but case.
    NamesDifferInCase,
    /// More files than any task needs.
    TooManyFiles,
    /// More bytes than any task needs.
    TooLarge,
    /// A character that no text holds.
    ControlCharacter,
    /// A file that is no JSON.
    InvalidJson,
    /// A file that is no Python.
    InvalidPython,
    /// A shell script in which something is not closed.
    BrokenScript,

    // Of the task.
    /// There is no task.json.
    MissingTaskJson,
    /// task.json is no JSON object.
    InvalidTaskJson,
    /// task.json lacks a field, or it is of another shape.
    MissingField,
    /// The environment that the record names is not there.
    UnknownEnvironment,
    /// Nothing in it gives the task a name.
    NoName,
    /// A script that a hook runs is not there.
    MissingHookScript,
    /// The verifier is not there.
    MissingVerifier,
    /// The verifier does not define the function that task.json names.
    MissingFunction,
    /// The checklist is not there.
    MissingChecklist,
    /// The id was another name than the plan's: mended.
    IdMended,
    /// A path led to a folder of another name: mended.
    PathMended,
    /// task.json named another function than the verifier defines: mended.
    FunctionMended,
}

impl Code {
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
            Self::IdMended => "id_mended",
            Self::PathMended => "path_mended",
            Self::FunctionMended => "function_mended",
        }
    }

    /// A problem with this code.
    pub(super) fn problem(self, message: impl Into<String>) -> Problem {
        Problem::new(self.as_str(), message)
    }
}

/// Whether `problem` keeps an answer from being published. The others say what was mended. One with a code
/// that is not known here is somebody else's remark, and keeps nothing from anything.
pub fn rejects(problem: &Problem) -> bool {
    Code::REJECTING.iter().any(|code| code.as_str() == problem.code)
}
