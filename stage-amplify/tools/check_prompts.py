#!/usr/bin/env python3
"""Renders the prompts of stage-amplify for every environment below a folder, and counts what is wrong with them.

    check_prompts.py STAGE_AMPLIFY ENVIRONMENTS [--jobs N] [--keep FOLDER] [--only NAME]

Calls no model. STAGE_AMPLIFY is the program, ENVIRONMENTS a folder such as benchmarks/cua_world/environments. It
prints the table of docs/prompts.md and then each finding. The exit status is 1 if there are findings.

The checks do not share code with the program: stubs are found with Python's own parser, files are compared with
those on the disk, and words of other platforms are looked for in the rules.
"""

import argparse
import ast
import collections
import concurrent.futures
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

#: What the rules of a platform must not contain.
FOREIGN = {
    "linux": ["powershell", "/sdcard", "C:\\", "am force-stop", "screencapture"],
    "macos": ["powershell", "/sdcard", "C:\\", "am force-stop", "DISPLAY=", "/var/lib/task_state", "wmctrl -"],
    "windows": ["/sdcard", "bash -lc", "/var/lib", "/tmp", "#!/bin", "DISPLAY", "am force-stop", "setup_task.sh"],
    "android": ["powershell", "C:\\", "bash -lc", "/var/lib", "#!/bin/bash", "DISPLAY", '"/tmp', "`/tmp", "setup_task.ps1"],
}
#: The extension of a data file that prompts can show.
DATA = {".csv", ".tsv", ".json", ".jsonl", ".geojson", ".xml", ".gpx", ".kml", ".txt", ".md", ".eml", ".ics", ".vcf",
        ".properties", ".db", ".sqlite", ".sqlite3", ".gpkg", ".xlsx", ".xlsm", ".xls", ".ods", ".sql", ".html", ".yaml", ".yml"}
NOT_SHOWN = {"tasks", "artifacts", "evidence_docs", "__pycache__", "node_modules", "recordings", "episodes"}
SCRIPTS = (".sh", ".ps1", ".py", ".bat", ".cmd", ".js", ".php", ".rb")
#: The size of a run for the weighted bytes, and how providers bill cached input.
TASKS, WRITE, READ = 16, 1.25, 0.1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", type=pathlib.Path, metavar="STAGE_AMPLIFY")
    parser.add_argument("environments", type=pathlib.Path, metavar="ENVIRONMENTS")
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    parser.add_argument("--keep", type=pathlib.Path, metavar="FOLDER", help="keep the prompts in FOLDER/ENVIRONMENT/")
    parser.add_argument("--only", action="append", metavar="NAME", help="only this environment")
    args = parser.parse_args()
    names = sorted(path.parent.name for path in args.environments.glob("*/env.json"))
    names = [name for name in names if not args.only or name in args.only]
    with tempfile.TemporaryDirectory() as scratch:
        kept = args.keep or pathlib.Path(scratch)
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            checked = list(pool.map(lambda name: check(args.stage, args.environments / name, kept / name), names))
    report(checked)
    return 1 if any(one["findings"] for one in checked) else 0


def check(stage, environment, run_dir):
    """What is known of the prompts of one environment."""
    run_dir.mkdir(parents=True, exist_ok=True)
    command = [stage.resolve(), "--software", software(environment), "--env-dir", environment.resolve(), "--env-seeds",
               "--dry-run", "--workspace", environment.resolve().parent, "--run-dir", run_dir.resolve()]
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    one = {"name": environment.name, "findings": [], "refused": ""}
    if ran.returncode != 0:
        one["refused"] = ran.stderr.strip().splitlines()[-1]
        one["findings"].append(f"not rendered: {one['refused']}")
        return one
    prompts = {path.stem: path.read_text(encoding="utf-8") for path in (run_dir / "prompts/dry-run").glob("*.md")}
    check_rules(one, prompts)
    check_files(one, prompts["files"], environment)
    check_examples(one, prompts["files"], environment)
    weigh(one, prompts)
    return one


