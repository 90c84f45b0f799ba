//! Asking models, as a stage does it.

mod replay;

use common::model::{Request, Shared};

/// A request for a task's README.
fn request(task: &str) -> Request {
    Request {
        label: format!("readme/{task}"),
        shared: Shared::from("What all of them are told.\n"),
        own: format!("Write {task}."),
        max_output_tokens: None,
        sample: 0,
    }
}
