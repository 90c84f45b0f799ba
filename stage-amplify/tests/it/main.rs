//! Tests through the program.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "a test that cannot run here says so")]

mod agreement;
mod asking;
mod batches;
mod checklists;
mod ending;
mod full_disk;
mod hostile;
mod input;
mod money;
mod progress;
mod prompts;
mod replay;
mod solutions;
mod tasks;
mod terminal;
mod world;
