"""The server: one per sandbox. It loads common modules once and forks a keeper for each program.

The files of this folder form one program; they are concatenated in the order confine, untouched, gym_anything,
run, keeper, server. Three kinds of process execute it, each forked from the one before:

  server  one per sandbox; has Python and common modules loaded; process 1 of its PID namespace
  keeper  one per program; writes the program's files, compiles it, starts its runs and limits their time
  run     one per state and repetition; the only process that executes code of a program

What a run may do is fixed before it starts: it has its own PID namespace and /tmp, no capability, and a
system-call filter. It cannot reach another run, whatever it does to its own interpreter.
"""

import ctypes
import gc
import json
import os
import resource
import signal
import sys

# The modules that verifiers import most. They are loaded here once and are then present in every run.
PRELOADED = """
    calendar configparser copy csv dataclasses datetime decimal difflib email enum fnmatch fractions functools
    glob gzip hashlib html html.parser inspect io itertools logging math operator pathlib pprint random re
    secrets shlex sqlite3 statistics string subprocess tarfile tempfile textwrap threading traceback typing
    unicodedata urllib.parse urllib.request uuid xml.dom.minidom xml.etree.ElementTree zipfile
""".split()

CLONE_NEWNS, CLONE_NEWPID = 0x00020000, 0x20000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC = 4096, 16384
MNT_DETACH = 2


class Server:
    """What is fixed when the sandbox starts."""

    def __init__(self, config):
        self.confined = config["confined"]
        self.seccomp = bytes.fromhex(config["seccomp"])
        self.limits = config["limits"]
        self.bench = config["bench"]
        self.tmp = config["tmp"]
        self.outer_tmp = config["outer_tmp"]
        self.report = config["report"]
        # The working directory, which Python adds for a program on the command line.
        sys.path = [path for path in sys.path if path]
        sys.path += [path for path in config["extra_path"] if path not in sys.path]
        self.requests = sys.stdin.buffer
        # Output that a module prints while it is loaded must not mix with the replies.
        self.replies = os.dup(1)
        self.null = os.open(os.devnull, os.O_RDWR)
        os.dup2(self.null, 1)
        self.pid_namespace = None
        if self.confined:
            call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            self.pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY)
            mount_tmpfs("/proc", "size=4k", MS_RDONLY)
        # Where Python itself is in /tmp, it must stay there in each run.
        self.tmp_names = os.listdir(self.tmp) if self.confined else []
        if self.tmp_names:
            bind(self.tmp, self.outer_tmp)
        self.landlock = landlock_version()
        for name in PRELOADED:
            __import__(name)
        install_gym_anything()
        # Some verifiers start Python to install missing packages. Without a network that fails slowly.
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
            screens = [self.requests.read(size) for size in request.pop("screens")]
            pid = os.fork()
            if pid == 0:
                self.keep(request, files, screens)
            _, status = os.waitpid(pid, 0)
            if self.confined:
                kill_all_others()
            self.reply({"end": exit_text(status)})

    def keep(self, request, files, screens):
        """Executes a keeper. Never returns."""
        status = 1
        try:
            limit(resource.RLIMIT_AS, self.limits["memory"])
            limit_cpu_soft(KEEPER_SECONDS)
            Keeper(self, request, files, screens).work()
            status = 0
        except BaseException as error:
            self.reply({"broken": f"{type(error).__name__}: {error}"})
        finally:
            os._exit(status)


def kill_all_others():
    """Ends all remaining processes of the PID namespace. This process is its process 1."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass


def bind(source, target):
    call("mount", os.fsencode(source), os.fsencode(target), None, MS_BIND | MS_REC, None)


def mount_tmpfs(path, options, flags=0):
    call("mount", b"tmpfs", os.fsencode(path), b"tmpfs", flags | MS_NOSUID | MS_NODEV, options.encode())


def exit_text(status):
    """How a process ended, from the status that waitpid returned."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return next((known.name for known in signal.Signals if known == number), f"SIG{number}")
    return f"exit {os.WEXITSTATUS(status)}"


Server(json.loads(sys.argv[1])).serve()
