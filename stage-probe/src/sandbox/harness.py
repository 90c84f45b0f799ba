"""Runs verifiers inside the sandbox. Speaks with stage-probe over its standard input and output.

Three kinds of process, each forked from the one before:

  server  one per worker; has Python and the usual modules loaded; is process 1 of its PID namespace
  keeper  one per task; writes the task's files where the verifier looks for them, compiles it, keeps time
  run     one per state and repetition; the only one in which code of the task is executed

Code of the task is never executed in the first two, and what a run may do was settled before it starts: it
has a PID namespace, a /tmp and a root of its own, no capability, and a filter on system calls. So one run
cannot reach another, whatever it does to its own interpreter.
"""

import _queue
import _thread
import base64
import binascii
import collections
import ctypes
import errno
import gc
import importlib.machinery
import importlib.util
import json
import os
import resource
import select
import shutil
import signal
import struct
import sys
import time
import types
import zlib

# What verifiers import most. Loaded once here, it is there in every run.
PRELOADED = """
    calendar configparser copy csv dataclasses datetime decimal difflib email enum fnmatch fractions functools
    glob gzip hashlib html html.parser inspect io itertools logging math operator pathlib pprint random re
    secrets shlex sqlite3 statistics string subprocess tarfile tempfile textwrap threading traceback typing
    unicodedata urllib.parse urllib.request uuid xml.dom.minidom xml.etree.ElementTree zipfile
""".split()

CLONE_NEWNS, CLONE_NEWPID = 0x00020000, 0x20000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT = 1, 2, 4, 32
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
SECCOMP_MODE_FILTER = 2
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446

MAX_REPORT = 1 << 18
MAX_OUTPUT = 1 << 12

# What is imported by now, by name: going through all modules in each run would copy a page for each.
CTYPES_MODULES = ("ctypes", "_ctypes", "ctypes._endian")

libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    """Calls a function of the C library; its failure is an OSError that names it."""
    result = getattr(libc, name)(*arguments)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


# --- server ---------------------------------------------------------------------------------------------


class Server:
    """What was settled when the worker started."""

    def __init__(self, config):
        self.confined = config["confined"]
        self.seccomp = bytes.fromhex(config["seccomp"])
        self.limits = config["limits"]
        self.bench = os.path.join(config["root"], "bench")
        self.tmp = os.path.join(config["root"], "tmp")
        self.requests = sys.stdin.buffer
        # What a module prints while it is loaded must not end up among the replies.
        self.replies = os.dup(1)
        self.null = os.open(os.devnull, os.O_RDWR)
        os.dup2(self.null, 1)
        self.pid_namespace = None
        if self.confined:
            call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            self.pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY)
            mount_tmpfs("/proc", "size=4k", MS_RDONLY)
        self.landlock = libc.syscall(LANDLOCK_CREATE, None, 0, 1)
        for name in PRELOADED:
            __import__(name)
        pretend_gym_anything()
        # Verifiers start another Python to install what they miss. Without a network that takes long to fail.
        sys.executable = os.devnull
        os.dup2(self.null, 2)
        gc.freeze()

    def reply(self, message):
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(self.replies, data) :]

    def serve(self):
        self.reply({"ready": {"landlock": self.landlock}})
        while line := self.requests.readline():
            request = json.loads(line)
            files = [(name, self.requests.read(size)) for name, size in request.pop("files")]
            pid = os.fork()
            if pid == 0:
                self.keep(request, files)
            _, status = os.waitpid(pid, 0)
            if self.confined:
                kill_all_others()
            self.reply({"end": ended(status)})

    def keep(self, request, files):
        """The life of a keeper."""
        status = 1
        try:
            limit(resource.RLIMIT_AS, self.limits["memory"])
            Keeper(self, request, files).work()
            status = 0
        except BaseException as error:
            self.reply({"broken": f"{type(error).__name__}: {error}"})
        finally:
            os._exit(status)


def kill_all_others():
    """Ends whatever is left in the PID namespace of which this is process 1."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass


def mount_tmpfs(path, options, flags=0):
    call("mount", b"tmpfs", os.fsencode(path), b"tmpfs", flags | MS_NOSUID | MS_NODEV, options.encode())


def limit(what, most):
    resource.setrlimit(what, (most, most))


def ended(status):
    """How a process ended, from what waitpid said."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return next((known.name for known in signal.Signals if known == number), f"SIG{number}")
    return f"exit {os.WEXITSTATUS(status)}"


