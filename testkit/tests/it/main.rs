//! The stages together: in pipes, through make, interrupted, and with custom stages in between.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod check_stage;
mod fleet;
mod help;
mod interrupted;
mod killed;
mod layers;
mod make;
mod part;
mod piped;
mod refused;
mod schemas;
mod shared;
mod world;
