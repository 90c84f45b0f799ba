"""Runs GRASP's loop over the installed package: run_grasp_loop.py recorded|live FOLDER WORKSPACE [ENVIRONMENTS]

`recorded`: all tasks. An episode ends in a recorded state of the task, the golden one if the agent saved; the task's
verifier decides on it. With ENVIRONMENTS, a task is run with gym-anything, too, on its runner without a machine.
`live`: three tasks, in containers, with the program of the package.
"""

import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import grasp_tasks
import in_folder
from grasp import run_grasp
from grasp_tasks import Container, ExportedTasks
from scripted_model import SKILL, Model, text

PACKAGE = pathlib.Path(grasp_tasks.__file__).parent
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)


class Recorded:
    """An environment that answers with one screen, and ends in a recorded state."""

    def __init__(self, sample, workspace):
        place = workspace / "benchmarks/cua_world/environments" / sample["env"] / "tasks" / sample["task"]
        self.states = json.loads((place / "fixtures.json").read_text())
        self.harbor, self.sample, self.is_saved = PACKAGE / "harbor", sample, False
        self.place = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.place.name)

    def reset(self):
        (self.root / "screen.png").write_bytes(PIXEL)
        return self.observe()

    def step(self, actions, mark_done=False):
        self.is_saved |= {"keyboard": {"keys": ["ctrl", "s"]}} in actions
        info = {"verifier": self.verify()} if mark_done else {}
        return self.observe(), 0.0, mark_done, info

    def observe(self):
        return {"screen": {"path": str(self.root / "screen.png")}, "ui_tree": {"text": "0x1 the book - GnuCash"}}

    def verify(self):
        root = self.root / "container"
        in_folder.write_state(root, self.states["golden" if self.is_saved else "untouched"][0],
                              self.harbor / "environments" / self.sample["env"])
        tests = self.harbor / "tasks" / f"{self.sample['env']}__{self.sample['task']}" / "tests"
        for path in tests.rglob("*"):
            if path.is_file():
                in_folder.write(root, f"/tests/{path.relative_to(tests)}", path.read_bytes())
        in_folder.run(root, ["bash", "/tests/test.sh"])
        return json.loads((root / "logs/verifier/verdict.json").read_text())

    def close(self):
        self.place.cleanup()


def main(kind, folder, workspace, environments=None):
    folder, workspace = pathlib.Path(folder), pathlib.Path(workspace)
    model = Model()
    os.environ.update(OPENAI_BASE_URL=model.url, GRASP_MODEL="scripted", OPENAI_API_KEY="none")
    print(recorded(model, folder, workspace, environments) if kind == "recorded" else live(model))


def recorded(model, folder, workspace, environments):
    tasks = ExportedTasks(lambda sample: Recorded(sample, workspace))
    check_samples(tasks, folder)
    values = ["epochs=1", "update_every=30", "grpo_k=1", "grpo_eval_n=6", "batch_concurrency=2"]
    overrides = [f"cycle.{value}" for value in values]
    run = run_grasp(tasks, PACKAGE / "config.yaml", agent="local", run_name="recorded",
                    overrides=[f"skills.base_dir={PACKAGE / 'skills/base'}", *overrides])
    runs, update = check_run(run, tasks.samples("dev"))
    assert all(tag.startswith("verifier_") is False for entry in runs for tag in entry["failure_tags"][:1]), runs
    (ranked,) = update["grpo"]
    assert ranked["fixes"] > 0 and ranked["regressions"] == 0 and update["applied"], update
    curve = [(entry["epoch"], entry["score"]) for entry in json.loads((run / "val_scores.json").read_text())]
    assert curve == [("baseline", 0.0), (0, 1.0)], curve
    assert (run / f"skills/learned/{SKILL['name']}.md").exists()
    check_prompts(model)
    done = f"{len(runs)} rollouts fail with {len(tags_of(runs))} tags, a skill is kept, validation 0 then 1"
    return f"{done}; {with_gym_anything(environments)}"


