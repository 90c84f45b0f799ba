//! The stage through its command line.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod audit;
mod endings;
mod formats;
mod hostile;
mod records;
mod world;
