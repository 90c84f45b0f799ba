//! Tests of the crate from outside.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod notes;
mod schemas;
