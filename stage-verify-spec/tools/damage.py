#!/usr/bin/env python3
"""Generates environments with damaged tasks, as input for compare.py.

    damage.py --corpus DIR --to DIR [--tasks N] [--seed N]

Takes tasks from the environments of the corpus and damages each in one to three ways: the text of its spec, types of
fields, hooks, its kind of verification, its Python, its files; and their environments: specs in JSON and YAML, mounts,
presets, modules beside the verifiers. The same seed produces the same damage.
"""

import argparse
import copy
import json
import os
import random
import shutil
import sys
from pathlib import Path

TASKS_PER_ENVIRONMENT = 20

ODD_VALUES = [
    None, True, False, 0, 1, -5, 1.5, 10**30, float("nan"), float("inf"), "", "x", "1", " ", "a.sh", [], ["x"],
    [["a", 1]], ["ab"], [1, 2], {}, {"a": 1}, {"x": {"y": []}}, "verifier.py::nope", "ünïcode", "\ud800", "a\x00b",
    "x" * 300,
]  # fmt: skip

COMMANDS = [
    "/workspace/tasks/{task}/setup_task.sh", "/workspace/tasks/{task}/gone.sh", "bash setup_task.sh",
    "bash ./setup_task.sh && echo done", "tasks/{task}/setup_task.sh", "tasks/gone/setup_task.sh",
    "scripts/install.sh", "scripts/gone.ps1", "/scripts/install.sh", "/elsewhere/install.sh",
    "C:\\workspace\\tasks\\{task}\\setup_task.sh", "powershell -File C:\\scripts\\install.sh",
    "c:/SCRIPTS/install.sh -x", "/mnt/data/x.py", "/mnt/data/", "/mnt/data/../install.sh", "//scripts//install.sh",
    "/scripts/./install.sh", "a.sh b.bat c.cmd d.py e.ps1", "echo no scripts", "x.shx y.python", "setup_task.sh/",
    "setup_task.sh.bak", "../{task}/setup_task.sh", "/workspace//scripts/install.sh", "/a/workspace/scripts/install.sh",
    "bash -c 'setup_task.sh;export_result.sh'", "é/setup_task.sh", "/tmp", "/", ".sh", "/opt/x.sh", "C:/opt/x.sh",
    "/OPT/deep/y.sh", "opt/x.sh", "/workspace/tasks/{task}/" + "x" * 300 + ".sh", "-setup_task.sh", "a:setup_task.sh",
]  # fmt: skip

REFERENCES = [
    "verifier.py::{function}", "verifier.py::nope", "verifier.py::", "::{function}", "verifier.py:{function}",
    "verifier::{function}", "./verifier.py::{function}", "verifier.py/::{function}", "../{task}/verifier.py::{function}",
    "gone.py::f", "task.json::f", "setup_task.sh::f", ".::f", "verifier.py::{function}::x", "verifier.py::{function} ",
    "os.path:join", "json:dumps", "json:nope", "json.decoder:JSONDecoder", "json.nope:x", "numpy:array",
    "numpy.linalg:norm", "nope_module:f", "nope.module:f", "os:sep", "math:sqrt", "sys:path", ":f", "os:", "a b:c",
    "yaml:safe_load", "yaml:nope", "collections.abc:Mapping", "verifier:{function}", "{function}", "", " ", "os.:x",
    ".os:x", "../x:y", "C:/verifier.py:f", "requests:get", "PIL.Image:open", "importlib:import_module",
]  # fmt: skip

MOUNTS = [
    {"target": "/scripts", "source": "scripts"}, {"target": "/scripts/", "source": "./scripts/", "mode": "rw"},
    {"target": "C:\\scripts", "source": "scripts"}, {"target": "/opt", "source": "data"},
    {"target": "/opt/deep", "source": "gone"}, {"target": "/workspace/tasks", "source": "tasks"},
    {"target": "/workspace", "source": "."}, {"target": "/", "source": "/"}, {"target": "", "source": "scripts"},
    {"target": "/mnt/data", "source": "data/x.py"}, {"target": "/SCRIPTS", "source": "../{env}/scripts"},
    {"target": "opt", "source": "data"}, {"target": "/elsewhere", "source": ""}, {"target": 5, "source": 7},
    {"target": "/opt", "source": None}, {"target": None, "source": "x"}, {"target": ["/opt"], "source": {}},
    {"target": "/\u212a", "source": "x"}, {"target": "d:/opt/", "source": "data"},
]  # fmt: skip

