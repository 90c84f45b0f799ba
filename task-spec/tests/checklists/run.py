"""Scores checklists with gym-anything's own code, on the answers of a made-up judge.

    python3 run.py VENV SCORER CHECKOUT ENVIRONMENT...

CHECKOUT is a copy of gym-anything's repository; without one (an empty argument), everything is skipped. Its
`evaluate_vlm_checklist` is imported and asks a loopback server, through the openai package, which is installed from
PyPI into VENV. Each task of an ENVIRONMENT is scored in every mode of MODES, and the result is compared with what the
checklist means, and with what SCORER says, the example `score_checklist` of task-spec. The same is done with damaged
checklists and judges of other habits (DAMAGES and HABITS), of which only the two scores are compared. Exits with 1 if
one differs, or if a task has no checklist.
"""

import http.server
import importlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import types

OPENAI = "openai==3.52.0"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000000"
    "000200015e0d0a2d0000000049454e44ae426082"
)


def answer(checklist, completion, integrity):
    """A judge's answer: the verdict of each completion item by its position, and that of all integrity items."""
    items = checklist["task_completion"]
    return {
        "task_completion": [{"id": item["id"], "verdict": completion(n)} for n, item in enumerate(items)],
        "integrity": [{"id": item["id"], "verdict": integrity} for item in checklist["integrity"]],
        "overall_reasoning": "made up",
    }


def all_pass(checklist):
    return answer(checklist, lambda n: "pass", "pass")


def without_first(checklist):
    verdicts = all_pass(checklist)
    del verdicts["task_completion"][0]
    return verdicts


def with_other_ids(checklist):
    verdicts = all_pass(checklist)
    for verdict in verdicts["task_completion"] + verdicts["integrity"]:
        verdict["id"] += "_x"
    return verdicts


def with_unknown_item(checklist):
    verdicts = all_pass(checklist)
    verdicts["task_completion"].append({"id": "unknown", "verdict": "fail"})
    return verdicts


def first_points(checklist):
    return checklist["task_completion"][0]["points"]


# Each mode: the text of the judge, whether the task is passed then, and its score.
MODES = {
    "all pass": lambda c: (json.dumps(all_pass(c)), True, 100),
    "all fail": lambda c: (json.dumps(answer(c, lambda n: "fail", "fail")), False, 0),
    "an honest failure": lambda c: (json.dumps(answer(c, lambda n: "fail", "pass")), False, 0),
    "a shortcut": lambda c: (json.dumps(answer(c, lambda n: "pass", "fail")), False, 0),
    "all partial": lambda c: (json.dumps(answer(c, lambda n: "partial", "pass")), False, 50),
    "the first item fails": lambda c: (
        json.dumps(answer(c, lambda n: "pass" if n else "fail", "pass")), False, 100 - first_points(c)),
    "the first item is missing": lambda c: (json.dumps(without_first(c)), False, 100 - first_points(c)),
    "other ids": lambda c: (json.dumps(with_other_ids(c)), False, 0),
    "an unknown item": lambda c: (json.dumps(with_unknown_item(c)), True, 100),
    "a fence": lambda c: (f"```json\n{json.dumps(all_pass(c))}\n```", True, 100),
    "prose around it": lambda c: (f"I looked closely. {json.dumps(all_pass(c))} That is all.", True, 100),
    "prose alone": lambda c: ("The agent did everything very well.", False, 0),
}


def damaged(change):
    def damage(checklist):
        checklist = json.loads(json.dumps(checklist))
        change(checklist)
        return checklist
    return damage


def completion(number, **fields):
    return damaged(lambda c: c["task_completion"][number].update(fields))


