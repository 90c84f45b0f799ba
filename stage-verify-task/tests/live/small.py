"""A small environment for what concerns the engine: a window, an export, a verifier. Some of its tasks are hostile."""

import json

SETUP = """#!/bin/bash
setsid xmessage -title Application text >/dev/null 2>&1 </dev/null &
until wmctrl -l | grep -q Application; do sleep 0.1; done
"""
EXPORT = """#!/bin/bash
echo '{"done": false}' >/tmp/task_result.json
"""
VERIFIER = """import json, os, tempfile

def verify(traj, env_info, task_info):
    path = os.path.join(tempfile.gettempdir(), "result.json")
    env_info["copy_from_env"]("/tmp/task_result.json", path)
    with open(path) as file:
        done = json.load(file)["done"]
    return {"passed": done, "score": 100 if done else 0, "feedback": ""}
"""

# Task, what its set-up does besides, the issue.
HOSTILE = [
    ("flood", "head -c 10G /dev/zero; exit 1", "setup_failed"),
    ("endless", "trap '' TERM INT HUP; while :; do sleep 1; done", "setup_timeout"),
    ("full_disk", "head -c 10G /dev/zero >/root/large || exit 1", "setup_failed"),
    ("fork_bomb", "bomb() { bomb | bomb & }; bomb; sleep 5; exit 1", "setup_timeout"),
]
CALM = [f"calm_{number}" for number in range(4)]


def write(root):
    """Writes the environment `small_env` into the workspace at `root`. Returns its folder."""
    env = root / "benchmarks/cua_world/environments/small_env"
    spec = {
        "id": "small_env@1",
        "base": "ubuntu-gnome-systemd_highres",
        "mounts": [{"source": "benchmarks/cua_world/environments/small_env/tasks", "target": "/workspace/tasks", "mode": "ro"}],
        "user_accounts": [{"name": "ga"}],
        "resources": {"cpu": 1, "mem_gb": 2},
    }
    env.mkdir(parents=True)
    (env / "env.json").write_text(json.dumps(spec))
    for name in CALM:
        write_task(env, name, SETUP)
    for name, line, _ in HOSTILE:
        write_task(env, name, SETUP + line + "\n")
    return env


def write_task(env, name, setup):
    task, mounted = env / "tasks" / name, f"/workspace/tasks/{name}"
    task.mkdir(parents=True)
    spec = {
        "id": f"{name}@1",
        "env_id": "small_env@1",
        "description": "Do it.",
        "hooks": {
            "pre_task": f"{mounted}/setup_task.sh",
            "pre_task_timeout": 60 if name in ("full_disk", "flood", *CALM) else 20,
            "post_task": f"{mounted}/export_result.sh",
        },
        "success": {"mode": "program", "spec": {"program": "verifier.py::verify"}},
    }
    (task / "task.json").write_text(json.dumps(spec))
    (task / "verifier.py").write_text(VERIFIER)
    for name, text in (("setup_task.sh", setup), ("export_result.sh", EXPORT)):
        (task / name).write_text(text)
        (task / name).chmod(0o755)
