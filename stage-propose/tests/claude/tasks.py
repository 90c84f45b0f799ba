"""The tasks that the scripted model writes: small, but complete."""

import json

NAMES = ["list_overdue_invoices", "close_second_quarter"]

DESCRIPTIONS = {
    "list_overdue_invoices": "The accountant asks which customers' invoices were overdue on June 30, 2024. Save "
    "the list, one invoice number a line, oldest first, as /home/ga/Documents/overdue.txt.",
    "close_second_quarter": "Close the books of the second quarter of 2024, and save the balance of Equity:Retained "
    "Earnings after that, with two decimals and nothing else, as /home/ga/Documents/retained.txt.",
}

SETUP = """#!/bin/bash
# The deliverable must not be there yet.
set -e
rm -f /home/ga/Documents/{deliverable}
date +%s >/tmp/task_start
"""

EXPORT = """#!/bin/bash
# Records the facts. The verifier evaluates them.
set -e
rm -f /tmp/task_result.json
python3 - <<'PY'
import json, os, pathlib
path = pathlib.Path("/home/ga/Documents/{deliverable}")
text = path.read_text(errors="replace")[:10000] if path.is_file() else None
temporary = pathlib.Path("/tmp/task_result.json.new")
temporary.write_text(json.dumps({{"text": text}}))
os.replace(temporary, "/tmp/task_result.json")
PY
"""

VERIFIER = '''"""Compares what was saved with what the books say."""

import json
import os
import tempfile

EXPECTED = {expected!r}


def verify_{name}(traj, env_info, task_info):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "result.json")
        try:
            env_info["copy_from_env"]("/tmp/task_result.json", path)
            with open(path) as file:
                saved = json.load(file)["text"]
        except Exception as error:
            return {{"passed": False, "score": 0, "feedback": f"no result: {{error}}"}}
    if isinstance(saved, str) and saved.split() == EXPECTED:
        return {{"passed": True, "score": 100, "feedback": "as the books say"}}
    return {{"passed": False, "score": 0, "feedback": "not what the books say"}}
'''


def files(name):
    """Name and content of each file of a task."""
    deliverable, expected = {
        "list_overdue_invoices": ("overdue.txt", ["000017", "000021"]),
        "close_second_quarter": ("retained.txt", ["18342.77"]),
    }[name]
    folder = f"/workspace/tasks/{name}"
    spec = {
        "id": f"{name}@1",
        "version": "1.0",
        "env_id": "gnucash_env@1.0",
        "description": DESCRIPTIONS[name],
        "difficulty": "very_hard",
        "init": {"timeout_sec": 1800, "max_steps": 120, "reward_type": "sparse"},
        "hooks": {"pre_task": f"{folder}/setup_task.sh", "post_task": f"{folder}/export_result.sh"},
        "success": {"mode": "program", "spec": {"program": f"verifier.py::verify_{name}"}},
    }
    return {
        "task.json": json.dumps(spec, indent=2) + "\n",
        "setup_task.sh": SETUP.format(deliverable=deliverable),
        "export_result.sh": EXPORT.format(deliverable=deliverable),
        "verifier.py": VERIFIER.format(name=name, expected=expected),
        "README.md": f"# {name}\n\n{DESCRIPTIONS[name]}\n",
    }