def pretend_gym_anything():
    """Makes what verifiers import from gym-anything importable. A run fills in what it returns."""
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


# --- keeper ---------------------------------------------------------------------------------------------


class Keeper:
    """Runs one verifier in each of its states."""

    def __init__(self, server, request, files):
        self.server = server
        self.task = request
        self.env_root = os.path.join(server.bench, request["env"])
        self.task_root = os.path.join(self.env_root, "tasks", request["task"])
        self.verifier = os.path.join(self.task_root, request["verifier"])
        if server.confined:
            call("unshare", CLONE_NEWNS)
            mount_tmpfs(server.bench, "size=64m")
        else:
            shutil.rmtree(server.bench, ignore_errors=True)
        for name, content in files:
            write_file(os.path.join(self.env_root, name), content)
        os.makedirs(self.task_root, exist_ok=True)
        if server.confined:
            mount_tmpfs(server.bench, "", MS_REMOUNT | MS_RDONLY)
        self.beside = {os.path.basename(name)[:-3]: text for name, text in files if name.endswith(".py")}
        self.source = dict(files).get(f"tasks/{request['task']}/{request['verifier']}", b"")

    def work(self):
        try:
            tree = ast.parse(self.source, self.verifier)
            code = compile(tree, self.verifier, "exec")
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            self.server.reply({"uncompilable": f"{type(error).__name__}: {error}"})
            return
        self.load_packages(tree)
        for number, state in enumerate(self.task["states"]):
            try:
                deliver = deliveries(state)
            except Unreadable as error:
                self.server.reply({"unreadable": {"state": number, "why": str(error)}})
                if state["vlm"] != "unavailable":
                    continue
                # That there is no model is what this state is about; empty files do as well.
                deliver, state["otherwise"] = {}, "empty"
            for _ in range(self.task["repeat"]):
                self.server.reply({"run": {"state": number, **self.run(code, state, deliver)}})

    def load_packages(self, tree):
        """Loads what is installed of what the verifier imports, so that its runs need not. What lies beside
        the verifier is the task's own code: it is followed to what it imports, and not loaded."""
        trees, seen = [tree], set()
        while trees:
            for name in set(imported(trees.pop())) - seen:
                seen.add(name)
                source = self.beside.get(name.rpartition(".")[2])
                try:
                    if source is None:
                        __import__(name)
                    else:
                        trees.append(ast.parse(source))
                except BaseException:  # The verifier meets it again, and may be prepared for it.
                    pass
        if "numpy" in sys.modules:
            import numpy.random  # Loaded when it is first used, which is in each run: see `begin_run`.

    def run(self, code, state, deliver):
        """Runs the verifier once. What is returned is all that the run could influence."""
        started = time.monotonic()
        report, report_end = os.pipe()
        output, output_end = os.pipe()
        # A list, so that the run can take the token out of every frame that it has inherited.
        secret = [os.urandom(16)]
        self.new_tmp()
        if self.server.confined:
            call("unshare", CLONE_NEWPID)
        pid = os.fork()
        if pid == 0:
            os.dup2(report_end, 3)
            os.dup2(output_end, 1)
            os.dup2(output_end, 2)
            begin_run(self, code, state, deliver, secret)
        if self.server.confined:
            call("setns", self.server.pid_namespace, CLONE_NEWPID)
        os.close(report_end)
        os.close(output_end)
        deadline = started + self.task["seconds"]
        answer, printed, in_time = listen(report, output, deadline)
        os.close(report)
        os.close(output)
        # Nothing more can be heard of it. Where it is ending by itself, that is how it ended.
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        self.drop_tmp()
        genuine = answer.startswith(secret[0])
        return {
            "report": answer[len(secret[0]) :].decode(errors="replace") if genuine else None,
            "tampered": bool(answer) and not genuine,
            "ended": ended(status) if in_time else "timeout",
            "output": printed.decode(errors="replace"),
            "seconds": time.monotonic() - started,
        }

    def new_tmp(self):
        if self.server.confined:
            mount_tmpfs(self.server.tmp, f"size={self.server.limits['disk']},nr_inodes=4096")
        else:
            shutil.rmtree(self.server.tmp, ignore_errors=True)
            os.makedirs(self.server.tmp)
        for path in episode(self.server.tmp):
            write_file(path, SCREENSHOT)

    def drop_tmp(self):
        if self.server.confined:
            call("umount2", os.fsencode(self.server.tmp), MNT_DETACH)


