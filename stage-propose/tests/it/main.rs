//! Tests of the stage from outside.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod agents;
mod claude;
mod existing;
mod failures;
mod world;
mod writes;
