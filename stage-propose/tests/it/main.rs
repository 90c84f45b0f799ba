//! The stage through its command line.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod agents;
mod claude;
mod existing;
mod failures;
mod world;
mod writes;
