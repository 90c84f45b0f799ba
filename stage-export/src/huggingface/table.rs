//! Writes tasks as a Parquet file, column by column.
//!
//! A value of Parquet's columns has a definition level, which tells null and empty lists from values, and a repetition
//! level, which is 0 where a new row starts.

use std::sync::Arc;

use anyhow::{Context, Result};
use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::columns;
use crate::exported::{Exported, TaskFile, finding_name};

/// The rows of a group. A reader holds one group at a time.
const GROUP: usize = 256;

/// The checklist of a task.
const CHECKLIST: &str = "vlm_checklist.json";

/// A group of rows that is being written.
type Group<'a> = SerializedRowGroupWriter<'a, Vec<u8>>;

/// The Parquet file of these tasks. The same tasks always give the same bytes.
pub(super) fn write(rows: &[&Exported]) -> Result<Vec<u8>> {
    let schema = Arc::new(parse_message_type(&columns::message())?);
    // Statistics of texts would repeat them, and nothing is looked up by them.
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_created_by("propose-amplify".to_owned())
        .build();
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    for rows in rows.chunks(GROUP) {
        let mut group = file.next_row_group()?;
        write_group(&mut group, rows)?;
        group.close()?;
    }
    Ok(file.into_inner()?)
}

/// Writes the columns in the order of [`columns::COLUMNS`].
fn write_group(group: &mut Group<'_>, rows: &[&Exported]) -> Result<()> {
    texts(group, rows, |row| &row.env)?;
    texts(group, rows, |row| &row.task)?;
    texts(group, rows, |row| row.side.name())?;
    texts(group, rows, |row| row.text(&["env_id"]))?;
    texts(group, rows, |row| row.text(&["description"]))?;
    texts(group, rows, |row| row.text(&["difficulty"]))?;
    texts(group, rows, Exported::occupation)?;
    lists::<ByteArrayType>(group, rows, |row| row.features().into_iter().map(ByteArray::from).collect())?;
    optional::<Int64Type>(group, rows, Exported::max_steps)?;
    optional::<DoubleType>(group, rows, |row| row.number(&["init", "timeout_sec"]))?;
    optional::<ByteArrayType>(group, rows, |row| row.file_text(CHECKLIST).map(ByteArray::from))?;
    lists::<ByteArrayType>(group, rows, |row| {
        row.files.keys().map(|name| ByteArray::from(name.as_str())).collect()
    })?;
    lists::<ByteArrayType>(group, rows, |row| files(row).map(|file| file.bytes.clone().into()).collect())?;
    lists::<BoolType>(group, rows, |row| files(row).map(|file| file.executable).collect())?;
    texts(group, rows, |row| finding_name(row.known.verdict.as_ref()))?;
    texts(group, rows, |row| finding_name(row.known.probe.as_ref()))?;
    texts(group, rows, |row| finding_name(row.known.trial.as_ref()))?;
    texts(group, rows, |row| if row.known.is_solved { "good" } else { "none" })?;
    texts(group, rows, |row| row.origin())?;
    texts(group, rows, |row| row.known.author.as_ref().map_or("", |author| &author.model))?;
    required::<Int64Type>(group, rows, |row| tokens(row.usage().input()))?;
    required::<Int64Type>(group, rows, |row| tokens(row.usage().output()))
}

fn files(row: &Exported) -> impl Iterator<Item = &TaskFile> {
    row.files.values()
}

fn tokens(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A column of texts, one per row.
fn texts<'a>(
    group: &mut Group<'_>,
    rows: &[&'a Exported],
    value: impl Fn(&'a Exported) -> &'a str,
) -> Result<()> {
    required::<ByteArrayType>(group, rows, |row| value(row).into())
}

/// A column with a value per row.
fn required<'a, T: DataType>(
    group: &mut Group<'_>,
    rows: &[&'a Exported],
    value: impl Fn(&'a Exported) -> T::T,
) -> Result<()> {
    let values: Vec<T::T> = rows.iter().map(|row| value(row)).collect();
    column::<T>(group, &values, None, None)
}

/// A column with a value, or none, per row.
fn optional<'a, T: DataType>(
    group: &mut Group<'_>,
    rows: &[&'a Exported],
    value: impl Fn(&'a Exported) -> Option<T::T>,
) -> Result<()> {
    let all: Vec<Option<T::T>> = rows.iter().map(|row| value(row)).collect();
    let definitions: Vec<i16> = all.iter().map(|value| i16::from(value.is_some())).collect();
    let values: Vec<T::T> = all.into_iter().flatten().collect();
    column::<T>(group, &values, Some(&definitions), None)
}

/// A column with a list per row.
fn lists<'a, T: DataType>(
    group: &mut Group<'_>,
    rows: &[&'a Exported],
    list: impl Fn(&'a Exported) -> Vec<T::T>,
) -> Result<()> {
    let (mut values, mut definitions, mut repetitions) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        let list = list(row);
        // An empty list has an entry that is not defined.
        let entries = list.len().max(1);
        definitions.extend(std::iter::repeat_n(i16::from(!list.is_empty()), entries));
        repetitions.extend((0..entries).map(|place| i16::from(place > 0)));
        values.extend(list);
    }
    column::<T>(group, &values, Some(&definitions), Some(&repetitions))
}

/// Writes the next column.
fn column<T: DataType>(
    group: &mut Group<'_>,
    values: &[T::T],
    definitions: Option<&[i16]>,
    repetitions: Option<&[i16]>,
) -> Result<()> {
    let mut column = group.next_column()?.context("the schema has fewer columns")?;
    column.typed::<T>().write_batch(values, definitions, repetitions)?;
    Ok(column.close()?)
}
