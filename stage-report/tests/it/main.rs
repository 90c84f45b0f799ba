//! Reports runs and corpora with the program itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod figures;
mod page;
mod world;
