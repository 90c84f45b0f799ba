//! What is run: a program, and the states in which its function is called.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A Python program whose function can be called.
///
/// The function gets the three arguments that gym-anything gives a verifier: a trajectory, `env_info` with the
/// functions that reach the environment, and `task_info`.
#[derive(Clone, Debug)]
pub struct Program {
    /// The folder name of the environment.
    pub env: String,
    /// The folder name of the task.
    pub task: String,
    /// The id of the environment, for `env_info`.
    pub env_id: String,
    /// The Python file, by its name in the task folder.
    pub file: String,
    /// The function in it.
    pub function: String,
    /// The third argument of the function.
    pub task_info: Value,
    /// All files that it can read: their names below the environment, and their contents.
    pub files: Vec<(String, Vec<u8>)>,
}

/// How often the function is called in each state, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct Repetition {
    /// The number of runs in each state.
    pub times: u32,
    /// The time limit of a run, in seconds of processor time. A run that waits may take four times as long.
    pub seconds: u64,
}

impl Repetition {
    /// The time limit of a run on the clock, in seconds. A busy machine must not change a result.
    pub(crate) fn wall_seconds(self) -> u64 {
        self.seconds.saturating_mul(4)
    }
}

/// A state of the environment, as the function sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The files that `copy_from_env` delivers, by path.
    pub files: BTreeMap<String, File>,
    /// What it delivers for any other path.
    pub otherwise: Otherwise,
    /// What `exec_capture` prints, by command.
    pub commands: BTreeMap<String, String>,
    /// What `query_vlm` answers.
    pub vlm: Vlm,
}

/// The content of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum File {
    /// Text.
    Text(String),
    /// Bytes, in Base64.
    Base64(String),
    /// A SQLite database that these statements build, in the sandbox.
    Sqlite(String),
    /// A ZIP archive with these entries, by name.
    Zip(BTreeMap<String, String>),
    /// The JSON that this Python program would write when nothing was done. It is derived from the program's
    /// text, in the sandbox; the program is not executed.
    Python(String),
}

/// What `copy_from_env` does for a path that a state does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// Raises `FileNotFoundError`.
    Missing,
    /// Delivers `{}` where the name ends in `.json`, else an empty file.
    Empty,
    /// Delivers bytes that are neither JSON nor text.
    Garbled,
}

/// What a vision model answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vlm {
    /// A model is not available.
    Unavailable,
    /// It sees nothing of what it is asked for.
    SeesNothing,
    /// It answers every question with yes.
    Agrees,
    /// It gives this answer.
    Parsed(Value),
}
