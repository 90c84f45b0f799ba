"""Tries what a program must not be able to do. Each attempt returns what it got, or fails."""

import os
import socket
import subprocess
import sys
import threading


def verify(traj, env_info, task_info):
    outside = task_info["metadata"]
    findings = {}
    for name, attempt in ATTEMPTS.items():
        try:
            findings[name] = "ALLOWED: " + str(attempt(outside))[:80]
        except BaseException as error:
            findings[name] = "denied: " + type(error).__name__ + ": " + str(error)[:80]
    return {"passed": False, "score": 0, **findings}


def connect(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(2)
        connection.connect(address)
        return "connected to " + str(address)


def read(path):
    with open(path, "rb") as file:
        return file.read(40)


def write(path):
    with open(path, "wb") as file:
        file.write(b"escaped")
    return "wrote " + path


def must_see(paths):
    seen = [path for path in paths if os.path.exists(path)]
    if not seen:
        raise FileNotFoundError("none of these paths exists")
    return seen


def unrelated(outside):
    """Folders that hold no part of Python."""
    folders = ["/boot", "/home", "/mnt", "/opt", "/root", "/srv", "/var"]
    return [folder for folder in folders if not any(path.startswith(folder) for path in outside["visible"])]


def other_files(folder, visible):
    """The files in a folder that are no part of Python."""
    expected = {path[len(folder) + 1 :].split("/")[0] for path in visible if path.startswith(folder + "/")}
    found = set(os.listdir(folder)) - expected
    if not found:
        raise FileNotFoundError("no other file exists")
    return found


def lock(path):
    import fcntl

    with open(path, "rb") as file:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        return "has a lease of " + path


def watch(path):
    import fcntl

    folder = os.open(path, os.O_RDONLY)
    fcntl.fcntl(folder, fcntl.F_NOTIFY, fcntl.DN_MODIFY)
    return "watches " + path


def execute_own():
    with open("/tmp/program", "w") as file:
        file.write("#!/bin/sh\necho executed\n")
    os.chmod("/tmp/program", 0o700)
    return run("/tmp/program")


def load_own_native_code():
    import _ssl
    import importlib.machinery
    import shutil

    shutil.copy(_ssl.__file__, "/tmp/_ssl.so")
    loader = importlib.machinery.ExtensionFileLoader("_own", "/tmp/_ssl.so")
    return importlib.util.module_from_spec(importlib.util.spec_from_loader("_own", loader))


def create_interpreter():
    try:
        import _interpreters
    except ImportError:
        import _xxsubinterpreters as _interpreters
    return _interpreters.create()


def system_call(name, number, *arguments):
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *arguments) == -1:
        raise OSError(ctypes.get_errno(), name)
    return name


def run(*command):
    return subprocess.run(command, capture_output=True, check=True, timeout=5).stdout


def own_ids():
    # Process 1 is this run, which has two threads.
    return {1, threading.get_native_id()}


def signal_program(pid):
    # The first programs of a container have such ids, too. A signal to one of them stays in this run.
    if pid in own_ids():
        raise ProcessLookupError("in the sandbox, its id is that of this run")
    os.kill(pid, 0)


def find_others():
    # No other process may exist.
    others = 0
    for pid in set(range(1, 5000)) - own_ids():
        try:
            os.kill(pid, 0)
            others += 1
        except ProcessLookupError:
            pass
    if not others:
        raise ProcessLookupError("no other process exists")
    return others


def find_frames():
    frame = sys._getframe()
    names = []
    while frame is not None:
        names.append(frame.f_code.co_name)
        names += [key for key in frame.f_locals if key in ("secret", "token", "finish")]
        frame = frame.f_back
    if not {"begin_run", "secret", "token", "finish"} & set(names):
        raise LookupError("no frame of the harness was found")
    return names


def find_objects():
    import gc

    return len(gc.get_objects())


def raise_limit():
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (hard + 1, hard + 1))
    return hard + 1


ATTEMPTS = {
    "connect over IPv4": lambda outside: connect(socket.AF_INET, ("127.0.0.1", outside["port"])),
    "connect over IPv6": lambda outside: connect(socket.AF_INET6, ("::1", outside["port"])),
    "send a datagram": lambda outside: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "open a raw packet socket": lambda outside: socket.socket(17, socket.SOCK_RAW),
    "connect over netlink": lambda outside: socket.socket(16, socket.SOCK_RAW),
    "resolve a host name": lambda outside: socket.getaddrinfo("example.com", 80),
    "read a file of the user": lambda outside: read(outside["secret"]),
    "read /etc/shadow": lambda outside: read("/etc/shadow"),
    "see files outside the sandbox": lambda outside: must_see(unrelated(outside) + [outside["secret"]]),
    "see files in the home folder": lambda outside: other_files(outside["home"], outside["visible"]),
    "see the program that runs the sandbox": lambda outside: must_see([outside["program"]]),
    "see /proc and /sys": lambda outside: must_see(["/proc/self", "/proc/1", "/sys/kernel"]),
    "see disks and terminals": lambda outside: must_see(["/dev/sda", "/dev/vda", "/dev/tty", "/dev/mem"]),
    "write beside the task": lambda outside: write(os.path.join(os.path.dirname(__file__), "escaped")),
    "write into Python": lambda outside: write(os.path.join(os.path.dirname(os.__file__), "escaped.py")),
    "write into the root folder": lambda outside: write("/escaped"),
    "find the harness": lambda outside: must_see(["/harness.py", "/harness"]),
    "signal other processes": lambda outside: find_others(),
    "signal the program that runs the sandbox": lambda outside: signal_program(outside["pid"]),
    "change the user": lambda outside: os.setuid(1),
    "change the root": lambda outside: os.chroot("/tmp"),
    "mount": lambda outside: run("mount", "-t", "tmpfs", "tmpfs", "/tmp"),
    "create namespaces": lambda outside: run("unshare", "--user", "--map-root-user", "true"),
    "raise its limits": lambda outside: raise_limit(),
    "change its priority": lambda outside: os.nice(-5),
    "trace a process": lambda outside: system_call("ptrace", 101, 0, 0, 0, 0),
    "read the frames of the harness": lambda outside: find_frames(),
    "list the objects of the harness": lambda outside: find_objects(),
    "lock a file of the machine": lambda outside: lock(os.__file__),
    "watch a folder of the machine": lambda outside: watch(os.path.dirname(os.__file__)),
    "get memory that no limit counts": lambda outside: os.memfd_create("memory"),
    "execute a program of its own": lambda outside: execute_own(),
    "load native code of its own": lambda outside: load_own_native_code(),
    "create another interpreter": lambda outside: create_interpreter(),
    "import ctypes": lambda outside: system_call("getpid", 39),
}
