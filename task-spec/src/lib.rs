//! Environments and task folders on disk: how gym-anything reads them, and what its spec check reports.
//!
//! Nothing of a task is executed here.

pub mod checklist;
pub mod duplicates;
pub mod expectations;
pub mod files;
pub mod fixtures;
pub mod machine;
pub mod pattern;
pub mod platform;
pub mod pyjson;
pub mod python;
pub mod readme;
pub mod seeds;
pub mod shell;
pub mod spec;
pub mod value;
pub mod verified;
pub mod verify;
pub mod words;
pub mod yaml;
