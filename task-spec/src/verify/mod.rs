//! What gym-anything's `verify spec` reports about an environment and its tasks.
//!
//! The verdicts are the original's, record for record: the same kind, the same codes. Its rules are those of
//! gym-anything's `verification/specs.py`, `specs.py`, `config/` and `utils/` (May 2026). Where the original
//! ends with a traceback, on a spec of an unexpected shape, the spec gets the nearest code.
//!
//! Nothing of a task is executed. Only regular files are read, and only up to a size.

mod environment;
mod findings;
mod hooks;
mod interpreter;
mod listing;
mod paths;
mod program;
mod shape;
mod specs;
mod success;
mod task;
#[cfg(test)]
mod tests;

pub use self::environment::{CheckedEnvironment, check_environment};
pub use self::findings::{Findings, IssueCode};
pub use self::hooks::scripts;
pub use self::interpreter::{AskError, Interpreter};
pub use self::listing::Listing;
pub use self::specs::{SpecFile, environment_spec, task_specs};
pub use self::task::{CheckedTask, check_task, missing_task_spec};
