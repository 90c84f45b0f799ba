//! The contract between the stages of propose-amplify.
//!
//! Stages meet in [records](record) alone: a stage reads JSON Lines, does its one thing, and writes JSON
//! Lines. This crate holds the records and what every stage does alike. It depends on no other crate of the
//! workspace. Nothing here prints to standard output, and nothing here decides how a process ends, but for
//! [`stage::main`].

pub mod clock;
pub mod environment;
pub mod exit;
pub mod fingerprint;
pub mod help;
pub mod interrupt;
pub mod jsonl;
pub mod keep;
mod lock;
pub mod manifest;
pub mod ordered;
pub mod publish;
pub mod read;
pub mod record;
pub mod run_dir;
pub mod schema;
pub mod stage;
pub mod targets;
pub mod text;
pub mod ui;