def imported(tree):
    """The modules that a source imports by their absolute names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module


def write_file(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def listen(report, output, deadline):
    """Reads both pipes to their end, or until it is too late. The end of the run's PID namespace closes
    them, so it cannot be missed."""
    kept = {report: b"", output: b""}
    most = {report: MAX_REPORT, output: MAX_OUTPUT}
    poll = select.poll()
    poll.register(report, select.POLLIN)
    poll.register(output, select.POLLIN)
    waiting = 2
    while waiting:
        left = deadline - time.monotonic()
        if left <= 0:
            return kept[report], kept[output], False
        for descriptor, _ in poll.poll(left * 1000):
            data = os.read(descriptor, 1 << 16)
            if not data:
                poll.unregister(descriptor)
                waiting -= 1
            elif len(kept[descriptor]) < most[descriptor]:
                kept[descriptor] = (kept[descriptor] + data)[: most[descriptor]]
    return kept[report], kept[output], True


# --- run ------------------------------------------------------------------------------------------------


def begin_run(keeper, code, state, deliver, secret):
    """The life of a run, from the fork on. It never returns.

    The verifier gets a thread of its own, with no frame of Python above it, while this thread waits to
    report what it returned. So the verifier finds neither the token that makes a report genuine nor the
    code that writes it, though both are in the same process: see `introspection_hook`.
    """
    try:
        os.closerange(4, 1 << 16)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        os.chdir(keeper.server.tmp)
        settle_signals()
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed()
        environment = environment_of(keeper, state, deliver)
        limit(resource.RLIMIT_CPU, keeper.task["seconds"])
        confine(keeper.server)
        forget_ctypes()
        answers = _queue.SimpleQueue()
        attempt = make_attempt(code, keeper)
        # All of C: what calls `attempt`, and what hands over its answer, has no frame to climb to.
        steps = map(answers.put, map(attempt, [environment]))
        describe, finish = make_reporter()
        sys.addaudithook(globals().pop("introspection_hook"))
        _thread.start_new_thread(collections.deque(maxlen=0).extend, (steps,))
        del keeper, code, state, deliver, environment, attempt, steps
        finish(secret.pop(), describe(answers.get()))
    except BaseException as error:
        os.write(2, f"the probe could not start: {type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(70)


def settle_signals():
    for number in (signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)


def confine(server):
    """Gives up everything that the verifier must not have. The last step is the filter on system calls."""
    limits = server.limits
    limit(resource.RLIMIT_FSIZE, limits["file"])
    limit(resource.RLIMIT_NOFILE, limits["descriptors"])
    limit(resource.RLIMIT_NPROC, limits["processes"])
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_MEMLOCK, 0)
    steps = [restrict_files, filter_system_calls]
    if server.confined:
        steps.insert(0, lambda server: drop_capabilities())
    for step in steps:
        try:
            call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            step(server)
        except OSError:
            if server.confined:
                raise


def drop_capabilities():
    version_3, this_process = 0x20080522, 0
    call("capset", struct.pack("Ii", version_3, this_process), bytes(24))


def restrict_files(server):
    """Landlock: reads everywhere below the root that is left, writes below /tmp only, no TCP, and neither
    signals nor abstract sockets to anything outside."""
    version = server.landlock
    if version < 1:
        raise OSError(errno.ENOSYS, "this kernel has no Landlock")
    read = 0b1101  # execute, read a file, read a folder
    everything = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)) - 1
    devices = 1 << 6 | 1 << 11  # make a character device, make a block device
    write_file_only = 1 << 1 | (1 << 14 if version >= 3 else 0)
    tcp = 0b11 if version >= 4 else 0
    scopes = 0b11 if version >= 6 else 0
    attributes = struct.pack("QQQ", everything, tcp, scopes)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = call("syscall", LANDLOCK_CREATE, attributes, size, 0)
    allowed = [("/", read), (server.tmp, everything & ~devices), ("/dev/null", read & 0b0100 | write_file_only)]
    for path, access in allowed:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
        call("syscall", LANDLOCK_ADD, rules, 1, struct.pack("=Qi", access, beneath), 0)
        os.close(beneath)
    call("syscall", LANDLOCK_RESTRICT, rules, 0)
    os.close(rules)


def filter_system_calls(server):
    program = ctypes.create_string_buffer(server.seccomp, len(server.seccomp))
    header = struct.pack("HxxxxxxP", len(server.seccomp) // 8, ctypes.addressof(program))
    call("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0)


def forget_ctypes():
    """Takes the way to the process's memory away that was open until now."""
    for name in ("ctypes", "libc"):
        globals().pop(name)
    for name in CTYPES_MODULES:
        sys.modules.pop(name, None)


