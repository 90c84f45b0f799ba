"""Split files, loaded with gym-anything's own loader of a checkout. Nothing in the checkout is changed."""

import importlib.util
import json
import pathlib
import subprocess

REPETITIONS = 100
# Environments with a split file, without one, and with one that has `all_tasks`.
WITH_FILE, WITH_ALL = "moodle_env", "microsoft_excel_env"
BENCHMARK = pathlib.Path("benchmarks/cua_world")


def run(test):
    checkout = test.gym_anything
    spec = importlib.util.spec_from_file_location("splits", checkout / BENCHMARK / "registry/splits.py")
    splits = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(splits)
    listed = splits.load_environment_task_splits(splits_root=checkout / BENCHMARK / "splits")
    without = next(env for env in listed if not has_file(checkout, env))
    found = []
    for env in (WITH_FILE, WITH_ALL, without):
        found.append(check(test.program, splits, checkout, test.scratch / env, env))
    return ", ".join(found)


def has_file(checkout, env):
    return split_file(checkout, env) is not None


def split_file(checkout, env):
    for path in sorted((checkout / BENCHMARK / "splits").glob("*_split.json"), reverse=True):
        if pathlib.Path(json.loads(path.read_text())["env_folder"]).name == env:
            return path
    return None


def check(program, splits, checkout, workspace, env):
    """Adds a task at a time to a copy of the benchmark's lists, and loads them with gym-anything's loader."""
    folder, environments = workspace / BENCHMARK / "splits", workspace / BENCHMARK / "environments"
    folder.mkdir(parents=True)
    original = split_file(checkout, env)
    for path in filter(None, [original, checkout / BENCHMARK / "splits/verified.json"]):
        (folder / path.name).write_bytes(path.read_bytes())
    tasks = environments / env / "tasks"
    tasks.mkdir(parents=True)
    (environments / env / "env.json").write_text(json.dumps({"id": f"{env}@1"}))

    def load():
        return splits.load_environment_task_splits(splits_root=folder, environments_root=environments)

    before, sides, names = load().get(env), {}, []
    for number in range(REPETITIONS):
        # In no order of the alphabet, so that new tasks come before those that are there.
        name = f"export_{number * 37 % REPETITIONS:03}"
        (tasks / name).mkdir()
        description = f"Task {number} about subject {number * 7919} of department {number * 104729}"
        (tasks / name / "task.json").write_text(json.dumps({"id": f"{name}@1", "description": description}))
        names.append(name)
        export(program, workspace, env, names)
        now = {task: side for side in ("train", "test") for task in load()[env][side]}
        moved = [task for task, side in sides.items() if now.get(task) != side]
        missing = [task for task in names if task not in now or task not in load()[env]["all"]]
        assert not moved and not missing, (env, number, moved, missing)
        sides = now
    counts = {side: sum(sides[name] == side for name in names) for side in ("train", "test")}
    if original:
        after = json.loads((folder / original.name).read_text())
        removed = {key: [task for task in tasks_of(before, key) if task not in after[key]] for key in LISTS if key in after}
        assert not any(removed.values()), removed
        assert_only_added(json.loads(original.read_text()), after, set(names))
        assert counts["test"] and counts["train"], counts
    verified = splits.load_environment_task_splits(
        surface="verified", splits_root=folder, environments_root=environments
    )
    assert set(names) <= set(verified[env]["all"]), env
    others = json.loads((checkout / BENCHMARK / "splits/verified.json").read_text())["by_environment"]
    now = json.loads((folder / "verified.json").read_text())["by_environment"]
    assert all(now[other] == others[other] for other in others if other != env)
    return f"{env} {REPETITIONS} tasks ({counts['train']} train, {counts['test']} test)"


LISTS = ("train_tasks", "test_tasks", "all_tasks")


def tasks_of(loaded, key):
    return loaded[key.removesuffix("_tasks")]


def assert_only_added(before, after, new):
    """Without the new tasks, the file holds what it held, in its order."""
    for key in LISTS:
        if key in after:
            after[key] = [task for task in after[key] if task not in new]
    assert json.dumps(before) == json.dumps(after)


def export(program, workspace, env, names):
    records = []
    for name in names:
        records.append({"record": "verdict", "env": env, "task": name, "kind": "task", "path": "", "ok": True})
        records.append({"record": "probe", "env": env, "task": name, "ok": True})
    subprocess.run(
        [program, "--workspace", workspace, "--to", "splits", "--quiet"],
        input="".join(json.dumps(record) + "\n" for record in records),
        text=True,
        check=True,
    )