# Checklists that are not as they should be.
DAMAGES = {
    "as it is": damaged(lambda c: None),
    "two items share an id": damaged(lambda c: c["task_completion"][0].update(id=c["task_completion"][1]["id"])),
    "an id with a space": damaged(lambda c: c["integrity"][0].update(id=" " + c["integrity"][0]["id"])),
    "an id that is null": completion(0, id=None),
    "an id that is empty": completion(-1, id=""),
    "an id that is a number": completion(0, id=7),
    "no points": damaged(lambda c: [item.pop("points") for item in c["task_completion"]]),
    "points that are text": completion(0, points=" 40 "),
    "points that are words": completion(0, points="many"),
    "points that are null": completion(0, points=None),
    "points that are a list": completion(0, points=[1]),
    "points that are true": completion(0, points=True),
    "points of 0": completion(0, points=0),
    "points below 0": completion(0, points=-1000),
    "points without a number": completion(0, points=float("nan")),
    "points without an end": completion(0, points=float("inf")),
    "points of 33.3": completion(0, points=33.3),
    "no completion": damaged(lambda c: c.pop("task_completion")),
    "no integrity": damaged(lambda c: c.pop("integrity")),
    "an empty integrity": damaged(lambda c: c.update(integrity=[])),
    "an integrity that is an object": damaged(lambda c: c.update(integrity={})),
    "a completion that is null": damaged(lambda c: c.update(task_completion=None)),
    "a completion that is text": damaged(lambda c: c.update(task_completion="all")),
    "an item that is text": damaged(lambda c: c["task_completion"].append("all")),
}


def habit(change):
    def text(checklist):
        verdicts = all_pass(checklist)
        change(verdicts)
        return json.dumps(verdicts)
    return text


def first(**fields):
    return habit(lambda v: v["task_completion"][0].update(fields))


# Judges that do not answer as they should.
HABITS = {
    "in capitals": first(verdict=" PASSED "),
    "complete": first(verdict="complete"),
    "incomplete": first(verdict="incomplete"),
    "true": first(verdict=True),
    "one": first(verdict=1),
    "null": first(verdict=None),
    "a list": first(verdict=["pass"]),
    "complete integrity": habit(lambda v: v["integrity"][0].update(verdict="complete")),
    "an id with spaces": habit(lambda v: v["task_completion"][0].update(id=f" {v['task_completion'][0]['id']} ")),
    "twice, differently": habit(lambda v: v["task_completion"].append({**v["task_completion"][0], "verdict": "fail"})),
    "an object for a list": habit(lambda v: v.update(integrity={"all": "pass"})),
    "records that are text": habit(lambda v: v["task_completion"].insert(0, "pass")),
    "an unnamed fence": lambda c: f"```\n{json.dumps(all_pass(c))}\n```",
    "a fence that is not closed": lambda c: f"```json\n{json.dumps(all_pass(c))}",
    "two fences": lambda c: f"```json\n{{}}\n```\n```json\n{json.dumps(all_pass(c))}\n```",
    "a broken fence": lambda c: f"```json\n{{,}}\n``` {json.dumps(all_pass(c))}",
    "two objects": lambda c: f"{{}} {json.dumps(all_pass(c))}",
    "a list of verdicts": lambda c: json.dumps(all_pass(c)["task_completion"]),
    "a number": lambda c: "100",
    "nothing": lambda c: "{}",
    "cut off": lambda c: json.dumps(all_pass(c))[:-20],
    **{name: lambda c, play=play: play(c)[0] for name, play in MODES.items()},
}


class Judge(http.server.BaseHTTPRequestHandler):
    """Answers every chat completion with the text of the moment, and keeps the prompt."""

    text = ""
    prompt = ""

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Judge.prompt = json.dumps(request["messages"])
        message = {"role": "assistant", "content": Judge.text}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        body = json.dumps({"id": "1", "object": "chat.completion", "created": 0, "model": "judge", "choices": [choice]})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args):
        pass


def load(checkout):
    """gym-anything's module. Its packages import runners when they are imported; only their paths are needed."""
    source = pathlib.Path(checkout) / "src" / "gym_anything"
    for name, path in (("gym_anything", source), ("gym_anything.verification", source / "verification")):
        package = types.ModuleType(name)
        package.__path__ = [str(path)]
        sys.modules[name] = package
    return importlib.import_module("gym_anything.verification.vlm_checklist")


