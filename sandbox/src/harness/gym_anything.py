"""A substitute for what gym-anything gives a verifier: three arguments and the module `gym_anything.vlm`."""

import _thread
import errno
import json
import os
import struct
import sys
import types
import zlib


def install_gym_anything():
    """Makes the parts of gym-anything importable that verifiers use. Each run sets `query_vlm`."""
    package = types.ModuleType("gym_anything")
    package.__path__ = []
    package.vlm = types.ModuleType("gym_anything.vlm")
    package.vlm.sample_trajectory_frames = sample_trajectory_frames
    package.vlm.get_final_screenshot = get_final_screenshot
    package.vlm.get_first_screenshot = get_first_screenshot
    package.vlm.parse_vlm_json = parse_vlm_json
    package.vlm.extract_boolean = extract_boolean
    sys.modules["gym_anything"] = package
    sys.modules["gym_anything.vlm"] = package.vlm


def function_arguments(keeper, state, contents):
    """The three arguments of a verifier."""
    tmp = keeper.server.tmp
    frames = episode(tmp)[:-1]
    traj = {
        "steps": [],
        "episode_dir": os.path.join(tmp, "episode"),
        "frames": frames,
        "final_screenshot": episode(tmp)[-1],
        "post_verification_screenshot": None,
        "first_frame": frames[0],
        "last_frame": frames[-1],
        "step_frames": dict(enumerate(frames)),
    }
    if keeper.task["live"]:
        container = LiveContainer(state, question=keeper.server.report + 1, answer=keeper.server.report + 2)
    else:
        container = Container(contents, state)
    sys.modules["gym_anything.vlm"].query_vlm = container.query_vlm
    env_info = {
        "env_id": keeper.task["env_id"],
        "episode_dir": traj["episode_dir"],
        "copy_from_env": container.copy_from_env,
        "copy_to_env": container.copy_to_env,
        "exec_capture": container.exec_capture,
        "query_vlm": container.query_vlm,
        "sample_trajectory_frames": sample_trajectory_frames,
        "get_final_screenshot": get_final_screenshot,
        "get_first_screenshot": get_first_screenshot,
    }
    return traj, env_info, keeper.task["task_info"]


class Container:
    """The environment of a state. It holds the content of files and the answers, and no name of the state."""

    __slots__ = ("_answer", "_files", "_output", "_any_file", "_any_json")

    def __init__(self, contents, state):
        self._files = contents
        self._output = state["commands"]
        otherwise = {"missing": (None, None), "empty": (b"", b"{}"), "garbled": (GARBLED, GARBLED)}
        self._any_file, self._any_json = otherwise[state["otherwise"]]
        self._answer = vlm_answer(state["vlm"])

    def copy_from_env(self, source, destination):
        path = os.fspath(source)
        content = self._files.get(path)
        if content is None:
            content = self._any_json if path.lower().endswith(".json") else self._any_file
        if content is None:
            raise FileNotFoundError(errno.ENOENT, "no such file in the environment", path)
        self._deliver(content, path, destination)

    def _deliver(self, content, path, destination):
        if os.path.isdir(destination):
            destination = os.path.join(destination, os.path.basename(path.replace("\\", "/")))
        with open(destination, "wb") as file:
            file.write(content)

    def copy_to_env(self, source, destination):
        return None

    def exec_capture(self, command, *_, **__):
        return self._output.get(command, "") if type(command) is str else ""

    def query_vlm(self, prompt, images=None, image=None, max_tokens=2048, temperature=0.1, top_p=0.95, config=None):
        return dict(self._answer)


class LiveContainer(Container):
    """A real environment. The keeper passes questions on to the program that runs it: see `link.py`."""

    __slots__ = ("_question_pipe", "_answer_pipe", "_lock")

    def __init__(self, state, question, answer):
        super().__init__({}, state)
        self._question_pipe, self._answer_pipe = question, answer
        self._lock = _thread.allocate_lock()

    def copy_from_env(self, source, destination):
        path = os.fspath(source)
        self._deliver(self._ask({"copy_from": path}, path), path, destination)

    def exec_capture(self, command, *_, **__):
        if type(command) is not str:
            return ""
        return self._ask({"exec": command}, command).decode(errors="replace")

    def _ask(self, question, name):
        data = json.dumps(question).encode() + b"\n"
        with self._lock:
            while data:
                data = data[os.write(self._question_pipe, data) :]
            status, size = ANSWER.unpack(self._read(ANSWER.size))
            content = self._read(size)
        if status == ANSWERED:
            return content
        message = content.decode(errors="replace")
        if status == NOT_FOUND:
            raise FileNotFoundError(errno.ENOENT, message, name)
        raise OSError(errno.EIO, message, name)

    def _read(self, size):
        parts = []
        while size:
            part = os.read(self._answer_pipe, min(size, 1 << 20))
            if not part:
                raise OSError(errno.EIO, "the environment does not answer")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def vlm_answer(mode):
    """What query_vlm returns in a state: {"parsed": …}, "agrees", "sees_nothing" or "unavailable"."""
    if mode == "unavailable":
        return {"success": False, "response": "", "parsed": {}, "error": "no model is configured"}
    if mode == "agrees":
        parsed, response = Agreeable(), "YES"
    elif mode == "sees_nothing":
        parsed, response = {}, "{}"
    else:
        parsed, response = mode["parsed"], json.dumps(mode["parsed"])
    return {"success": True, "response": response, "parsed": parsed, "error": ""}


def parse_vlm_json(response_text):
    """The object in a model's answer, or an empty one."""
    try:
        parsed = json.loads(response_text)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def extract_boolean(response, key, default=False):
    """The value of a key in a model's answer, as a Boolean."""
    value = response.get("parsed", {}).get(key, default)
    return value.lower() in ("true", "yes", "1") if isinstance(value, str) else bool(value)


class Agreeable(dict):
    """The answer of a vision model in a state where the task is done: yes, to any question."""

    def get(self, key, default=None):
        return True

    def __missing__(self, key):
        return True

    def __contains__(self, key):
        return True

    def __bool__(self):
        return True


def sample_trajectory_frames(traj, num_samples=3, include_first=True, include_last=True):
    """The first `num_samples` frames of the episode."""
    return list(traj.get("frames", []))[:num_samples]


def get_final_screenshot(traj):
    return traj.get("final_screenshot")


def get_first_screenshot(traj):
    return traj.get("first_frame")


def episode(tmp):
    """The paths of the episode's screenshots: a few frames, then the final one."""
    names = ["frame_00000.png", "frame_00001.png", "frame_00002.png", "final.png"]
    return [os.path.join(tmp, "episode", name) for name in names]


def black_png(width, height):
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + bytes(3 * width)) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


SCREENSHOT = black_png(64, 36)

# Neither UTF-8 nor JSON nor any file format.
GARBLED = b"\xff\xfe\x00\x80" + bytes(range(255, 127, -1)) * 4
