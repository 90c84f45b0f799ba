//! The columns of the dataset: their types in Parquet, their types on the card, and what they hold.

/// A column.
pub(super) struct Column {
    /// Its name.
    pub(super) name: &'static str,
    /// Its type in the Parquet schema, after the repetition.
    pub(super) parquet: &'static str,
    /// Its type in the card, as YAML below `features`.
    pub(super) feature: &'static str,
    /// What it holds.
    pub(super) about: &'static str,
}

const TEXT: &str = "dtype: string";

/// The columns, in order.
pub(super) const COLUMNS: [Column; 14] = [
    text("env", "the environment: the name of its folder in gym-anything"),
    text("task", "the name of the task's folder; unique within its environment"),
    text("split", "`train` or `test`; near-duplicates are on one side"),
    text("env_id", "the environment's id, as the spec names it"),
    text("description", "what an agent is told to do"),
    text("difficulty", "as the spec says; empty where it does not"),
    text("occupation", "whose work it is; empty where unknown"),
    Column {
        name: "features",
        parquet: "REQUIRED GROUP features (LIST) { REPEATED GROUP list { REQUIRED BYTE_ARRAY element (STRING); } }",
        feature: "list: string",
        about: "the features of the software that it needs",
    },
    Column {
        name: "max_steps",
        parquet: "OPTIONAL INT64 max_steps;",
        feature: "dtype: int64",
        about: "the most steps of an agent; null where the spec has none",
    },
    Column {
        name: "timeout_sec",
        parquet: "OPTIONAL DOUBLE timeout_sec;",
        feature: "dtype: float64",
        about: "the time limit of an agent in seconds; null where the spec has none",
    },
    Column {
        name: "checklist",
        parquet: "OPTIONAL BYTE_ARRAY checklist (STRING);",
        feature: TEXT,
        about: "the checklist for a vision model, as JSON; null where there is none",
    },
    Column {
        name: "files",
        parquet: "REQUIRED GROUP files (LIST) { REPEATED GROUP list { REQUIRED GROUP element { \
                  REQUIRED BYTE_ARRAY name (STRING); REQUIRED BYTE_ARRAY content; REQUIRED BOOLEAN executable; } } }",
        feature: "list:\n    - name: name\n      dtype: string\n    - name: content\n      dtype: binary\n    - name: \
                  executable\n      dtype: bool",
        about: "every file of the task's folder: name, content as bytes, and whether it has the executable bit",
    },
    Column {
        name: "evidence",
        parquet: "REQUIRED GROUP evidence { REQUIRED BYTE_ARRAY spec (STRING); REQUIRED BYTE_ARRAY probe (STRING); \
                  REQUIRED BYTE_ARRAY live (STRING); REQUIRED BYTE_ARRAY solution (STRING); }",
        feature: "struct:\n    - name: spec\n      dtype: string\n    - name: probe\n      dtype: string\n    - name: \
                  live\n      dtype: string\n    - name: solution\n      dtype: string",
        about: "how far up the ladder it is: `good`, `bad`, `not_run` or `none` for each step",
    },
    Column {
        name: "provenance",
        parquet: "REQUIRED GROUP provenance { REQUIRED BYTE_ARRAY origin (STRING); REQUIRED BYTE_ARRAY model (STRING); \
                  REQUIRED INT64 input_tokens; REQUIRED INT64 output_tokens; }",
        feature: "struct:\n    - name: origin\n      dtype: string\n    - name: model\n      dtype: string\n    - name: \
                  input_tokens\n      dtype: int64\n    - name: output_tokens\n      dtype: int64",
        about: "`seed`, `generated` or `unknown`; the model that wrote the files, and the tokens of that call",
    },
];

const fn text(name: &'static str, about: &'static str) -> Column {
    Column { name, parquet: "", feature: TEXT, about }
}

/// The schema of the Parquet file.
pub(super) fn message() -> String {
    let fields = COLUMNS.iter().map(|Column { name, parquet, .. }| {
        if parquet.is_empty() {
            format!("REQUIRED BYTE_ARRAY {name} (STRING);")
        } else {
            (*parquet).to_owned()
        }
    });
    format!("message tasks {{\n{}\n}}\n", fields.collect::<Vec<_>>().join("\n"))
}
