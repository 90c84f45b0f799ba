//! Fingerprints of content.

use std::io::{self, BufReader, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::read::{FileError, open_regular};

/// How much of a file is in memory at a time, in bytes.
const PART: usize = 1 << 16;

/// The SHA-256 of `bytes`, as 64 hexadecimal digits.
///
/// ```
/// let empty = common::fingerprint::sha256_hex(b"");
/// assert_eq!(empty, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
/// ```
pub fn sha256_hex(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// The SHA-256 of a file and its length in bytes. The file is read part by part, as it may be larger than the memory;
/// one of more than `max` bytes is an error. Links are followed.
pub fn sha256_of_file(path: &Path, max: usize) -> Result<(String, usize), FileError> {
    let file = open_regular(path, max)?;
    let mut hash = Sha256::new();
    // One more byte, since the file may have grown.
    let start = file.take((max as u64).saturating_add(1));
    let length = io::copy(&mut BufReader::with_capacity(PART, start), &mut hash)?;
    match usize::try_from(length) {
        Ok(length) if length <= max => Ok((format!("{:x}", hash.finalize()), length)),
        _ => Err(FileError::TooLong(max)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_file_is_that_of_its_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let content: Vec<u8> = (0..=u8::MAX).cycle().take(3 * PART + 1).collect();
        fs_err::write(&path, &content).unwrap();
        let hashed = sha256_of_file(&path, content.len());
        assert_eq!(hashed, Ok((sha256_hex(&content), content.len())));
        assert_eq!(sha256_of_file(&path, 3 * PART), Err(FileError::TooLong(3 * PART)));
    }
}
