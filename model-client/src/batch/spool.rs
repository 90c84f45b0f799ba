//! The file of a batch that is being filled. It has no name, so it disappears with the process.

use std::io::{self, BufWriter, Seek as _, SeekFrom, Write};
use std::path::Path;

use fs_err::File;

use super::log::Item;
use super::service::{BatchLimits, BatchService, Framing};
use crate::request::Request;

/// The requests of a batch that is being filled. They are on disk, as they may be hundreds of megabytes.
pub(super) struct Spool {
    file: BufWriter<File>,
    pub(super) bytes: u64,
    pub(super) items: Vec<Item>,
    /// Where each request ends, in bytes.
    ends: Vec<u64>,
    framing: Framing,
    /// Whether another request might not fit.
    pub(super) is_full: bool,
}

impl Spool {
    /// An empty file in the folder `dir`.
    pub(super) fn new(dir: &Path, framing: Framing) -> io::Result<Self> {
        let file = File::from_parts(tempfile::tempfile_in(dir)?, dir.join("(the file of a batch)"));
        let mut file = BufWriter::new(file);
        file.write_all(framing.head.as_bytes())?;
        let bytes = framing.head.len() as u64;
        Ok(Self { file, bytes, items: Vec::new(), ends: Vec::new(), framing, is_full: false })
    }

    /// Adds a request. Returns whether the batch is full.
    pub(super) fn add(
        &mut self,
        service: &dyn BatchService,
        request: &Request,
        item: Item,
    ) -> io::Result<bool> {
        let mut counter = Counter { output: &mut self.file, bytes: 0 };
        if !self.items.is_empty() {
            counter.write_all(self.framing.separator.as_bytes())?;
        }
        service.write(request, &item.request, &mut counter)?;
        let length = counter.bytes;
        self.bytes += length;
        self.items.push(item);
        self.ends.push(self.bytes);
        Ok(self.is_at(service.limits(), length))
    }

    /// Whether another request might not fit. It may be twice as long as the `last`.
    fn is_at(&self, limits: BatchLimits, last: u64) -> bool {
        self.items.len() >= limits.requests || self.bytes + 2 * last + 1024 > limits.bytes
    }

    /// What is reserved for its requests, in US dollars.
    pub(super) fn reserved(&self) -> f64 {
        self.items.iter().fold(0.0, |sum, item| sum + item.reserved)
    }

    /// The number of requests, from the first on, for which no more than `amount` US dollars are reserved.
    pub(super) fn affordable(&self, amount: f64) -> usize {
        let sums = self.items.iter().scan(0.0, |sum, item| {
            *sum += item.reserved;
            Some(*sum)
        });
        sums.take_while(|sum| *sum <= amount).count()
    }

    /// Keeps so many requests, and returns the others.
    pub(super) fn keep(&mut self, requests: usize) -> io::Result<Vec<Item>> {
        let end = requests.checked_sub(1).and_then(|last| self.ends.get(last)).copied();
        self.bytes = end.unwrap_or(self.framing.head.len() as u64);
        self.file.flush()?;
        self.file.get_ref().set_len(self.bytes)?;
        self.file.seek(SeekFrom::Start(self.bytes))?;
        self.ends.truncate(requests);
        Ok(self.items.split_off(requests.min(self.items.len())))
    }

    /// The finished file, and its length in bytes.
    pub(super) fn finish(mut self) -> io::Result<(File, u64, Vec<Item>)> {
        self.file.write_all(self.framing.tail.as_bytes())?;
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok((file, self.bytes + self.framing.tail.len() as u64, self.items))
    }
}

/// Counts what is written.
struct Counter<W> {
    output: W,
    bytes: u64,
}

impl<W: Write> Write for Counter<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.output.write(buffer)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}
