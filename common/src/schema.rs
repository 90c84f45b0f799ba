//! The JSON Schema of every record, from the types themselves.

use schemars::{JsonSchema, Schema, schema_for};
use serde_json::{Value, json};

use crate::record::{
    Agreement, Decision, Dropped, Failure, Files, ModelAnswer, Plan, Probe, Seed, Solution, Spec, Task,
    Trial, Verdict,
};
use crate::run_dir::RunFile;

/// Name of each record kind, and the schema of its records. They stand in `schemas/`, a file a kind.
pub fn all() -> Vec<(&'static str, Schema)> {
    vec![
        ("seed", of::<Seed>("seed")),
        ("plan", of::<Plan>("plan")),
        ("spec", of::<Spec>("spec")),
        ("files", of::<Files>("files")),
        ("solution", of::<Solution>("solution")),
        ("task", of::<Task>("task")),
        ("verdict", of::<Verdict>("verdict")),
        ("probe", of::<Probe>("probe")),
        ("trial", of::<Trial>("trial")),
        ("agreement", of::<Agreement>("agreement")),
        ("decision", of::<Decision>("decision")),
        ("dropped", of::<Dropped>("dropped")),
        ("failure", of::<Failure>("failure")),
    ]
}

/// The schemas of the other files of a run directory: `run.json`, and a line of `answers.jsonl`.
pub fn of_run_dir() -> [(&'static str, Schema); 2] {
    [("run", identified::<RunFile>("run")), ("answer", identified::<ModelAnswer>("answer"))]
}

/// The version of the records, in the `$id` of their schemas. It changes when a field is removed or gets another
/// meaning; new fields that may be left out do not change it.
pub const VERSION: u32 = 1;

/// The text of a schema file.
pub fn render(schema: &Schema) -> String {
    // Keys and values of a schema are plain JSON: nothing in it can fail to be written.
    format!("{:#}\n", schema.as_value())
}

fn identified<T: JsonSchema>(name: &str) -> Schema {
    let mut schema = schema_for!(T);
    schema.insert("$id".to_owned(), json!(format!("urn:propose-amplify:{name}:{VERSION}")));
    schema
}

/// The schema of `T` as a record: with the `record` field, which the enum around it writes.
fn of<T: JsonSchema>(kind: &str) -> Schema {
    let mut schema = identified::<T>(&format!("record:{kind}"));
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.shift_insert(0, "record".to_owned(), json!({ "const": kind }));
    }
    if let Some(required) = schema.ensure_object().entry("required").or_insert(json!([])).as_array_mut() {
        required.insert(0, json!("record"));
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::all;

    #[test]
    fn every_schema_has_an_id_with_a_version() {
        for (kind, schema) in all() {
            let id = format!("urn:propose-amplify:record:{kind}:1");
            assert_eq!(schema.get("$id").and_then(|id| id.as_str()), Some(id.as_str()));
        }
    }
}
