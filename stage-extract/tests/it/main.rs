//! Tests of stage-extract through its binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "a test that cannot be run here says so")]

mod crash;
mod full_disk;
mod hostile;
mod interrupted;
mod quarantine;
mod unpack;
mod world;
