//! Server-sent events, the pieces of a streamed answer.

use std::io::{self, BufRead, Read};

/// The maximum length of an event, in bytes.
const MAX_EVENT: u64 = 8 << 20;

/// The next event's data; `None` at the end. Names, ids and comments are ignored, as the data of every
/// provider identifies its kind. JSON outside of any field counts as data, as Gemini sends some errors so.
pub(super) fn next_event(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut data = Vec::new();
    let mut is_bare = false;
    let mut line = Vec::new();
    loop {
        line.clear();
        let room = MAX_EVENT.saturating_sub(data.len() as u64);
        input.by_ref().take(room).read_until(b'\n', &mut line)?;
        if line.len() as u64 >= room {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an event has no end"));
        }
        let is_end = line.is_empty();
        let text = line.trim_ascii_end();
        if text.is_empty() && !data.is_empty() {
            return Ok(Some(String::from_utf8_lossy(&data).into_owned()));
        }
        if is_end {
            return Ok(None);
        }
        is_bare |= data.is_empty() && matches!(text.first(), Some(b'{' | b'['));
        let value = if is_bare { Some(text) } else { text.strip_prefix(b"data:") };
        if let Some(value) = value {
            if !data.is_empty() {
                data.push(b'\n');
            }
            data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(mut input: &[u8]) -> Vec<String> {
        std::iter::from_fn(|| next_event(&mut input).unwrap()).collect()
    }

    #[test]
    fn events_are_split() {
        assert_eq!(events(b"event: x\ndata: one\n\n: ping\n\ndata:two\r\nid: 7\r\n\r\n"), ["one", "two"]);
        assert_eq!(events(b"data: a\ndata: b\n\n"), ["a\nb"]);
        // The last event may lack its blank line.
        assert_eq!(events(b"data: last\n"), ["last"]);
        assert_eq!(events(b"data: last"), ["last"]);
        assert_eq!(events(b"\n\n\ndata\nretry: 3\n\n"), [""; 0]);
        assert_eq!(events(b"data: \xff\n\n"), ["\u{fffd}"]);
        assert_eq!(events(b"data: one\n\n{\n  \"error\": 1\n}\n"), ["one", "{\n \"error\": 1\n}"]);
        assert_eq!(events(b""), [""; 0]);
    }

    #[test]
    fn an_event_without_end_is_rejected() {
        let mut endless = io::BufReader::new(io::repeat(b'x'));
        assert_eq!(next_event(&mut endless).unwrap_err().kind(), io::ErrorKind::InvalidData);
        let mut lines = io::BufReader::new(io::Read::chain(&b"data: "[..], io::repeat(b'y')));
        assert_eq!(next_event(&mut lines).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