def introspection_hook(event, arguments, names_code=sys.version_info >= (3, 9)):
    """Keeps Python code from reaching the frames and the memory of the thread that reports. An audit hook
    cannot be taken back. An exception leads to this one's frame, so nothing of it may be in a variable that
    outlives a call: what is denied is constants. Before Python 3.9, loading any module made code."""
    if (
        event in (
            "gc.get_objects",
            "gc.get_referents",
            "gc.get_referrers",
            "sys._current_exceptions",
            "sys._current_frames",
            "sys.monitoring.register_callback",
            "sys.setprofile",
            "sys.settrace",
        )
        or (event == "code.__new__" and names_code)
        or event[:7] == "ctypes."
        or (event == "import" and arguments[0] in ("ctypes", "_ctypes"))
    ):
        raise PermissionError("the probe does not allow " + event)


def make_attempt(code, keeper):
    """What the verifier's thread executes: import, as gym-anything does it, and one call."""
    verifier, function = keeper.verifier, keeper.task["function"]
    roots = [keeper.task_root, os.path.dirname(keeper.task_root), keeper.env_root]
    roots.append(os.path.join(keeper.env_root, "utils"))

    def attempt(environment):
        phase = "import"
        try:
            usual = list(sys.path)
            sys.path[:0] = [root for root in roots if os.path.isdir(root)]
            spec = importlib.util.spec_from_file_location("task_verifier", verifier)
            module = importlib.util.module_from_spec(spec)
            exec(code, module.__dict__)
            sys.path[:] = usual
            verify = getattr(module, function)
            phase = "call"
            return "returned", verify(*environment)
        except BaseException as error:
            return "raised", raised(error, phase, verifier)

    return attempt


def raised(error, phase, verifier):
    """An exception in plain data. Converting it may call code of the verifier: this is its own thread."""
    try:
        message = str(error)[:500]
    except BaseException:
        message = ""
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == verifier:
            line = trace.tb_lineno
        trace = trace.tb_next
    # A verifier may try to install what is missing, and fail at that.
    cause = error
    while cause is not None and not isinstance(cause, ModuleNotFoundError):
        cause = cause.__cause__ or cause.__context__
    return {
        "phase": phase,
        "type": type(error).__name__,
        "message": message,
        "line": line,
        "errno": error.errno if isinstance(error, OSError) else None,
        "module": cause.name if cause is not None else None,
    }


def make_reporter():
    """The two functions that report, made anew for each run. They use nothing that the verifier could have
    replaced: built-in functions are bound here, before it starts, and no method of the answer is called that
    is not one of Python's own."""
    quote = json.encoder.encode_basestring_ascii
    type_, str_, dict_, int_, float_, issubclass_ = type, str, dict, int, float, issubclass
    items, integer, real, name_of = dict.items, int.__repr__, float.__repr__, type.__dict__["__name__"].__get__
    plus, slice_, join, encode = float.__pos__, str.__getitem__, str.join, str.encode
    write, leave, cut = os.write, os._exit, slice(None, 4000)
    gc_off, no_switch = gc.disable, sys.setswitchinterval

    def scalar(value):
        kind = type_(value)
        if value is True:
            return "true"
        if value is False:
            return "false"
        if value is None:
            return "null"
        if kind is str_:
            return quote(slice_(value, cut))
        if kind is int_ and -(10**15) < value < 10**15:
            return integer(value)
        if kind is float_ or issubclass_(kind, float_):
            value = plus(value)
            if value - value == 0.0:
                return real(value)
            return '{"not_finite": ' + quote(real(value)) + "}"
        return '{"type": ' + quote(name_of(kind)) + "}"

    def fields(mapping):
        return "{" + join(", ", [
            quote(slice_(key, cut)) + ": " + scalar(value)
            for key, value in items(mapping)
            if type_(key) is str_
        ][:40]) + "}"

    def describe(answer):
        gc_off()
        no_switch(60.0)
        how, what = answer
        if issubclass_(type_(what), dict_):
            return '{"' + how + '": ' + fields(what) + "}"
        return '{"not_a_dict": ' + scalar(what) + "}"

    def finish(token, report):
        write(3, token + encode(report))
        leave(0)

    return describe, finish