def software(environment):
    return environment.name.removesuffix("_env").replace("_", " ")


def check_rules(one, prompts):
    """The rules come before the environment's own files, and after the examples."""
    platform = re.search(r"## The platform: (\w+)", prompts["files"]).group(1).lower()
    one["platform"] = platform
    for name in ("files", "readme", "plan"):
        before, _, rest = prompts[name].partition("\n# The environment `")
        rules = before + rest[rest.rfind("\n# Answer format"):]
        rules = re.sub(r"(?m)^\| what does not exist \|.*$", "", rules)
        for word in FOREIGN[platform]:
            if word.lower() in rules.lower():
                one["findings"].append(f"{name}.md: the rules for {platform} contain {word}")


def check_files(one, prompt, environment):
    """What is shown of the environment."""
    section = prompt.partition("\n# The environment `")[2].partition("\n# Examples\n")[0]
    shown = {name for name, _ in blocks(section)}
    cut = re.findall(r"(?m)^\((.+) continues: \d+ of \d+ bytes are omitted\.\)$", section)
    one["cut_scripts"] = [name for name in cut if name.endswith(SCRIPTS)]
    one["cut_data"] = [name for name in cut if not name.endswith(SCRIPTS)]
    data = {name for name in files_below(environment) if is_data(name)}
    one["data"], one["data_shown"] = len(data), len(data & shown)
    if data and not data & shown:
        one["findings"].append(f"none of {len(data)} data files is shown: {', '.join(sorted(data)[:3])}")


def files_below(environment):
    for path in environment.rglob("*"):
        parts = path.relative_to(environment).parts
        hidden = any(part.startswith(".") or part in NOT_SHOWN for part in parts)
        if len(parts) <= 4 and not hidden and path.is_file() and not path.is_symlink() and path.stat().st_size > 0:
            yield "/".join(parts)


def is_data(name):
    """Whether a file is below a folder of data and of a kind that can be shown."""
    folders = name.split("/")[:-1]
    return bool({"data", "assets", "sample_data", "datasets"} & set(folders)) and pathlib.Path(name).suffix.lower() in DATA


def check_examples(one, prompt, environment):
    """Every example is whole and verifies something."""
    section = prompt.partition("\n# Examples\n")[2].rpartition("\n# Check before you answer\n")[0]
    parts = re.split(r"(?m)^## (\w[\w.-]*): `([\w.-]+)`.*$", section)[1:]
    one["own"] = one["others"] = 0
    for env, task, body in zip(parts[::3], parts[1::3], parts[2::3]):
        one["own" if env == environment.name else "others"] += 1
        folder = environment.parent / env / "tasks" / task
        files = dict(blocks(body))
        for name, text in files.items():
            if text.strip() != (folder / name).read_text(encoding="utf-8").replace("\r\n", "\n").strip():
                one["findings"].append(f"{env}/{task}: {name} is not shown whole")
        if len(files) != 4:
            one["findings"].append(f"{env}/{task}: {len(files)} files are shown, not 4")
        if is_stub(files.get("verifier.py", "")):
            one["findings"].append(f"{env}/{task}: its verifier is a stub")


def is_stub(source):
    """Whether a verifier returns only constants that pass, or says that it is a stub."""
    module = ast.parse(source)
    functions = [node for node in module.body if isinstance(node, ast.FunctionDef) and node.name.startswith("verify")]
    words = " ".join([ast.get_docstring(module) or ""] + [ast.get_docstring(one) or "" for one in functions])
    if re.search(r"(?i)\b(stub|placeholder)\s+verif", words):
        return True
    returned = [node.value for one in functions for node in ast.walk(one) if isinstance(node, ast.Return)]
    return bool(returned) and all(is_constant(value) for value in returned) and len({ast.dump(v) for v in returned}) == 1


