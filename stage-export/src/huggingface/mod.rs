//! A dataset that Hugging Face's `datasets` reads: a Parquet file for each side, and a card.
//!
//! <https://huggingface.co/docs/hub/datasets-cards>, <https://parquet.apache.org/docs/file-format/>

mod card;
mod columns;
mod table;

use anyhow::Result;

use crate::exported::Exported;
use crate::folder::Folder;
use crate::splits::Side;

/// The files of the dataset.
pub(crate) fn folder(tasks: &[Exported], license: &str, left_out: usize) -> Result<Folder> {
    let mut folder = Folder::default();
    for side in [Side::Train, Side::Test] {
        let rows: Vec<&Exported> = tasks.iter().filter(|task| task.side == side).collect();
        if !rows.is_empty() {
            folder.add(format!("data/{}-00000-of-00001.parquet", side.name()), table::write(&rows)?);
        }
    }
    folder.add("README.md", card::write(tasks, license, left_out));
    Ok(folder)
}
