//! A real environment, which a program reaches through `copy_from_env` and `exec_capture`.

use serde::Deserialize;

/// The largest answer to a question, in bytes. It is the size of the folder that a run may write to.
pub(crate) const MAX_ANSWER: usize = 64 << 20;

/// An environment that answers the questions of a program. Questions are untrusted.
pub trait Environment {
    /// The content of a file.
    fn copy_from(&mut self, path: &str) -> Result<Vec<u8>, NoAnswer>;

    /// What a shell command prints.
    fn exec(&mut self, command: &str) -> Result<Vec<u8>, NoAnswer>;
}

/// Why an environment does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The file does not exist.
    NotFound,
    /// Something else, for the program to see.
    Failed(String),
}

/// A question of a program, as the harness passes it on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Question {
    CopyFrom(String),
    Exec(String),
}

impl Question {
    /// The message with the answer of `environment`: status, size and content, as `harness/link.py` reads them.
    pub(crate) fn answer(&self, environment: &mut dyn Environment) -> Vec<u8> {
        let answer = match self {
            Self::CopyFrom(path) => environment.copy_from(path),
            Self::Exec(command) => environment.exec(command),
        };
        let (status, content) = match answer {
            Ok(content) if content.len() > MAX_ANSWER => {
                (2, format!("the answer has more than {} MiB", MAX_ANSWER >> 20).into_bytes())
            }
            Ok(content) => (0, content),
            Err(NoAnswer::NotFound) => (1, b"no such file in the environment".to_vec()),
            Err(NoAnswer::Failed(why)) => (2, why.into_bytes()),
        };
        let mut message = vec![status];
        message.extend_from_slice(&(content.len() as u64).to_be_bytes());
        message.extend(content);
        message
    }
}
