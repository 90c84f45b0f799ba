"""What a run gives up before code of the task starts: capabilities, files, system calls, resources."""

import errno
import importlib.machinery
import importlib.util
import os
import resource
import struct
import sys

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
SECCOMP_MODE_FILTER = 2
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446


def load_ctypes():
    """Loads ctypes, whose native part gets a path that cannot be guessed. Python keeps native modules by name and
    path, and returns a known one without an audit event."""
    spec = importlib.util.find_spec("_ctypes")
    if isinstance(spec.loader, importlib.machinery.ExtensionFileLoader):
        folder, name = os.path.split(spec.origin)
        steps = "".join("./" if byte & 1 else "/" for byte in os.urandom(128))
        loader = importlib.machinery.ExtensionFileLoader("_ctypes", f"{folder}/{steps}{name}")
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader("_ctypes", loader))
        loader.exec_module(module)
        sys.modules["_ctypes"] = module
        module.__file__ = module.__spec__ = module.__loader__ = None
    return __import__("ctypes")


ctypes = load_ctypes()

# The modules of ctypes that are loaded. Searching all modules in each run would copy a memory page for each.
CTYPES_MODULES = ("ctypes", "_ctypes", "ctypes._endian")

libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    """Calls a function of the C library. A failure is an OSError that names the function."""
    result = getattr(libc, name)(*arguments)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


def limit(what, most):
    resource.setrlimit(what, (most, most))


def limit_cpu(seconds):
    """The soft limit sends a signal, which process 1 of a PID namespace ignores. The hard limit kills."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


def limit_cpu_soft(seconds):
    """Limits the processor time of this process only: a run sets its own limit."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))


def landlock_version():
    """The version of the kernel's Landlock interface. Below 1 there is none."""
    return libc.syscall(LANDLOCK_CREATE, None, 0, 1)


def confine(server):
    """Gives up everything that the function must not have. The system-call filter comes last."""
    limits = server.limits
    limit(resource.RLIMIT_FSIZE, limits["file"])
    limit(resource.RLIMIT_NOFILE, limits["descriptors"])
    limit(resource.RLIMIT_NPROC, limits["processes"])
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_MEMLOCK, 0)
    steps = [restrict_files, filter_system_calls]
    if server.confined:
        steps.insert(0, drop_capabilities)
    for step in steps:
        try:
            call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            step(server)
        except OSError:
            if server.confined:
                raise


def drop_capabilities(_server):
    version_3, this_process = 0x20080522, 0
    call("capset", struct.pack("Ii", version_3, this_process), bytes(24))


def restrict_files(server):
    """Applies Landlock: read access to the whole root, write access to /tmp only, no TCP, and no signals or
    abstract sockets to other processes."""
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


def forget_modules():
    """Removes the modules that give access to the memory of the process."""
    for name in ("ctypes", "libc"):
        globals().pop(name)
    for name in CTYPES_MODULES:
        sys.modules.pop(name, None)
    # Audit hooks of Python code do not apply in other interpreters.
    interpreters = sys.modules.pop("_interpreters", None)
    if interpreters is not None:
        vars(interpreters).clear()
