"""Faults as models make them, each seeded into another task of the demo, and the issue that has to be found."""

import json
import re

NAMES = "setup_task.sh", "export_result.sh", "verifier.py"
SETUP, EXPORT, VERIFIER = NAMES
SOURCE = "source /workspace/scripts/task_utils.sh\n"


def after_source(line):
    return lambda text: text.replace(SOURCE, SOURCE + line + "\n", 1)


def before_start(line):
    return lambda text: re.sub(r"^start_task ", line + "\nstart_task ", text, count=1, flags=re.M)


def at_end(line):
    return lambda text: text + line + "\n"


def in_verdict(lines):
    """Replaces what the verifier returns."""
    return lambda text: re.sub(r"^(def verify_\w+\(.*\):\n)(    .*\n)+", r"\1" + lines, text, count=1, flags=re.M)


def in_fixture(text):
    fixtures = json.loads(text)
    for fixture in fixtures["untouched"]:
        fixture["files"]["/tmp/task_result.json"]["baseline"]["transactions"] += 1
    return json.dumps(fixtures)


def limited(text):
    return text.replace('"pre_task":', '"pre_task_timeout": 5,\n    "pre_task":', 1)


# Name, the files that change, the issue.
FAULTS = [
    ("the helper has another path", {SETUP: lambda t: t.replace("task_utils.sh", "task_util.sh")}, "setup_failed"),
    ("a package is missing", {SETUP: before_start("jq --version || exit 1")}, "setup_failed"),
    ("the display is hard-coded", {SETUP: after_source("export DISPLAY=:7; unset XAUTHORITY")}, "setup_failed"),
    ("the set-up waits for ever", {SETUP: before_start("sleep 1000"), "task.json": limited}, "setup_timeout"),
    ("the set-up downloads a file", {SETUP: before_start(
        "/usr/bin/python3 -c 'import urllib.request as u; u.urlopen(\"https://example.org\")' || exit 1")}, "network_needed"),
    ("the application is never started", {SETUP: lambda t: re.sub(r"^start_task .*$", "true", t, flags=re.M)}, "app_not_running"),
    ("the application crashes after its start", {SETUP: at_end("pkill -x gnucash; sleep 1")}, "app_not_running"),
    ("the window is hidden", {SETUP: at_end(
        "xdotool search --name GnuCash windowunmap %@; sleep 0.5")}, "app_not_running"),
    ("the screen is covered", {SETUP: at_end(
        "xdotool search --name GnuCash windowunmap %@; sleep 0.5")}, "blank_screen"),
    ("the start depends on chance", {EXPORT: lambda t: t.replace(
        "as result:\n", "as result:\n    import random; result['lot'] = random.random()\n", 1)}, "setup_not_repeatable"),
    ("the export ends with an error", {EXPORT: at_end("exit 3")}, "export_failed"),
    ("the baseline is of another task", {SETUP: lambda t: re.sub(r"^start_task .*$", "start_task other", t, flags=re.M)},
     "export_failed"),
    ("the result has another path", {EXPORT: at_end("mv /tmp/task_result.json /tmp/result.json")}, "no_result"),
    ("the result is left from the set-up", {SETUP: None, EXPORT: lambda t: "#!/bin/bash\ntrue\n"}, "reads_setup_artifact"),
    ("the export leaves a process", {EXPORT: at_end("sleep 600 &")}, "leaves_processes"),
    ("the verifier always passes", {VERIFIER: in_verdict(
        "    return {'passed': True, 'score': 100, 'feedback': ''}\n")}, "passes_untouched"),
    ("the verifier gives points for nothing", {VERIFIER: in_verdict(
        "    return {'passed': False, 'score': 20, 'feedback': ''}\n")}, "score_untouched"),
    ("the fixture is of another version", {"fixtures.json": in_fixture}, "fixture_differs"),
]


def seed(task, changes):
    """Applies the changes of a fault to a task folder."""
    export = (task / EXPORT).read_text()
    for name, change in changes.items():
        path = task / name
        text = path.read_text()
        if change is None:  # The set-up does what the export should.
            changed = text + "\n" + export.split("\n", 1)[1]
        else:
            changed = change(text)
        if changed == text:
            raise SystemExit(f"{task.name}: the fault does not change {name}")
        path.write_text(changed)