def score(module, task, url, frame):
    """The differences between gym-anything's scores of a task and what its checklist means."""
    path = task / "vlm_checklist.json"
    if not path.exists():
        return ["it has no vlm_checklist.json"]
    checklist = json.loads(path.read_text(encoding="utf-8"))
    spec = json.loads((task / "task.json").read_text(encoding="utf-8"))
    differences = []
    for mode, play in MODES.items():
        Judge.text, passed, points = play(checklist)
        result = module.evaluate_vlm_checklist(
            spec={"base_url": url, "backend": "local", "model": "judge", "max_retries": 1},
            traj={"frames": [frame]}, task_info={"task_spec": spec}, task_root=task, env_root=None,
            verifier_env={"VLM_API_KEY": "none"},
        )
        if (result["passed"], result["score"]) != (passed, round(points, 1)):
            differences.append(f"{mode}: passed {result['passed']} with {result['score']}, not {passed} with {points}")
        named = [item["id"] for item in checklist["task_completion"] + checklist["integrity"]]
        missing = [name for name in named if name not in Judge.prompt]
        if missing:
            differences.append(f"{mode}: the prompt lacks {', '.join(missing)}")
    return differences


def compared(module, scorer, checklists):
    """The differences between gym-anything's scores and those of SCORER, for damaged checklists and odd judges, and the
    number of scores."""
    names, lines, theirs = [], [], []
    for task, checklist in checklists:
        for damage, change in DAMAGES.items():
            for habit, speak in HABITS.items():
                # A judge answers as the whole checklist says.
                text = speak(checklist)
                names.append(f"{task}, {damage}, {habit}")
                lines.append(json.dumps({"checklist": change(checklist), "answer": text}))
                theirs.append(original(module, change(checklist), text))
    output = subprocess.run([scorer], input="\n".join(lines) + "\n", stdout=subprocess.PIPE, text=True, check=True)
    ours = [json.loads(line) for line in output.stdout.splitlines()]
    assert len(ours) == len(theirs), f"{len(theirs)} answers, {len(ours)} scores"
    pairs = [(name, str(their), str(our)) for name, their, our in zip(names, theirs, ours)]  # NaN differs from NaN
    differences = [f"{name}: gym-anything {their}, ours {our}" for name, their, our in pairs if their != our]
    return differences, len(ours)


def original(module, checklist, text):
    """gym-anything's score of an answer, by the functions that `evaluate_vlm_checklist` calls; None for an exception."""
    try:
        module.build_verification_prompt(checklist=checklist, task_description="", image_count=1)
        verdicts = module._extract_verdicts({"parsed": module.parse_vlm_json(text), "response": text})
        scores = module.compute_scores(verdicts, checklist, completion_threshold=100.0, integrity_threshold=1.0)
    except Exception:
        return None
    return [scores["passed"], scores["final_score"]]


def inside(scorer, checkout, environments):
    module = load(checkout)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Judge)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    tasks = [task for environment in environments for task in sorted(pathlib.Path(environment, "tasks").iterdir())]
    tasks = [task for task in tasks if (task / "task.json").exists()]
    bad = 0
    with tempfile.TemporaryDirectory(prefix="test-checklists-") as scratch:
        frame = pathlib.Path(scratch, "frame.png")
        frame.write_bytes(PIXEL)
        for task in tasks:
            differences = score(module, task, url, str(frame))
            bad += bool(differences)
            for difference in differences:
                print(f"{task.name}: {difference}")
    server.shutdown()
    checklists = [(task.name, json.loads((task / "vlm_checklist.json").read_text("utf-8"))) for task in tasks]
    differences, scores = compared(module, scorer, checklists)
    for difference in differences[:20]:
        print(difference)
    print(f"{scores} scores of damaged checklists and odd judges compared; {len(differences)} differences")
    bad += len(differences)
    print(f"{len(tasks)} tasks scored in {len(MODES)} modes; {bad} with differences")
    return 1 if bad or not tasks else 0


def main(venv, scorer, checkout, *environments):
    if not pathlib.Path(checkout or "/nonexistent", "src", "gym_anything").is_dir():
        print("skipped: GYM_ANYTHING does not name a checkout of gym-anything")
        return 0
    python = pathlib.Path(venv, "bin", "python")
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", OPENAI], check=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VLM_", "GYM_"))}
    command = [python, __file__, "--inside", scorer, checkout, *environments]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    if sys.argv[1] == "--inside":
        sys.exit(inside(sys.argv[2], sys.argv[3], sys.argv[4:]))
    sys.exit(main(*sys.argv[1:]))