BAD_MOUNTS = [
    {"target": "/x"}, {"source": "x"}, {"target": "/x", "source": "y", "z": 1}, "x", 5, None, [], {},
]  # fmt: skip

IMPORTS = [
    "import json", "import os.path as p", "from collections import abc", "import numpy", "import numpy.linalg",
    "import gone_module", "from gone import x", "import beside", "import shared_task_module", "import env_module",
    "from utils_module import y", "import package_beside", "import namespace_beside", "from . import x",
    "from .gone import y", "import yaml, gone2", "try:\n    import pandas\nexcept ImportError:\n    pandas = None",
    "def late():\n    import scipy", "if False:\n    import cv2", "import __main__", "import _thread", "import utils",
    "import tasks", "import verifier", "from gym_anything.vlm import query_vlm", "import PIL.Image", "import Image",
    "import sys as numpy", "from __future__ import annotations", "import antigravity_gone", "import setuptools",
    "import pkg_resources", "import _distutils_hack", "import pip", "import site", "import sitecustomize",
]  # fmt: skip

PYTHON_PIECES = [
    "async def {function}(a): pass", "class C:\n    def {function}(self): pass",
    "def outer():\n    def {function}(): pass", "{function} = lambda: 1", "@decorator\ndef {function}(): pass",
    "if True:\n    def {function}(): pass", "try:\n    def {function}(): pass\nexcept E:\n    pass",
    "match 1:\n    case 1:\n        def {function}(): pass", "x = f'{{a!r}} {{b:>{{c}}}}'", 'x = f"{{d["k"]}}"',
    "x = f'{{a:{{b:{{c}}}}}}'", "x = f'{{*a}}'", "x = f'{{a!r }}'", "type X = int", "def g[T](x: T): pass",
    "((x) := 1)", "(y := 2)", "try:\n    pass\nelse:\n    pass", "try:\n    pass\nexcept* E:\n    pass",
    "with (open(a) as b, open(c) as d):\n    pass", "print 'hello'", "exec 'x'", "x = 0777", "x = 1_000", "x = 1__0",
    "x = 5if 1 else 2", "x = 0xfor", "return 1", "yield 1", "await x", "break", "nonlocal x", "def f(a, a): pass",
    "f(a=1, a=2)", "f(**k, *a)", "x = yield", "lambda: (yield)", "*a, = b", "a, *b, *c = d", "del f()", "f() = 1",
    "x: int = 5", "(x): int = 5", "for x in *a, b: pass", "async with a: pass", "x = ``a``", "```python", "```",
    "“quoted”", "x = ‘a’", "\u00a0x = 1", "x\u200b = 1", "\ufeffx = 1", "x = '\\N{{DIGIT ONE}}'", "x = '\\N{{nope}}'",
    "x = b'é'", "x = '\\x4'", "x = u'a' b'c'", "if x:\n\ty\n        z", "if x:\n        y\n\tz", "if x:\n    y\n  z",
    " x = 1", "\x0cx = 1", "x = (\n", "x = )", "x = [1, 2", "'''open", "x = 'open", "\\", "x = 1 \\\n+ 2", "x = 1 \\ ",
    "# coding: latin-1", "# -*- coding: nope -*-", "global {function}", "from x import *", "from x import (a, b,)",
    "from x import a,", "import a.b.c as d.e", "import", "from . import", "from .. import x", "@\ndef f(): pass",
    "class A(B, metaclass=M, x=1): pass", "def f(x, /, y, *, z): pass", "def f(*, **k): pass", "def f(*): pass",
    "def f(a=1, b): pass", "x = {{**a, 'b': 1}}", "x = {{*a, 1}}", "x = {{1: 2, *a}}", "assert(x, y)", "raise x, y",
    "None = 1", "x = None.y", "True: int", "__debug__ = 1", "def \u017ff(): pass", "def ﬁ(): pass", "x = \u00b2",
    "case = match = 1", "match x:\n    case {{'a': 1, **r}}: pass\n    case [*_]: pass\n    case A(x=1) | B(): pass",
    "match x:\n    case a: pass\n    case _: pass", "print(f'{{x=}}')", "x = rf'\\{{a}}'", "x = f'{{'", "x = f'}}'",
    "x = '''a\n'b'''", "if (a :=\n  1): pass", "x = a if b", "x = not", "not = 1", "i = 1 if else 2", "a b", "1 2", ";",
    "x = 1;", "x = 1;; y", "if x: y; z", "if x: pass\nelse pass", "while x: pass\nelse: pass", "for x in y: pass else: z",
    "def f():", "def f(): # nothing", "class C:", "if x:\n    # nothing", "@property\nx = 1", "x = [i async for i in y]",
    "async def f():\n    return [i async for i in y]", "def f():\n    x = await y", "x = (i for i in y, z)", "f(i for i in y, 1)",
    "x = {huge}", "x = {deep}", "x = {minus}", "{ladder}", "x = {adds}",
]  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    sources = sorted(path.parent for path in args.corpus.glob("*/tasks/*/task.json"))
    environments = sorted(args.corpus.glob("*/env.json"))
    if not sources or not environments:
        sys.exit(f"{args.corpus} holds no environments")
    for number in range(-(-args.tasks // TASKS_PER_ENVIRONMENT)):
        root = args.to / f"e{number:05}_env"
        make_environment(rng, root, rng.choice(environments))
        for index in range(TASKS_PER_ENVIRONMENT):
            make_task(rng, root / "tasks" / f"t{index:02}", rng.choice(sources))
    return 0


def make_environment(rng, root, source):
    (root / "tasks").mkdir(parents=True)
    for name in ["scripts/install.sh", "data/x.sh", "data/x.py", "data/y.sh", "env_module.py", "tasks/shared_task_module.py"]:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("")
    if rng.random() < 0.05:
        (root / "utils").write_text("")
    elif rng.random() < 0.7:
        (root / "utils").mkdir()
        (root / "utils/utils_module.py").write_text("")
    try:
        spec = json.loads(source.read_text())
    except ValueError:
        spec = {"id": "x@1", "base": "x11-lite"}
    if rng.random() < 0.3:
        spec = {"id": "x@1", "base": "x11-lite"}
    if rng.random() < 0.6:
        spec["mounts"] = [name_mount(rng.choice(MOUNTS), root.name) for _ in range(rng.randrange(4))]
    if rng.random() < 0.7:
        damage_environment(rng, spec, root.name)
    write_spec(rng, root / "env", spec, rng.random() < 0.1)


def name_mount(mount, env):
    return {key: value.replace("{env}", env) if isinstance(value, str) else value for key, value in mount.items()}


def damage_environment(rng, spec, env):
    blocks = ["resources", "security", "recording", "vnc", "ssh", "adb", "avd", "apptainer"]
    known = {
        "resources": "cpu", "security": "user", "recording": "video_fps", "vnc": "note", "ssh": "port", "adb": "timeout",
        "avd": "arch", "apptainer": "binds",
    }  # fmt: skip
    presets = [
        "x11-lite", "ubuntu-gnome", "ubuntu-gnome-systemd", "ubuntu-gnome-systemd_highres",
        "ubuntu-gnome-systemd_highres_gimp", "apptainer-xfce-gpu", "windows-11", "android-14", "android-avd-35",
        "android-avd-34",
    ]  # fmt: skip
    for _ in range(rng.choice([1, 1, 2, 3])):
        way = rng.randrange(14)
        if way == 0:
            spec[rng.choice(["id", "observation", "action", "mounts", "user_accounts", "hooks", "runner", "base", "apks"])] = odd(rng)
        elif way == 1:
            spec[rng.choice(blocks)] = odd(rng)
        elif way == 2:
            block = rng.choice(blocks)
            spec[block] = {rng.choice([known[block], "unknown"]): odd(rng)}
        elif way == 3:
            spec["base"] = rng.choice(presets + ["nope", 5, "", None])
            if rng.random() < 0.5:
                for key in ["observation", "action", "id", "hooks"]:
                    if rng.random() < 0.5:
                        spec.pop(key, None)
        elif way == 4:
            spec.setdefault("mounts", [])
            if isinstance(spec["mounts"], list):
                spec["mounts"].append(rng.choice(BAD_MOUNTS))
        elif way == 5:
            item = rng.choice([{"type": "rgb_screen"}, {"type": 5}, {"type": []}, {"type": None}, {}, "x", None, 5,
                               {"type": "mouse", "resolution": 5}, {"type": "x", "resolution": [1]},
                               {"type": "y", "resolution": "12"}, {"type": "rgb_screen", "resolution": True}])  # fmt: skip
            spec[rng.choice(["observation", "action"])] = [copy.deepcopy(item) for _ in range(rng.randrange(3))]
        elif way == 6:
            spec["hooks"] = {rng.choice(["pre_start", "post_start", "reset", "x"]): command(rng, "t00") for _ in range(2)}
        elif way == 7:
            spec["hooks"] = {"pre_start": odd(rng)}
        elif way == 8:
            spec["user_accounts"] = [rng.choice([{"name": "u"}, {}, {"name": "u", "permissions": {"sudo": 1}},
                                                 {"name": "u", "permissions": {"x": 1}}, {"name": "u", "permissions": None},
                                                 {"name": "u", "permissions": []}, "u", 5, {"name": None, "y": 2}])]  # fmt: skip
        elif way == 9:
            spec["runner"] = rng.choice(["docker", "avf", "nope", "", 5, ["docker"], None, "Docker"])
        elif way == 10:
            spec.pop(rng.choice(list(spec) or ["x"]), None)
        elif way == 11:
            spec["security"] = rng.choice([{"network_allowlist": ["x"]}, {"network_allowlist": 1, "ignored_fields": []},
                                           {"resolved_env": 1}, [["user", "x"]], ["ab"], [["a", "b"]], [[1, 2]], "", "ab", []])  # fmt: skip
        elif way == 12:
            spec["metadata"] = nest(rng)
        else:
            spec["resources"] = dict(spec.get("resources") or {}) if isinstance(spec.get("resources"), dict) else {}
            spec["resources"][rng.choice(["cpu", "disk"])] = 1


def odd(rng):
    return copy.deepcopy(rng.choice(ODD_VALUES))


def command(rng, task):
    return " ; ".join(rng.choice(COMMANDS).replace("{task}", task) for _ in range(rng.choice([1, 1, 1, 2, 3])))


def nest(rng):
    # Not at the limits themselves, which depend on the current call depth of Python.
    value = 1
    for _ in range(rng.choice([5, 50, 200, 400, 600, 800, 1100])):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


def levels(value):
    deepest, todo = 0, [(value, 0)]
    while todo:
        value, level = todo.pop()
        deepest = max(deepest, level)
        children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        todo.extend((child, level + 1) for child in children)
    return deepest


def make_task(rng, folder, source):
    shutil.copytree(source, folder, ignore=lambda _, names: [name for name in names if keep_out(source, name)])
    for name in ["setup_task.sh", "export_result.sh"]:
        (folder / name).touch()
    try:
        spec = json.loads((folder / "task.json").read_text())
    except ValueError:
        spec = {"id": "x@1", "success": {"mode": "program", "spec": {"program": "verifier.py::verify"}}}
    spec.setdefault("hooks", {})
    if isinstance(spec["hooks"], dict):
        # The path of the copy.
        for hook in ["pre_task", "post_task"]:
            script = "setup_task.sh" if hook == "pre_task" else "export_result.sh"
            if hook in spec["hooks"]:
                spec["hooks"][hook] = f"/workspace/tasks/{folder.name}/{script}"
    function = function_of(spec)
    text = None
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        way = rng.randrange(10)
        if way == 0:
            text = damage_text(rng, text or dump(spec))
        elif way == 1:
            damage_fields(rng, spec)
        elif way == 2:
            hooks = spec["hooks"] = spec["hooks"] if isinstance(spec.get("hooks"), dict) else {}
            hooks[rng.choice(["pre_task", "post_task"])] = command(rng, folder.name)
        elif way == 3:
            damage_success(rng, spec, folder.name, function)
        elif way in (4, 5, 6):
            damage_python(rng, folder / "verifier.py", function)
        elif way == 7:
            damage_files(rng, folder)
        elif way == 8:
            imports = "\n".join(rng.choice(IMPORTS) for _ in range(rng.choice([1, 2, 3])))
            append(folder / "verifier.py", "\n" + imports + "\n")
            for name in ["beside.py", "package_beside/__init__.py", "namespace_beside/x.py"]:
                if rng.random() < 0.5:
                    (folder / name).parent.mkdir(exist_ok=True)
                    (folder / name).touch()
        else:
            spec["metadata"] = nest(rng)
    if (folder / "task.json").is_symlink() or not (folder / "task.json").is_file():
        return
    if text is not None:
        (folder / "task.json").write_bytes(text)
    else:
        (folder / "task.json").unlink()
        write_spec(rng, folder / "task", spec, rng.random() < 0.1)


def keep_out(source, name):
    path = source / name
    return path.is_dir() or path.stat().st_size > 100_000


def function_of(spec):
    try:
        return spec["success"]["spec"]["program"].split("::")[1]
    except (AttributeError, IndexError, KeyError, TypeError):
        return "verify"


def dump(spec):
    try:
        return json.dumps(spec, indent=1).encode()
    except RecursionError:
        return b'{"id": "x", "metadata": ' + b"[" * 600 + b"]" * 600 + b"}"


def write_spec(rng, stem, spec, as_yaml):
    # Brackets nested more than 255 levels deep are an error in our YAML, and do not occur in real specs.
    if as_yaml and levels(spec) < 250:
        path = stem.with_suffix(rng.choice([".yaml", ".yml"]))
        if path.is_dir():
            return
        path.write_bytes(damage_yaml(rng, spec))
        if rng.random() < 0.3:
            stem.with_suffix(".json").write_bytes(dump(spec))
    else:
        text = dump(spec)
        stem.with_suffix(".json").write_bytes(damage_text(rng, text) if rng.random() < 0.1 else text)


def damage_yaml(rng, spec):
    # Nearly all JSON is valid YAML; the rest is damage as well.
    text = dump(spec).decode()
    if rng.random() < 0.5:
        lines = []
        for key, value in spec.items():
            try:
                lines.append(f"{key}: {json.dumps(value)}")
            except RecursionError:
                lines.append(f"{key}: 1")
        text = "\n".join(lines) + "\n"
        extra = [
            "on: 1", "yes: no", "1: 2", "a: 010", "b: 12:30", "c: 2024-02-30", "c: 2024-02-20", "d: !!str 5", "e: !x 5",
            "f: &a [1]\ng: *a", "g: *gone", "h: |\n  text\n", "i: >-\n  text", "j: 'it''s'", 'k: "\\x41"', "l: ~",
            "<<: {z: 1}", "<<: 5", "? [x]\n: 1", "- x", "\t x: 1", "m: [1, 2", "n: {a: 1", "o: a: b", "p: @x", "q: `x`",
            "r: %x", "id: id2", "hooks: {pre_task: on}", "s: =", "=: 1", "---\nx: 1", "...", "%YAML 1.1\n---\nx: 1",
            "t: 1e3", "u: 0o7", "v: .inf", "w: 'open", "x: # c", "y:#c", "z: a #c", "mounts: []", "id: yes", "id: 5",
            "id: 2024-01-01", "id: ''", "id: null", "success: {mode: program, spec: verifier.py::verify}", "é: ü",
            "\u00a0x: 1", "bb: \"a\n  b\"", "cc: !!binary aGVsbG8=", "dd: !!set {a, b}", "ee: !!omap [a: 1]", "ff: 1_0",
        ]  # fmt: skip
        for _ in range(rng.randrange(4)):
            text = text + rng.choice(extra) + "\n" if rng.random() < 0.7 else rng.choice(extra) + "\n" + text
    if rng.random() < 0.2:
        return damage_text(rng, text.encode())
    return text.encode("utf-8", "surrogatepass")


def damage_text(rng, text):
    at = rng.randrange(len(text) + 1)
    junk = [
        b"\x00", b"\xff", b"\xef\xbb\xbf", b"\n", b"\r\n", b"\t", b"//x\n", b"#x\n", b",", b"}", b"]", b'"', b"'", b"\\",
        b"NaN", b"-Infinity", b"1e999", b"0123", b"```", b"\\ud800", b"\xe2\x80\x9c", b" ", b"\x7f", b"\x1b", b"null",
    ]  # fmt: skip
    ways = [
        lambda: text[:at],
        lambda: text[:at] + text[at + 1 :],
        lambda: text[:at] + rng.choice(junk) + text[at:],
        lambda: text[:at] + text[at + rng.randrange(40) :],
        lambda: rng.choice([b"", b"null", b"[]", b"{}", b'"x"', b"5", b"[{}]", b"NaN", b" ", b"\n", b"{} {}", b"{}x"]),
        lambda: b"\xef\xbb\xbf" + text,
        lambda: text.replace(b"\n", b"\r\n"),
        lambda: text.replace(b",", b",,", 1),
        lambda: text.replace(b"{", b'{"id": 5, ', 1),
        lambda: text.rstrip(b"}\n ") + b', "id": "twice@1"}',
        lambda: text.rstrip(b"}\n ") + b",}",
        lambda: text.rstrip(b"}\n ") + b', "x": ' + rng.choice([b"NaN", b"-Infinity", b"1e999", b"9" * 50, b"9" * 5000, b"-0", b"01", b"1.", b".5", b"+1", b"True", b"'a'", b'"\\x"', b'"\\u12"', b'"\\ud83d\\ude00"', b'"\\udc00"', b"-", b'"\t"']) + b"}",
        lambda: text.decode("utf-8", "replace").encode("utf-16"),
        lambda: text.decode("utf-8", "replace").encode("latin-1", "replace"),
        lambda: text.replace(b'"', b"'"),
        lambda: b"```json\n" + text + b"\n```",
    ]  # fmt: skip
    return rng.choice(ways)()


def damage_fields(rng, spec):
    fields = {
        "init": ["init_script", "timeout_sec", "max_steps", "unknown"],
        "hooks": ["pre_task", "post_task", "pre_task_timeout", "unknown"],
        "success": ["mode", "spec", "unknown"],
    }
    top = ["id", "env_id", "version", "description", "difficulty", "tags", "init", "hooks", "success", "metadata", "x"]
    way = rng.randrange(4)
    if way == 0:
        spec[rng.choice(top)] = odd(rng)
    elif way == 1:
        spec.pop(rng.choice(list(spec) or ["x"]), None)
    else:
        block = rng.choice(list(fields))
        if not isinstance(spec.get(block), dict):
            spec[block] = {}
        if way == 2:
            spec[block][rng.choice(fields[block])] = odd(rng)
        else:
            spec[block].pop(rng.choice(list(spec[block]) or ["x"]), None)


def damage_success(rng, spec, task, function):
    def reference():
        return rng.choice(REFERENCES).replace("{task}", task).replace("{function}", function)

    def image():
        return rng.choice(["setup_task.sh", "gone.png", "", "/gone.png", "/etc/hostname", "../../scripts/install.sh",
                           "scripts/install.sh", "./setup_task.sh/", 5, None, ["x"], "x" * 300])  # fmt: skip

    def checklist():
        return rng.choice(["vlm_checklist.json", "gone.json", "", "/gone.json", "/etc/hostname", "env.json", "."])

    mode = rng.choice(["program"] * 4 + ["image_match", "multi", "vlm_checklist", "nope"])
    specs = {
        "program": lambda: rng.choice([reference(), {"program": reference()}, {"target": reference()},
                                       {"program": "", "target": reference()}, {"program": odd(rng)}, {}, odd(rng)]),
        "image_match": lambda: rng.choice([{"target": image()}, {}, odd(rng)]),
        "multi": lambda: rng.choice([{"program": reference()}, {"program": {"program": reference()}}, {"program": odd(rng)},
                                     {"image_match": {"target": image()}}, {"image_match": odd(rng)},
                                     {"program": reference(), "image_match": {"target": image()}}, odd(rng)]),
        "vlm_checklist": lambda: rng.choice([checklist(), {"checklist": checklist()}, {"checklist_path": checklist()},
                                             {"vlm_checklist": checklist()}, {"vlm_checklist": {"checklist": checklist()}},
                                             {"vlm_checklist": odd(rng)}, {"checklist": odd(rng)}, {}, odd(rng)]),
        "nope": lambda: {},
    }  # fmt: skip
    spec["success"] = {"mode": mode, "spec": specs[mode]()}


def damage_python(rng, path, function):
    try:
        source = path.read_bytes()
    except OSError:
        return
    lines = source.split(b"\n")
    at = rng.randrange(len(source) + 1)
    line = rng.randrange(len(lines))
    piece = rng.choice(PYTHON_PIECES).format(
        function=function, huge="9" * rng.choice([4000, 4300, 4301, 6000]), deep="(" * 150 + "1" + ")" * 150,
        minus="-" * rng.choice([100, 1000, 2000, 4000, 9000]) + "1",
        ladder="".join(" " * level + "if x:\n" for level in range(rng.choice([5, 98, 99, 100, 101]))) + " " * 101 + "x",
        adds="1" + "+1" * rng.choice([100, 1000, 2000, 4000]),
    )  # fmt: skip
    piece = piece.encode("utf-8", "surrogatepass")
    indent = lines[line][: len(lines[line]) - len(lines[line].lstrip())]
    ways = [
        lambda: source[:at],
        lambda: source[:at] + source[at + 1 :],
        lambda: source[:at] + rng.choice([b"\x00", b"\xff", b"\xef\xbb\xbf", b"\t", b"`", b"(", b")", b'"', b"'''", b"\\", b"\r", b"\x0c", b"{", b":", b"\xc2\xa0", b" ", b"\n"]) + source[at:],
        lambda: b"\n".join(lines[:line] + lines[line + 1 :]),
        lambda: b"\n".join(lines[:line] + [indent + part for part in piece.split(b"\n")] + lines[line:]),
        lambda: source + b"\n" + piece + b"\n",
        lambda: piece + b"\n" + source,
        lambda: piece,
        lambda: source.replace(b"\n", b"\r\n"),
        lambda: source.replace(b"\n", b"\r"),
        lambda: source.replace(b"    ", b"\t"),
        lambda: b"\n".join(lines[:line] + [lines[line].replace(b"    ", b"\t")] + lines[line + 1 :]),
        lambda: b"\n".join(lines[:line] + [b" " + lines[line]] + lines[line + 1 :]),
        lambda: b"\n".join(lines[:line] + [lines[line].lstrip()] + lines[line + 1 :]),
        lambda: b"\xef\xbb\xbf" + source,
        lambda: source.decode("utf-8", "replace").encode("utf-16"),
        lambda: b"# \xe9\n" + source,
        lambda: b"```python\n" + source + b"\n```\n",
        lambda: source.replace(function.encode(), function.encode() + b"_x"),
        lambda: b"",
        lambda: b"\n".join(lines[:line] + lines[line : line + 3][::-1] + lines[line + 3 :]),
        lambda: source.replace(rng.choice([b"(", b")", b":", b",", b"=", b"def", b"return", b"if", b"'", b'"']), b"", 1),
    ]  # fmt: skip
    path.write_bytes(rng.choice(ways)())


def damage_files(rng, folder):
    def replace(name, make):
        path = folder / name
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
        make(path)

    name = rng.choice(["verifier.py", "verifier.py", "setup_task.sh", "export_result.sh", "task.json"])
    target = rng.choice(["../t00/" + name, "gone", name, "/dev/null", ".", "setup_task.sh"])
    ways = [
        lambda: replace(name, lambda path: None),
        lambda: replace(name, lambda path: path.mkdir()),
        lambda: replace(name, lambda path: path.symlink_to(target)),
        lambda: (folder / name).exists() and os.chmod(folder / name, 0),
        lambda: replace(name, lambda path: path.touch()),
        lambda: (folder / "task.yaml").write_text(rng.choice(["id: y@1", "", "id: [", "- 1", "5"])),
        lambda: (folder / "task.yml").mkdir(exist_ok=True),
        lambda: (folder / "__pycache__").mkdir(exist_ok=True),
    ]
    rng.choice(ways)()


def append(path, text):
    try:
        path.write_bytes(path.read_bytes() + text.encode())
    except OSError:
        pass


if __name__ == "__main__":
    sys.exit(main())
