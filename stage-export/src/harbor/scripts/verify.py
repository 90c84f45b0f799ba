"""Runs the task's verifier in the container, and writes its score as a reward.

/tests/program.json says what to run. The verifier gets what gym-anything gives it: the files of the environment are
those of this container. No model answers questions about screenshots, and there are none.
"""

import importlib.util
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import traceback
import types

HERE = pathlib.Path(__file__).resolve().parent
LOGS = pathlib.Path(os.environ.get("LOGS", "/logs/verifier"))


def main():
    program = json.loads((HERE / "program.json").read_text())
    try:
        verdict = verify(program)
    except BaseException:
        verdict = {"passed": False, "score": 0, "feedback": traceback.format_exc()}
    LOGS.mkdir(parents=True, exist_ok=True)
    (LOGS / "verdict.json").write_text(json.dumps(verdict, default=str, indent=2) + "\n")
    (LOGS / "reward.json").write_text(json.dumps(rewards(verdict)) + "\n")


def verify(program):
    install_gym_anything()
    env = HERE / "env"
    task = env / "tasks" / program["task"]
    sys.path[:0] = [str(path) for path in (task, env / "tasks", env, env / "utils") if path.is_dir()]
    spec = importlib.util.spec_from_file_location("task_verifier", task / program["file"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with tempfile.TemporaryDirectory() as episode:
        traj = {"steps": [], "episode_dir": episode, "frames": [], "step_frames": {}}
        traj.update(dict.fromkeys(["final_screenshot", "post_verification_screenshot", "first_frame", "last_frame"]))
        env_info = {
            "env_id": program["env_id"],
            "episode_dir": episode,
            "copy_from_env": copy,
            "copy_to_env": copy,
            "exec_capture": exec_capture,
            **HELPERS,
        }
        return getattr(module, program["function"])(traj, env_info, program["task_info"])


def rewards(verdict):
    """The score from 0 to 1, or whether it passed where there is no score."""
    passed = isinstance(verdict, dict) and verdict.get("passed") is True
    score = verdict.get("score") if isinstance(verdict, dict) else None
    is_number = isinstance(score, (int, float)) and not isinstance(score, bool) and math.isfinite(score)
    reward = min(max(score / 100, 0.0), 1.0) if is_number else float(passed)
    return {"reward": reward, "passed": int(passed)}


def copy(source, destination):
    destination = pathlib.Path(destination)
    if destination.is_dir():
        destination /= os.path.basename(source)
    shutil.copyfile(source, destination)


def exec_capture(command, *_, **__):
    done = subprocess.run(["bash", "-lc", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60)
    return done.stdout.decode(errors="replace")


def query_vlm(*_, **__):
    return {"success": False, "response": "", "parsed": {}, "error": "no model is configured"}


def parse_vlm_json(text):
    try:
        parsed = json.loads(text)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def extract_boolean(response, key, default=False):
    return bool(response.get("parsed", {}).get(key, default))


HELPERS = {
    "query_vlm": query_vlm,
    "sample_trajectory_frames": lambda traj, *_, **__: list(traj.get("frames", [])),
    "get_final_screenshot": lambda traj: traj.get("final_screenshot"),
    "get_first_screenshot": lambda traj: traj.get("first_frame"),
}


def install_gym_anything():
    """Makes the part of gym-anything importable that verifiers use."""
    package, vlm = types.ModuleType("gym_anything"), types.ModuleType("gym_anything.vlm")
    vars(vlm).update(HELPERS, parse_vlm_json=parse_vlm_json, extract_boolean=extract_boolean)
    package.__path__, package.vlm = [], vlm
    sys.modules.update({"gym_anything": package, "gym_anything.vlm": vlm})


if __name__ == "__main__":
    main()
