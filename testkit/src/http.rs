//! The subset of HTTP/1.1 that model clients use.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A request as received.
pub(crate) struct Incoming {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Incoming {
    /// The value of a header. The name is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a request; `None` if the connection was closed instead.
pub(crate) fn read(input: &mut BufReader<TcpStream>) -> io::Result<Option<Incoming>> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let method = line.split(' ').next().unwrap_or_default().to_owned();
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        line.clear();
        input.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    Ok(Some(Incoming { method, path, headers, body }))
}

/// Sends a whole response.
pub(crate) fn respond(
    output: &mut TcpStream,
    status: u16,
    headers: &[(&str, String)],
    body: &str,
) -> io::Result<()> {
    let headers: String = headers.iter().flat_map(|(name, value)| [*name, ": ", value, "\r\n"]).collect();
    let length = body.len();
    let response = format!("HTTP/1.1 {status} -\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
    output.write_all(response.as_bytes())
}

/// Starts a file of which `length` bytes follow, those from `offset` on of `total`.
pub(crate) fn start_file(
    output: &mut TcpStream,
    length: usize,
    offset: usize,
    total: usize,
) -> io::Result<()> {
    let (status, range) = match offset {
        0 => (200, String::new()),
        _ => (206, format!("content-range: bytes {offset}-{}/{total}\r\n", total.saturating_sub(1))),
    };
    let kind = "content-type: application/x-jsonl";
    let head = format!("HTTP/1.1 {status} -\r\n{kind}\r\ncontent-length: {length}\r\n{range}\r\n");
    output.write_all(head.as_bytes())
}

/// Sends a piece of a file.
pub(crate) fn piece(output: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    output.write_all(bytes)
}

/// Starts a stream of events.
pub(crate) fn start_stream(output: &mut TcpStream) -> io::Result<()> {
    output.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    )
}

/// Sends a piece of a stream; an empty one ends it.
pub(crate) fn chunk(output: &mut TcpStream, text: &str) -> io::Result<()> {
    output.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes())
}
