//! What a provider's batches are to the rest: a file of requests that is answered within a day, at a lower price.

use std::io::{self, Write};

use fs_err::File;
use jiff::Timestamp;

use crate::model::{CallError, Reply};
use crate::request::Request;

/// A provider that answers requests in batches.
pub trait BatchService: Send + Sync {
    /// What one batch can hold.
    fn limits(&self) -> BatchLimits;

    /// What stands around the requests in a batch's file.
    fn framing(&self) -> Framing;

    /// Writes the part of the file that holds one request. `mark` names it in the results.
    fn write(&self, request: &Request, mark: &str, output: &mut dyn Write) -> io::Result<()>;

    /// Uploads a batch and starts it. Returns the provider's name for it. An error that is
    /// [charged](CallError::charged) may have started it all the same.
    fn create(&self, order: &Order<'_>) -> Result<String, CallError>;

    /// The batches that an order which was not answered may have started.
    fn find(&self, order: &Search<'_>) -> Result<Found, CallError>;

    /// How far a batch is.
    fn poll(&self, id: &str) -> Result<Progress, CallError>;

    /// Asks for a batch to be cancelled. It ends later, with the answers that there are.
    fn cancel(&self, id: &str) -> Result<(), CallError>;

    /// Reads the lines of a result file from the byte `offset` on, as far as the connection lasts. `line` takes each
    /// line with its line feed, which the last one may lack, and may end the reading.
    fn read(
        &self,
        file: &str,
        offset: u64,
        line: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), CallError>;

    /// The mark of the request that a line of results belongs to, and its answer. `None` if the line is neither an
    /// answer nor an error.
    fn result(&self, line: &[u8]) -> Option<(String, Result<Reply, CallError>)>;
}

/// What one batch can hold.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// The number of requests.
    pub requests: usize,
    /// The length of the file, in bytes.
    pub bytes: u64,
}

/// What stands before, between and after the requests in a batch's file.
#[derive(Clone, Copy, Debug)]
pub struct Framing {
    pub(crate) head: &'static str,
    pub(crate) separator: &'static str,
    pub(crate) tail: &'static str,
}

/// A batch to be started.
#[derive(Debug)]
pub struct Order<'a> {
    /// Our own name for it.
    pub name: &'a str,
    /// The requests, from the start of the file.
    pub file: &'a File,
    /// The length of the file, in bytes.
    pub bytes: u64,
}

/// A batch that may have been started.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// Our own name for it.
    pub name: &'a str,
    /// When the order was about to be sent.
    pub since: Timestamp,
    /// The number of its requests.
    pub requests: usize,
}

/// The batches that an order may have started.
#[derive(Debug)]
pub enum Found {
    /// The provider keeps our name with the batch: this is it.
    Named(String),
    /// These fit in time and size. Only their results can tell.
    Similar(Vec<String>),
}

/// How far a batch is.
#[derive(Debug)]
pub enum Progress {
    /// So many requests are done.
    Running(u64),
    /// It has ended: all its requests are answered, or it has expired, or was cancelled.
    Ended {
        /// The result files. Requests that are in none of them were not answered.
        files: Vec<String>,
        /// Why requests without a result have none.
        why: CallError,
    },
}
