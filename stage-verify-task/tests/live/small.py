"""A small environment for what concerns the engine: a window, an export, a verifier. Some of its tasks are hostile."""

import json

SETUP = """#!/bin/bash
setsid xmessage -title Application text >/dev/null 2>&1 </dev/null &
until wmctrl -l | grep -q Application; do sleep 0.1; done
"""
EXPORT = """#!/bin/bash
[ -e /home/ga/done ] && done=true || done=false
echo "{\\"done\\": $done}" >/tmp/task_result.json
"""
VERIFIER = """import json, os, tempfile

def verify(traj, env_info, task_info):
    path = os.path.join(tempfile.gettempdir(), "result.json")
    env_info["copy_from_env"]("/tmp/task_result.json", path)
    with open(path) as file:
        done = json.load(file)["done"]
    return {"passed": done, "score": 100 if done else 0, "feedback": ""}
"""

# What the application knows is a property of its window, which ends with it.
EXPORT_OF_MEMORY = """#!/bin/bash
xprop -name Application DONE | grep -q yes && done=true || done=false
echo "{\\"done\\": $done}" >/tmp/task_result.json
"""
SOLVE_IN_MEMORY = """window=$(xdotool search --name Application | tail -n 1)
xprop -id "$window" -f DONE 8s -set DONE yes
"""
# Whether it does anything is decided from outside, by the name of the container.
SOLVE_BY_CHANCE = """touch /tmp/asks
until [ -s "/solution/answers/$HOSTNAME" ]; do sleep 0.1; done
grep -q no "/solution/answers/$HOSTNAME" || touch /home/ga/done
"""

# Of each task with a faulty solution: name, what else its set-up does, export, solution, the issue.
SOLVED = [
    ("in_memory", "xprop -name Application -f _NET_WM_PID 32c -set _NET_WM_PID $(pgrep -x xmessage)", EXPORT_OF_MEMORY, SOLVE_IN_MEMORY, "state_not_saved"),
    ("by_chance", "", EXPORT, SOLVE_BY_CHANCE, "solution_flaky"),
]

# Task, what its set-up does besides, the issues that may follow: a shell that cannot fork gives up at some time.
HOSTILE = [
    ("flood", "head -c 10G /dev/zero; exit 1", ["setup_failed"]),
    ("endless", "trap '' TERM INT HUP; while :; do sleep 1; done", ["setup_timeout"]),
    ("full_disk", "head -c 10G /dev/zero >/root/large || exit 1", ["setup_failed"]),
    ("fork_bomb", "bomb() { bomb | bomb & }; bomb; sleep 5; exit 1", ["setup_failed", "setup_timeout"]),
]
TIMEOUTS = {"endless": 20, "fork_bomb": 20, "flood": 1200}
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
    for name, line, export, solve, _ in SOLVED:
        write_task(env, name, SETUP + line + "\n", export)
        solution = root / "run/solutions" / name
        solution.mkdir(parents=True)
        (solution / "solve.sh").write_text(solve)
    return env


def write_task(env, name, setup, export=EXPORT):
    task, mounted = env / "tasks" / name, f"/workspace/tasks/{name}"
    task.mkdir(parents=True)
    spec = {
        "id": f"{name}@1",
        "env_id": "small_env@1",
        "description": "Do it.",
        "hooks": {
            "pre_task": f"{mounted}/setup_task.sh",
            "pre_task_timeout": TIMEOUTS.get(name, 60),
            "post_task": f"{mounted}/export_result.sh",
        },
        "success": {"mode": "program", "spec": {"program": "verifier.py::verify"}},
    }
    (task / "task.json").write_text(json.dumps(spec))
    (task / "verifier.py").write_text(VERIFIER)
    for name, text in (("setup_task.sh", setup), ("export_result.sh", export)):
        (task / name).write_text(text)
        (task / name).chmod(0o755)
