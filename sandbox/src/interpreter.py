"""Describes the Python that executes it: its files, as far as programs need them."""

import json
import os
import platform
import struct
import sys
import sysconfig


def main(extra):
    if sys.version_info < (3, 8):
        sys.exit("it is Python " + platform.python_version() + "; Python 3.8 or newer is required")
    for name in ("_bz2", "_ctypes", "_lzma", "_sqlite3", "_ssl", "zlib"):
        try:
            __import__(name)  # Only to find the native libraries behind it.
        except ImportError:
            pass
    executable = os.path.abspath(sys.executable)
    prefixes = both_ends([sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix])
    visible = {executable, elf_interpreter(executable)}
    visible.update(os.path.join(prefix, name) for prefix in prefixes for name in ("lib", "lib64", "pyvenv.cfg"))
    visible.update(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    hidden = set()
    for path in sys.path:
        own = any(is_below(path, folder) for folder in visible | {p for p in prefixes if not holds_home(p)})
        (visible if own else hidden).add(path)
    hidden -= set(extra)
    libraries = {os.path.dirname(path) for path in mapped_files()}
    # A library in a home folder does not make the whole folder visible.
    visible.update(folder for folder in libraries if not holds_home(folder))
    visible.update(path for path in mapped_files() if holds_home(os.path.dirname(path)))
    asked = [os.path.abspath(path) for path in os.environ.get("LD_LIBRARY_PATH", "").split(":") if path]
    print(json.dumps({
        "executable": executable,
        "version": platform.python_version(),
        # What was asked for is visible even if it holds a home.
        "visible": sorted({*existing(both_ends(visible)), *both_ends(extra)}),
        "hidden": existing(hidden),
        "library_path": [path for path in asked if os.path.realpath(path) in libraries],
        "extra_path": extra,
    }))


def both_ends(paths):
    """The paths and what they lead to. A prefix may be a link, or have one in it."""
    absolute = {os.path.abspath(path) for path in paths if path}
    return absolute | {os.path.realpath(path) for path in absolute}


def existing(paths):
    """Outer folders before those inside them. The root, and folders that hold a home, are never visible."""
    return sorted(path for path in paths if os.path.exists(path) and not (os.path.isdir(path) and holds_home(path)))


def is_below(path, folder):
    return bool(folder) and (path + os.sep).startswith(folder.rstrip(os.sep) + os.sep)


def holds_home(folder):
    return is_below(os.path.expanduser("~"), folder) or folder == os.sep


def mapped_files():
    """The native libraries that are loaded, with the loader itself."""
    with open("/proc/self/maps", errors="replace") as maps:
        paths = {line.rstrip("\n").split(None, 5)[5] for line in maps if line.count("/")}
    return {path for path in paths if ".so" in os.path.basename(path)}


def elf_interpreter(path):
    """The loader that an executable names. It may be a link to the one that is mapped."""
    try:
        with open(path, "rb") as file:
            head = file.read(1 << 16)
        if head[:5] != b"\x7fELF\x02":
            return None
        offset, = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        for start in range(offset, offset + size * count, size):
            kind, _, at, _, _, length = struct.unpack_from("<IIQQQQ", head, start)
            if kind == 3:
                return head[at : at + length].rstrip(b"\0").decode()
    except (OSError, struct.error, ValueError):
        pass
    return None


main([os.path.abspath(path) for path in sys.argv[1:]])
