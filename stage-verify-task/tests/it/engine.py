#!/usr/bin/env python3
"""A container engine for tests: the command line of docker, with a folder for each container and no isolation.

Scripts of tests run in the container's folder, `$ROOT`. `engine.json` beside this program configures faults. Every call is
a line in `calls.txt`.
"""

import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
CONFIG = json.loads((HERE / "engine.json").read_text())
CONTAINERS, IMAGES = HERE / "containers", HERE / "images"


def option(arguments, name):
    return arguments[arguments.index(name) + 1]


def fail(message):
    print(message, file=sys.stderr)
    sys.exit(1)


def image_path(name):
    return IMAGES / name.replace("/", "_").replace(":", "_")


def xwd():
    """A screen of four pixels, in one colour or in several."""
    fields = [0] * 25
    fields[0], fields[1], fields[4], fields[5], fields[11], fields[12] = 100, 7, 2, 2, 32, 8
    fields[14], fields[15], fields[16] = 0xFF0000, 0xFF00, 0xFF
    pixels = bytes(16) if CONFIG.get("blank") else bytes(range(16))
    return struct.pack(">25I", *fields) + pixels


def look(root):
    windows = (root / "windows").read_text() if (root / "windows").exists() else ""
    # Names, or names and the ids of their parents; ids start at 2.
    names = (root / "ps").read_text().split() if (root / "ps").exists() else []
    parts = [(number, *name.partition(":")) for number, name in enumerate(names, 2)]
    processes = "".join(f"{number} S {parent or 0} {name}\n" for number, name, _, parent in parts)
    return b"\0".join([windows.encode(), processes.encode(), b"104857600\n", b"app 1.2-3\n", xwd()])


def run(arguments):
    name, image = option(arguments, "--name"), arguments[arguments.index("sh") + 1]
    root = CONTAINERS / name
    if not image_path(image).exists():
        fail(f"Unable to find image '{image}' locally")
    root.mkdir(parents=True)
    shutil.copytree(image_path(image), root, dirs_exist_ok=True)
    for mount in re.findall(r'"source=([^"]*)","target=([^"]*)"', " ".join(arguments)):
        target = root / mount[1].lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(mount[0])
    (root / "run/verify-task").mkdir(parents=True, exist_ok=True)
    (root / "arguments").write_text("\n".join(arguments))
    print("ready", flush=True)
    sys.stdin.read()
    shutil.rmtree(root)


def execute(arguments):
    at = arguments.index("sh")
    name, (text, marker) = arguments[at - 1], arguments[-2:]
    root = CONTAINERS / name
    if not root.exists():
        fail(f"No such container: {name}")
    if CONFIG.get("dies_at") and CONFIG["dies_at"] in text:
        fail("Cannot connect to the Docker daemon")
    if (root / "processes_used_up").exists():
        fail("sh: 1: Cannot fork")
    if "Prints what a machine shows" in text:
        output, status = look(root), 0
    elif "Ends the programs behind all windows" in text:
        (root / CONFIG.get("forgets", "nothing")).unlink(missing_ok=True)
        output, status = b"", 0
    else:
        # Absolute paths of the container become paths of its folder.
        text = re.sub(r"(?<![\w.$}/])/(tmp|run|workspace|solution)\b", rf"{root}/\1", text)
        ran = subprocess.run(["sh", "-c", text], env={**os.environ, "ROOT": str(root), "HOME": str(root)}, cwd=root,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output, status = ran.stdout, ran.returncode
    sys.stdout.buffer.write(output + f"\n{marker} {status}\n".encode())


def main():
    command, *arguments = sys.argv[1:]
    with open(HERE / "calls.txt", "a") as calls:
        calls.write(" ".join([command, *arguments]).split("\n")[0][:300] + "\n")
    if CONFIG.get("is_down"):
        fail("Cannot connect to the Docker daemon at unix:///nowhere. Is the docker daemon running?")
    if command == "version":
        print("1.0")
    elif command == "image":
        path = image_path(arguments[-1])
        print(f"sha256:{path.name}") if path.exists() else fail(f"Error: No such image: {arguments[-1]}")
    elif command == "run":
        run(arguments)
    elif command == "exec":
        execute(arguments)
    elif command == "commit":
        source, tag = arguments[-2:]
        shutil.copytree(CONTAINERS / source, image_path(tag), symlinks=False,
                        ignore=shutil.ignore_patterns("workspace", "arguments"))
    elif command == "images":
        for path in sorted(IMAGES.iterdir()):
            if path.name.startswith("verify-task"):
                print(f"{path.name}\t5MB\t2 days ago")
    elif command in ("rm", "rmi"):
        shutil.rmtree(CONTAINERS / arguments[-1] if command == "rm" else image_path(arguments[-1]), ignore_errors=True)
    else:
        fail(f"unknown command {command}")


main()