# --- what the verifier is given -------------------------------------------------------------------------


def environment_of(keeper, state, deliver):
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
    query_vlm = make_query_vlm(state["vlm"])
    sys.modules["gym_anything.vlm"].query_vlm = query_vlm
    commands = state["commands"]
    env_info = {
        "env_id": keeper.task["env_id"],
        "episode_dir": traj["episode_dir"],
        "copy_from_env": make_copy(deliver, state["otherwise"]),
        "copy_to_env": lambda source, destination: None,
        "exec_capture": lambda command, *_, **__: commands.get(command, "") if type(command) is str else "",
        "query_vlm": query_vlm,
        "sample_trajectory_frames": sample_trajectory_frames,
        "get_final_screenshot": get_final_screenshot,
        "get_first_screenshot": get_first_screenshot,
    }
    return traj, env_info, keeper.task["task_info"]


def make_copy(deliver, otherwise):
    """copy_from_env: delivers what the state holds."""

    def copy_from_env(source, destination):
        path = os.fspath(source)
        content = deliver.get(path)
        if content is None and otherwise == "empty":
            content = b"{}" if path.lower().endswith(".json") else b""
        elif content is None and otherwise == "garbled":
            content = GARBLED
        if content is None:
            raise FileNotFoundError(errno.ENOENT, "no such file in the environment", path)
        if os.path.isdir(destination):
            destination = os.path.join(destination, os.path.basename(path.replace("\\", "/")))
        with open(destination, "wb") as file:
            file.write(content)

    return copy_from_env


def make_query_vlm(mode):
    """query_vlm, with the answer of the state: {"parsed": …}, "agrees", "sees_nothing" or "unavailable"."""

    def query_vlm(prompt, images=None, image=None, max_tokens=2048, temperature=0.1, top_p=0.95, config=None):
        if mode == "unavailable":
            return {"success": False, "response": "", "parsed": {}, "error": "no model is configured"}
        if mode == "agrees":
            parsed, response = Agreeable(), "YES"
        elif mode == "sees_nothing":
            parsed, response = {}, "{}"
        else:
            parsed, response = mode["parsed"], json.dumps(mode["parsed"])
        return {"success": True, "response": response, "parsed": parsed, "error": ""}

    return query_vlm


def parse_vlm_json(response_text):
    """The object in a model's answer. What models answer here holds one, or none."""
    try:
        parsed = json.loads(response_text)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def extract_boolean(response, key, default=False):
    """What a model's answer says of a key."""
    value = response.get("parsed", {}).get(key, default)
    return value.lower() in ("true", "yes", "1") if isinstance(value, str) else bool(value)


class Agreeable(dict):
    """What a vision model says of a state in which everything is as it should be: yes, to any question."""

    def get(self, key, default=None):
        return True

    def __missing__(self, key):
        return True

    def __contains__(self, key):
        return True

    def __bool__(self):
        return True


def sample_trajectory_frames(traj, num_samples=3, include_first=True, include_last=True):
    """As many of the episode's frames as asked for."""
    return list(traj.get("frames", []))[:num_samples]


def get_final_screenshot(traj):
    return traj.get("final_screenshot")


def get_first_screenshot(traj):
    return traj.get("first_frame")


def episode(tmp):
    """The episode's screenshots: a few frames, and the final one."""
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

# Neither UTF-8 nor JSON nor any format of a file.
GARBLED = b"\xff\xfe\x00\x80" + bytes(range(255, 127, -1)) * 4


# --- what a state delivers ------------------------------------------------------------------------------


def deliveries(state):
    """The content of each file that the state holds, by path."""
    contents = {}
    for path, file in state["files"].items():
        if "text" in file:
            contents[path] = file["text"].encode("utf-8", "surrogatepass")
        elif "base64" in file:
            try:
                contents[path] = base64.b64decode(file["base64"])
            except binascii.Error as error:
                raise Unreadable(f"{path} is not Base64: {error}") from error
        else:
            contents[path] = json.dumps(untouched_by(file["python"])).encode()
    return contents


if __name__ == "__main__":
    Server(json.loads(sys.argv[1])).serve()
