"""Task folders, loaded and validated by Harbor; run in containers where there are an engine and a base image."""

import json
import os
import shutil
import subprocess

PACKAGES = ["harbor==0.25.0"]


def run(test):
    python = test.python("harbor", *PACKAGES)
    folder = test.export("--to", "harbor", *test.solutions())
    loaded = test.check(python, "load_harbor.py", folder)
    return f"{loaded}; {live(test, python, folder)}"


def live(test, python, folder):
    """The rewards of Harbor's agents `nop` and `oracle`."""
    if subprocess.run([docker(), "compose", "version"], capture_output=True).returncode:
        return "not run: docker compose is not there"
    if why_not := build(folder):
        return f"not run: {why_not}"
    solved = sorted(path.parent.parent.name for path in folder.glob("tasks/*/solution/solve.sh"))
    every = sorted(path.name for path in folder.glob("tasks/*"))
    counts = []
    for agent, tasks, expected in [("nop", every, 0), ("oracle", solved, 1)]:
        rewards = trials(test, python, folder, agent, tasks)
        wrong = {name: reward for name, reward in rewards.items() if reward != expected}
        assert not wrong and set(rewards) == set(tasks), (agent, wrong, set(tasks) - set(rewards))
        counts.append(f"{agent} {expected} on {len(rewards)} tasks")
    return ", ".join(counts)


def build(folder):
    """Builds the images of an export. Returns why it cannot, if so."""
    base = os.environ.get("BASE_IMAGE")
    if not base:
        return "set BASE_IMAGE to the image of a Linux desktop"
    options = os.environ.get("BUILD_OPTIONS", "--network host").split()
    subprocess.run([folder / "build_images.sh", base, *options], check=True)
    return ""


def docker():
    return shutil.which(os.environ.get("DOCKER", "docker")) or "docker"


def trials(test, python, folder, agent, tasks):
    """Runs an agent on tasks. Returns the rewards by task."""
    jobs = test.scratch / f"jobs-{agent}"
    command = [python.parent / "harbor", "run", "-p", folder / "tasks", "-a", agent, "-o", jobs, "-n", "2", "-y", "-q"]
    # Where the engine has no bridge, containers of the tasks get no network.
    if os.environ.get("NETWORK") == "none":
        compose = test.scratch / "network.yaml"
        compose.write_text("services:\n  main:\n    network_mode: none\n")
        command += ["--extra-docker-compose", compose]
    for task in tasks:
        command += ["-i", task]
    # Prices of models are not needed, and would be downloaded.
    env = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    subprocess.run(command, check=True, cwd=test.scratch, stdin=subprocess.DEVNULL, env=env)
    rewards = {}
    for path in jobs.glob("*/*/result.json"):
        result = json.loads(path.read_text())
        found = result.get("verifier_result") or {}
        name = result["task_name"].replace("/", "__")
        rewards[name] = (found.get("rewards") or {}).get("reward", str(result.get("exception_info"))[-800:])
    return rewards
