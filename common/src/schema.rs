//! The JSON Schema of every record, from the types themselves.

use schemars::{JsonSchema, Schema, schema_for};
use serde_json::{Value, json};

use crate::record::{Failure, Files, Plan, Probe, Seed, Spec, Task, Verdict};

/// Name of each record kind, and the schema of its records. They stand in `schemas/`, a file a kind.
pub fn all() -> Vec<(&'static str, Schema)> {
    vec![
        ("seed", of::<Seed>("seed")),
        ("plan", of::<Plan>("plan")),
        ("spec", of::<Spec>("spec")),
        ("files", of::<Files>("files")),
        ("task", of::<Task>("task")),
        ("verdict", of::<Verdict>("verdict")),
        ("probe", of::<Probe>("probe")),
        ("failure", of::<Failure>("failure")),
    ]
}

/// The text of a schema file.
pub fn render(schema: &Schema) -> String {
    // Keys and values of a schema are plain JSON: nothing in it can fail to be written.
    format!("{:#}\n", schema.as_value())
}

/// The schema of `T` as a record: with the `record` field, which the enum around it writes.
fn of<T: JsonSchema>(kind: &str) -> Schema {
    let mut schema = schema_for!(T);
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.shift_insert(0, "record".to_owned(), json!({ "const": kind }));
    }
    if let Some(required) = schema.ensure_object().entry("required").or_insert(json!([])).as_array_mut() {
        required.insert(0, json!("record"));
    }
    schema
}
