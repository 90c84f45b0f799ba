//! Tests of stage-export through its binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod folders;
mod grasp;
mod harbor;
mod huggingface;
mod selection;
mod splits;
mod world;
