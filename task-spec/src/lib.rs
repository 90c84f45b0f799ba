//! Environments and task folders on disk: how gym-anything reads them, and what it says of them.
//!
//! Nothing here runs anything of a task.

pub mod fixtures;
pub mod pyjson;
pub mod python;
pub mod shell;
pub mod verify;
pub mod yaml;
