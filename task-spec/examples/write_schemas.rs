//! Writes the JSON Schema of every record into the folder given, as `make schemas` does.

use std::path::PathBuf;

use anyhow::{Context, Result};
use common::schema;
use task_spec::fixtures::Fixtures;

fn main() -> Result<()> {
    let dir = PathBuf::from(std::env::args_os().nth(1).context("usage: write_schemas DIR")?);
    for (kind, schema) in schema::all().into_iter().chain([("fixtures", Fixtures::schema())]) {
        fs_err::write(dir.join(format!("{kind}.schema.json")), schema::render(&schema))?;
    }
    Ok(())
}
