//! Writes the JSON Schemas of all records, of files of a run directory and of a task, into the folder given, as `make
//! schemas` does.

use std::path::PathBuf;

use anyhow::{Context, Result};
use common::schema;
use task_spec::checklist::{checklist_schema, evidence_schema};
use task_spec::fixtures::Fixtures;

fn main() -> Result<()> {
    let dir = PathBuf::from(std::env::args_os().nth(1).context("usage: write_schemas DIR")?);
    let files = [
        ("fixtures", Fixtures::schema()),
        ("vlm_checklist", checklist_schema()),
        ("validated_pi", evidence_schema()),
    ];
    for (kind, schema) in schema::all().into_iter().chain(schema::of_run_dir()).chain(files) {
        fs_err::write(dir.join(format!("{kind}.schema.json")), schema::render(&schema))?;
    }
    Ok(())
}
