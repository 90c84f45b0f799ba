//! Probes generated tasks with the program itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a test that cannot be run here says so")]

mod binary;
mod escapes;
mod faults;
mod hostile;
mod interrupted;
mod layouts;
mod stream;
mod untouched;
mod world;
