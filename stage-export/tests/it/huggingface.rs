//! The dataset: rows and card.

use fs_err::File;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use serde_json::json;
use testkit::ENV;

use crate::world::{World, probed, trial};

#[test]
fn a_row_holds_spec_files_evidence_and_provenance() {
    let world = World::new(&[]);
    let spec = json!({
        "id": "close@1", "env_id": "demo_env@1", "description": "Close the year.", "difficulty": "hard",
        "init": { "max_steps": 120, "timeout_sec": 900 }, "metadata": { "occupation": "Clerk" },
    });
    world.add_task("close", &spec, "def verify(): pass\n");
    world.write_task_file("close", "vlm_checklist.json", "{}");
    let mut records = probed(&["close"]);
    let mut run = trial("close", true);
    run["episodes"] = json!([{ "name": "solution", "verdict": { "outcome": "pass" } }]);
    records.push(run);
    records.push(json!({
        "record": "task", "env": ENV, "task": "close", "dir": "x", "status": "written",
        "annotations": { "features": ["ledger", "year end"] },
    }));
    records.push(json!({
        "record": "files", "env": ENV, "task": "close", "model": "a-model",
        "usage": { "uncached_input": 3, "cache_read": 4, "output_visible": 5, "output_reasoning": 6 },
    }));
    let ran = world.export_to("huggingface", &["--license", "mit"], &records);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);

    let file = ["train", "test"]
        .map(|side| world.path(format!("exports/huggingface/data/{side}-00000-of-00001.parquet")))
        .into_iter()
        .find(|path| path.exists());
    let reader = SerializedFileReader::new(File::open(file.unwrap()).unwrap().into_file()).unwrap();
    let row = reader.get_row_iter(None).unwrap().next().unwrap().unwrap();
    let columns = ["demo_env", "close"];
    assert_eq!([0, 1].map(|column| row.get_string(column).unwrap().as_str()), columns);
    assert_eq!(row.get_string(4).unwrap(), "Close the year.");
    assert_eq!(row.get_string(6).unwrap(), "Clerk");
    assert_eq!(row.get_list(7).unwrap().len(), 2);
    assert_eq!((row.get_long(8).unwrap(), row.get_double(9).unwrap()), (120, 900.0));
    assert_eq!(row.get_string(10).unwrap(), "{}");
    assert_eq!(row.get_list(11).unwrap().len(), 3);
    let evidence = row.get_group(12).unwrap();
    assert!((0..4).all(|step| evidence.get_string(step).unwrap() == "good"));
    let provenance = row.get_group(13).unwrap();
    assert_eq!(provenance.get_string(1).unwrap(), "a-model");
    assert_eq!((provenance.get_long(2).unwrap(), provenance.get_long(3).unwrap()), (7, 11));

    let card = world.read("exports/huggingface/README.md");
    for part in
        ["license: mit", "| a-model | 1 |", "4. a solution passes, in the real software | 1 |", "## Limits"]
    {
        assert!(card.contains(part), "{part}: {card}");
    }
}

#[test]
fn the_card_cannot_be_written_to_by_a_task() {
    let world = World::new(&[]);
    let spec = json!({ "id": "a@1", "description": "x", "difficulty": "hard |\n---\n# Owned <script>" });
    world.add_task("a", &spec, "");
    assert_eq!(world.export_to("huggingface", &[], &probed(&["a"])).status, Some(0));
    let card = world.read("exports/huggingface/README.md");
    assert!(!card.contains("\n# Owned") && !card.contains("<script>"), "{card}");
    let ran = world.export_to("huggingface", &["--license", "mit\nx: y"], &probed(&["a"]));
    assert_eq!(ran.status, Some(2), "{}", ran.stderr);
}
