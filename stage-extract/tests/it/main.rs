//! Tests of stage-extract through its binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod crash;
mod fixture;
mod hostile;
mod quarantine;
mod unpack;
