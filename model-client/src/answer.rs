//! When an answer arrived.

use std::time::{SystemTime, UNIX_EPOCH};

/// The time now, as [`ModelAnswer::at`](common::record::ModelAnswer::at) gives it.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
