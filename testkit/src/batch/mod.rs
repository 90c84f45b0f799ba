//! The batches of the providers, from the server's side: Anthropic Message Batches, OpenAI Batch, and Gemini batch mode
//! with files, as their API references describe them, and faults on purpose.
//!
//! Nothing depends on time: a batch ends when it was looked at a number of times.

mod faults;
mod formats;
mod store;

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

pub use self::faults::{BatchFaults, Ending};
pub use self::store::{Batch, Billed};

use self::formats::Call;
use self::store::Store;
use crate::exchange::{Asked, Play};
use crate::http::{self, Incoming};

/// The batches of a server.
pub(crate) struct Batches {
    faults: BatchFaults,
    store: Mutex<Store>,
    on_event: Box<dyn Fn(usize) + Send + Sync>,
}

/// What is sent back.
pub(crate) enum Response {
    Json(u16, Vec<(&'static str, String)>, Value),
    /// A file from an offset on.
    File(Vec<u8>, usize),
}

impl Batches {
    pub(crate) fn new(faults: BatchFaults, on_event: impl Fn(usize) + Send + Sync + 'static) -> Self {
        Self { faults, store: Mutex::default(), on_event: Box::new(on_event) }
    }

    /// Handles a request about batches or their files; `false` if it is about something else.
    pub(crate) fn handle(
        &self,
        incoming: &Incoming,
        output: &mut TcpStream,
        model: &dyn Fn(&Asked) -> Play,
    ) -> io::Result<bool> {
        let Some(call) = Call::of(incoming) else { return Ok(false) };
        self.event();
        let response = self.store().respond(&call, incoming, &self.faults, model);
        self.event();
        let number = self.store().count(&call);
        if self.faults.is_cut(&call, number) {
            output.shutdown(Shutdown::Both)?;
            return Ok(true);
        }
        match response {
            Response::Json(status, headers, json) => {
                let mut all = vec![("content-type", "application/json".to_owned())];
                all.extend(headers);
                http::respond(output, status, &all, &json.to_string())?;
            }
            Response::File(file, offset) => self.send(output, &file, offset, number)?,
        }
        self.event();
        Ok(true)
    }

    /// Sends a file from `offset` on, or half of it.
    fn send(&self, output: &mut TcpStream, file: &[u8], offset: usize, number: usize) -> io::Result<()> {
        let rest = file.get(offset..).unwrap_or_default();
        let half = rest.len() / 2;
        http::start_file(output, rest.len(), offset, file.len())?;
        http::piece(output, &rest[..half])?;
        self.event();
        if self.faults.cut_downloads.contains(&number) {
            return output.shutdown(Shutdown::Both);
        }
        http::piece(output, &rest[half..])
    }

    /// Something happened that a client may be killed at.
    fn event(&self) {
        let number = self.store().next_event();
        (self.on_event)(number);
    }

    pub(crate) fn batches(&self) -> Vec<Batch> {
        self.store().batches.clone()
    }

    pub(crate) fn events(&self) -> usize {
        self.store().events
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
