//! Rows of the plan, as prompts show them: JSON without environment, number and annotations.

use anyhow::Result;
use common::record::Plan;

/// Rows, one per line.
pub(crate) fn as_lines(rows: &[Plan]) -> Result<String> {
    let mut lines = String::new();
    for row in rows {
        lines += &as_line(row)?;
        lines.push('\n');
    }
    Ok(lines)
}

/// One row, without an end of line.
pub(crate) fn as_line(row: &Plan) -> Result<String> {
    let mut value = serde_json::to_value(row)?;
    if let Some(object) = value.as_object_mut() {
        object.shift_remove("env");
        object.shift_remove("index");
        object.shift_remove("annotations");
    }
    Ok(value.to_string())
}
