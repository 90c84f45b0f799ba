//! What the stages of propose-amplify share.
//!
//! Stages meet in [records](record) alone: a stage reads JSON Lines, does its one thing, and writes JSON
//! Lines. This crate holds that contract and whatever two or more stages need; what one stage alone needs
//! lives in that stage. Nothing here prints to standard output, and nothing here decides how a process
//! ends, but for [`stage::main`].

pub mod answer;
pub mod child;
pub mod environment;
pub mod exit;
pub mod fingerprint;
pub mod fixtures;
pub mod interrupt;
pub mod journal;
pub mod manifest;
pub mod model;
pub mod publish;
pub mod pyjson;
pub mod python;
pub mod record;
pub mod run_dir;
pub mod schema;
pub mod shell;
pub mod stage;
pub mod text;
pub mod ui;
pub mod verify;
pub mod yaml;