def is_constant(value):
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError):
        return False
    return True


def blocks(text):
    """The names and contents of fenced blocks. A fence is closed by one of the same length."""
    lines, at = text.split("\n"), 0
    while at < len(lines):
        fence = re.fullmatch(r"(`{3,}|~{3,})(\S.*)", lines[at])
        at += 1
        if not fence:
            continue
        start = at
        while at < len(lines) and lines[at] != fence.group(1):
            at += 1
        yield fence.group(2), "\n".join(lines[start:at])
        at += 1


def weigh(one, prompts):
    """The weighted input of a run of TASKS tasks in bytes per task, without what is different for each call, and the
    share of the prefix in it."""
    prefixes = {name: len(prompt.encode().partition(b"\n# Now\n")[0]) for name, prompt in prompts.items()}
    one["bytes"] = {name: len(prompt.encode()) for name, prompt in prompts.items()}
    calls = {"plan": 1, "readme": TASKS, "files": TASKS}
    weighted = sum(prefixes[name] * (WRITE + READ * (count - 1)) for name, count in calls.items())
    own = 500 + 3_900 + 400  # A row of the plan, a README, and the words around them.
    one["weighted"] = weighted / TASKS + own
    one["shared"] = {name: prefixes[name] / (prefixes[name] + size) for name, size in (("readme", 700), ("files", 4_100))}


def report(checked):
    rendered = [one for one in checked if not one["refused"]]
    def count(has):
        return sum(1 for one in rendered if has(one))
    def found(words):
        return sum(1 for one in checked for finding in one["findings"] if words in finding)
    platforms = collections.Counter(one["platform"] for one in rendered)
    rows = [
        ("environments", len(checked)),
        ("rendered", len(rendered)),
        *((f"… for {name}", number) for name, number in platforms.most_common()),
        ("with examples of their own", count(lambda one: one["own"])),
        ("with examples of neighbours only", count(lambda one: not one["own"] and one["others"])),
        ("without examples", count(lambda one: not one["own"] and not one["others"])),
        ("examples in all", sum(one["own"] + one["others"] for one in rendered)),
        ("stubs among them", found("is a stub")),
        ("examples with a cut or missing file", found("not shown whole") + found("files are shown")),
        ("prompts with words of another platform", found("the rules for")),
        ("environments with data of a known kind", count(lambda one: one["data"])),
        ("… none of which is shown", found("data files is shown")),
        ("environments with a script that is not shown whole", count(lambda one: one["cut_scripts"])),
        ("environments with data that is not shown whole, as its beginning", count(lambda one: one["cut_data"])),
    ]
    for name in ("plan", "readme", "files"):
        sizes = sorted(one["bytes"][name] for one in rendered)
        rows.append((f"bytes of the {name} prompt: median, largest", f"{statistics.median(sizes):,.0f}, {sizes[-1]:,}"))
    for name in ("readme", "files"):
        rows.append((f"least share of the prefix in a {name} call",
                     f"{min(one['shared'][name] for one in rendered):.1%}"))
    weights = sorted((one["weighted"], one["name"]) for one in rendered)
    rows.append((f"weighted bytes per task, {TASKS} tasks: median", f"{statistics.median(w for w, _ in weights):,.0f}"))
    rows.append((f"… the largest, {weights[-1][1]}", f"{weights[-1][0]:,.0f}"))
    rows += [(f"… {name}", f"{weight:,.0f}") for weight, name in weights if name == "moodle_env"]
    print("| | |\n|---|--:|")
    for name, value in rows:
        print(f"| {name} | {value} |")
    print()
    for one in checked:
        for finding in one["findings"]:
            print(f"{one['name']}: {finding}")
        if one.get("cut_scripts"):
            print(f"{one['name']}: note: not whole: {', '.join(one['cut_scripts'])}")


if __name__ == "__main__":
    sys.exit(main())
