//! Runs tasks with the program itself, on an engine that is a script. Real containers: `make test-live`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod engine;
mod gym_anything;
mod images;
mod interrupted;
mod records;
mod solutions;
mod untouched;
mod world;
