"""Loads an exported dataset and compares it with its card and with the tasks: load_dataset.py FOLDER WORKSPACE"""

import json
import pathlib
import sys

import yaml
from datasets import Features, load_dataset

folder, workspace = map(pathlib.Path, sys.argv[1:])
card = (folder / "README.md").read_text()
front = yaml.safe_load(card.split("---\n")[1])
on_card = Features._from_yaml_list(front["dataset_info"]["features"])
marker = json.loads((folder / "export.json").read_text())

loaded = load_dataset(str(folder))
rows = 0
for split, data in loaded.items():
    assert data.features == on_card, (data.features, on_card)
    for row in data:
        rows += 1
        assert row["split"] == split == marker["tasks"][row["env"]][row["task"]]
        task = workspace / "benchmarks/cua_world/environments" / row["env"] / "tasks" / row["task"]
        files = {file["name"]: file for file in row["files"]}
        on_disk = {path.relative_to(task).as_posix(): path for path in task.rglob("*") if path.is_file()}
        assert set(files) == {name for name in on_disk if "__pycache__" not in name}
        for name, file in files.items():
            assert file["content"] == on_disk[name].read_bytes(), name
            assert file["executable"] == bool(on_disk[name].stat().st_mode & 0o100), name
        spec = json.loads(files["task.json"]["content"])
        assert (row["description"], row["difficulty"]) == (spec["description"], spec["difficulty"])
        assert row["max_steps"] == spec["init"]["max_steps"] and row["timeout_sec"] == spec["init"]["timeout_sec"]
        assert row["features"] and row["occupation"] and json.loads(row["checklist"])
        assert row["evidence"]["spec"] == row["evidence"]["probe"] == "good"
        assert (row["provenance"]["model"] != "") == (row["provenance"]["origin"] == "generated")
assert rows == sum(len(tasks) for tasks in marker["tasks"].values()) and f"{rows} tasks" in card
assert front["license"] == "mit" and front["size_categories"] == ["n<1K"]
print(f"{rows} rows in {', '.join(f'{split} ({len(data)})' for split, data in loaded.items())}; types as on the card")
