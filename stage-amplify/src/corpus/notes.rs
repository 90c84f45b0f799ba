//! Notes on the environment that a user gives: `--env-notes`.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use common::read::read_regular;

use super::excerpt::Excerpt;

/// The longest file that is read, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// The maximum shown, in bytes.
const SHOWN_BYTES: usize = 16_000;

/// Reads the notes. The user has named the file, so it may be anywhere.
pub(super) fn read(path: &Path) -> Result<Excerpt> {
    let bytes = read_regular(path, MAX_BYTES)
        .map_err(|why| anyhow!("cannot read the notes {}: {why}", path.display()))?;
    let text = String::from_utf8(bytes).with_context(|| format!("{} is not text", path.display()))?;
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    Ok(Excerpt::of(&name, &text, SHOWN_BYTES))
}
