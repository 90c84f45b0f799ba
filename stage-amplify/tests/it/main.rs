//! Tests through the program.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod asking;
mod ending;
mod hostile;
mod prompts;
mod replay;
mod tasks;
mod world;
