"""Where tasks are done: objects with the methods of gym-anything's environments.

    reset() -> observation
    step(actions, mark_done=False) -> observation, reward, done, info

At the end `info["verifier"]` is the verdict. `close()` ends what was started.
"""

import json
import os
import pathlib
import struct
import subprocess
import tempfile
import time
import tomllib
import uuid

HARBOR = pathlib.Path(__file__).resolve().parent / "harbor"

# Seconds that an application gets to react to the actions of a turn.
SETTLE = 1.0
# The longest time that an agent may wait at once, and that a command may take, in seconds.
LONGEST_WAIT, LONGEST_COMMAND = 60.0, 120.0

SCREEN = "import -silent -window root png:- 2>/dev/null || { scrot -o /tmp/.screen.png && cat /tmp/.screen.png; }"
WINDOWS = "wmctrl -lG 2>/dev/null || xwininfo -root -tree"

KEYS = {
    "enter": "Return", "return": "Return", "esc": "Escape", "escape": "Escape", "backspace": "BackSpace", "tab": "Tab",
    "space": "space", "control": "ctrl", "ctrl": "ctrl", "alt": "alt", "shift": "shift", "delete": "Delete",
    "meta": "Super_L", "super": "Super_L", "cmd": "Super_L", "up": "Up", "down": "Down", "left": "Left",
    "right": "Right", "home": "Home", "end": "End", "pageup": "Page_Up", "pagedown": "Page_Down",
}  # fmt: skip


def gym_anything(environments):
    """Environments in this folder, with the runner that gym-anything selects. Mounts are relative to the working
    directory: it has to be the checkout of gym-anything."""
    from gym_anything import from_config

    return lambda sample: from_config(pathlib.Path(environments) / sample["env"], sample["task"])


class Container:
    """A task in a container of its environment's image, which harbor/build_images.sh builds.

    The container lives as long as this process, at most: its first process reads from a pipe that this one holds.
    """

    def __init__(self, sample, docker=os.environ.get("DOCKER", "docker"), network=None):
        self.folder = HARBOR / "tasks" / f"{sample['env']}__{sample['task']}"
        self.spec = tomllib.loads((self.folder / "task.toml").read_text())
        self.docker, self.network = docker, network
        self.name = f"grasp-{uuid.uuid4().hex[:16]}"
        self.place = tempfile.TemporaryDirectory(prefix="grasp-")
        self.process, self.frames = None, 0

    def reset(self):
        environment = self.spec["environment"]
        self.start(environment)
        self.put(self.folder / "environment", environment["workdir"])
        health = environment["healthcheck"]
        self.run(["sh", "-c", health["command"]], timeout=health["timeout_sec"])
        return self.observe()

    def step(self, actions, mark_done=False):
        errors = [error for error in map(self.act, actions) if error]
        if actions:
            time.sleep(SETTLE)
        if mark_done:
            verdict = self.verify()
            return {}, float(verdict.get("passed") is True), True, {"verifier": verdict}
        return {**self.observe(), "error": "; ".join(errors)}, 0.0, False, {}

    def close(self):
        if self.process:
            self.process.stdin.close()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                subprocess.run([self.docker, "rm", "--force", self.name], capture_output=True)
                self.process.wait()
        self.place.cleanup()

    def start(self, environment):
        options = ["--workdir", environment["workdir"], "--env", f"DISPLAY={environment['env']['DISPLAY']}"]
        if environment["network_mode"] == "no-network":
            options += ["--network", "none"]
        elif self.network:
            options += ["--network", self.network]
        if "cpus" in environment:
            options += ["--cpus", str(min(environment["cpus"], os.cpu_count() or 1))]
        if "memory_mb" in environment:
            options += ["--memory", f"{environment['memory_mb']}m"]
        command = [self.docker, "run", "--rm", "--interactive", "--init", "--pull", "never", "--name", self.name]
        log = pathlib.Path(self.place.name) / "log"
        with log.open("wb") as errors:
            self.process = subprocess.Popen([*command, *options, "--entrypoint", "cat", environment["docker_image"]],
                                            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors)
        deadline = time.monotonic() + LONGEST_COMMAND
        while subprocess.run([self.docker, "exec", self.name, "true"], capture_output=True).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the container does not start: {log.read_text(errors='replace')[-1000:]}")
            time.sleep(0.2)

    def run(self, command, user="root", timeout=LONGEST_COMMAND):
        """What a command in the container prints."""
        done = subprocess.run([self.docker, "exec", "--user", user, self.name, *command], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
        if done.returncode:
            said = (done.stdout + done.stderr).decode(errors="replace")[-1000:]
            raise RuntimeError(f"{' '.join(command)[:200]} ended with {done.returncode}: {said}")
        return done.stdout

    def put(self, source, target):
        """Copies the content of a folder into one of the container."""
        self.run(["mkdir", "-p", target])
        if source.is_dir():
            subprocess.run([self.docker, "cp", f"{source}/.", f"{self.name}:{target}"], check=True, capture_output=True)

    def observe(self):
        user = self.spec["agent"]["user"]
        path = pathlib.Path(self.place.name) / f"frame_{self.frames:05}.png"
        png = self.run(["sh", "-c", SCREEN], user)
        path.write_bytes(png)
        self.frames += 1
        # A PNG begins with 16 bytes and its width and height.
        size = struct.unpack(">II", png[16:24])
        windows = self.run(["sh", "-c", WINDOWS], user).decode(errors="replace")
        return {"screen": {"path": str(path), "resolution": size}, "ui_tree": {"text": windows}}

    def act(self, action):
        """Does an action. Returns why it failed, if it did: a key, for example, may have another name."""
        if action.get("action") == "wait":
            time.sleep(min(max(float(action.get("seconds", 1)), 0), LONGEST_WAIT))
        try:
            for command in xdotool(action):
                self.run(["xdotool", *command], self.spec["agent"]["user"])
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            return str(error)
        return None

    def verify(self):
        self.put(self.folder / "tests", "/tests")
        self.run(["bash", "/tests/test.sh"], timeout=self.spec["verifier"]["timeout_sec"])
        return json.loads(self.run(["cat", "/logs/verifier/verdict.json"]))


def xdotool(action):
    """The commands of xdotool that do an action of gym-anything."""
    mouse, keyboard = action.get("mouse") or {}, action.get("keyboard") or {}
    clicks = {"left_click": ("1", 1), "right_click": ("3", 1), "double_click": ("1", 2), "triple_click": ("1", 3)}
    for name, (button, times) in clicks.items():
        if name in mouse:
            yield ["mousemove", *pixels(mouse[name]), "click", "--repeat", str(times), "--delay", "80", button]
    for name, button in (("left_click_drag", "1"), ("right_click_drag", "3")):
        if name in mouse:
            start, end = mouse[name]
            yield ["mousemove", *pixels(start), "mousedown", button, "mousemove", *pixels(end), "mouseup", button]
    if "move" in mouse:
        yield ["mousemove", *pixels(mouse["move"])]
    if mouse.get("scroll"):
        lines = int(mouse["scroll"])
        yield ["click", "--repeat", str(abs(lines)), "--delay", "20", "5" if lines > 0 else "4"]
    if keyboard.get("text"):
        yield ["type", "--delay", "5", "--", keyboard["text"]]
    if keyboard.get("keys"):
        yield ["key", "--", "+".join(KEYS.get(key.lower(), key) for key in keyboard["keys"])]


def pixels(point):
    return [str(int(number)) for number in point]