def live(model):
    wanted = [next(iter(ExportedTasks(None).samples("val")))["task"]]
    wanted += [sample["task"] for sample in ExportedTasks(None).samples("dev")[:2]]
    values = ["epochs=1", "update_every=2", "grpo_k=1", "grpo_eval_n=2", "batch_concurrency=1", "run_baseline=false"]
    command = [sys.executable, "-m", "grasp_tasks", "--run-name", "live", "--max-steps", "4"]
    command += [part for task in wanted for part in ("--only", task)]
    command += [part for value in values for part in ("--set", f"cycle.{value}")]
    command += ["--network", os.environ["NETWORK"]] if "NETWORK" in os.environ else []
    subprocess.run(command, check=True, stdout=sys.stderr)
    samples = [sample for sample in ExportedTasks(None).samples("dev") if sample["task"] in wanted]
    runs, _ = check_run(pathlib.Path("grasp-runs/live"), samples)
    assert all(entry["status"] == "completed" and entry["task_result"]["verdict"]["feedback"] for entry in runs), runs
    assert any("image_url" in str(messages) for messages in model.asked["agent"])
    assert any("GnuCash" in text(messages[-1]) for messages in model.asked["agent"]), "no window was shown"
    solved = passes_solved(samples[0])
    assert solved["passed"] is True and solved["score"] == 100, solved
    return f"{len(runs)} rollouts in containers, the solution passes, tags {', '.join(sorted(tags_of(runs))[:3])}, a skill proposed"


def passes_solved(sample):
    """The verdict in a container of a rollout in which the recorded solution was run."""
    environment = Container(sample, network=os.environ.get("NETWORK"))
    try:
        environment.reset()
        environment.put(environment.folder / "solution", "/solution")
        environment.run(["bash", "/solution/solve.sh"], environment.spec["agent"]["user"], timeout=300)
        *_, info = environment.step([], mark_done=True)
        return info["verifier"]
    finally:
        environment.close()


def check_samples(tasks, folder):
    marker = json.loads((folder / "export.json").read_text())["tasks"]
    expected = {f"{env}/{task}": side for env, names in marker.items() for task, side in names.items()}
    found = {sample["id"]: split for split in ("train", "test") for sample in tasks.samples(split)}
    assert found == expected, (found, expected)
    assert tasks.samples("dev") and tasks.samples("val")


def check_run(run, samples):
    """The rollouts of the training tasks, all failed, and the update of the skills after them."""
    runs = [json.loads(line) for line in (run / "epoch_0/dev_runs.jsonl").read_text().splitlines()]
    assert sorted(entry["sample_id"] for entry in runs) == sorted(sample["id"] for sample in samples)
    for entry in runs:
        assert entry["is_correct"] is False and entry["failure_tags"] and entry["agent_actions"], entry
        assert [message["role"] for message in entry["history"]][:3] == ["user", "agent", "user"]
    (update,) = json.loads((run / "epoch_0/skill_updates.json").read_text())
    assert [proposal["name"] for proposal in update["raw_proposals"]] == [SKILL["name"]]
    return runs, update


def check_prompts(model):
    first = model.asked["agent"][0]
    assert "image_url" in json.dumps(first) and "the book - GnuCash" in text(first[-1])
    (proposal,) = model.asked["propose"]
    prompt = text(proposal[-1])
    assert "improve an computer-use agent" in prompt and "Failure tags: " in prompt
    assert "Notes on gnucash_env" in prompt and "## Example Trajectory" in prompt


def with_gym_anything(environments):
    """A rollout with gym-anything's own environment, on its runner that has no machine: every verifier fails."""
    if not environments:
        return "gym-anything not run: set GYM_ANYTHING"
    os.environ.update(GYM_ANYTHING_RUNNER="local", GYM_ANYTHING_POST_TASK_SETTLE_SEC="0")
    tasks = ExportedTasks(grasp_tasks.gym_anything(environments))
    sample = tasks.samples("dev")[0]
    rollout = tasks.rollout(sample, Script())
    assert rollout.status == "completed" and rollout.raw["verdict"]["mode"] == "program", rollout
    assert not tasks.evaluate(sample, rollout) and tasks.failure_tags(sample, rollout), rollout
    return f"with gym-anything's runner: {tasks.failure_tags(sample, rollout)[0]}"


class Script:
    """An agent that acts once."""

    def inference(self, history, tools=None):
        turns = sum(message["role"] == "agent" for message in history)
        return json.dumps({"actions": [{"keyboard": {"text": "x"}}], "done": False} if not turns else {"done": True})


def tags_of(runs):
    return {tag for entry in runs for tag in entry["failure_tags"]}


if __name__ == "__main__":
    main(*sys.argv[1:])
