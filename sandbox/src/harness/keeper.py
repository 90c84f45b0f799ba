"""The keeper: one per program. It executes no code of the program."""

import ast
import base64
import binascii
import json
import os
import select
import shutil
import signal
import sys
import time

MAX_REPORT = 1 << 18
MAX_OUTPUT = 1 << 12

# The size of a database that statements build, in pages of 4,096 bytes, and how many thousands of virtual instructions
# they may take.
MAX_PAGES = 2048
MAX_INSTRUCTIONS = 20_000

# The processor time of a keeper, in seconds. Parsing, importing packages and deriving states take well below one.
KEEPER_SECONDS = 10


class Keeper:
    """Runs one function in each of the given states."""

    def __init__(self, server, request, files, screens):
        self.server = server
        self.task = request
        self.screens = screens or [SCREENSHOT]
        self.env_root = os.path.join(server.bench, request["env"])
        self.task_root = os.path.join(self.env_root, "tasks", request["task"])
        self.verifier = os.path.join(self.task_root, request["file"])
        if server.confined:
            call("unshare", CLONE_NEWNS)
            mount_tmpfs(server.bench, "size=64m", MS_NOEXEC)
        else:
            shutil.rmtree(server.bench, ignore_errors=True)
        for name, content in files:
            write_file(os.path.join(self.env_root, name), content)
        os.makedirs(self.task_root, exist_ok=True)
        if server.confined:
            mount_tmpfs(server.bench, "", MS_REMOUNT | MS_RDONLY | MS_NOEXEC)
        self.python_files = {os.path.basename(name)[:-3]: text for name, text in files if name.endswith(".py")}
        self.source = dict(files).get(f"tasks/{request['task']}/{request['file']}", b"")

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
                contents = self.file_contents(state)
            except Unreadable as error:
                self.server.reply({"unreadable": {"state": number, "reason": str(error)}})
                if state["vlm"] != "unavailable":
                    continue
                # This state is about the missing model. Empty files serve as well.
                contents, state["otherwise"] = {}, "empty"
            for _ in range(self.task["repeat"]):
                self.server.reply({"run": {"state": number, **self.run(code, state, contents)}})

    def file_contents(self, state):
        """The content of each file of a state, by path."""
        if not any("sqlite" in file for file in state["files"].values()):
            return file_contents(state, None)
        self.new_tmp()
        try:
            return file_contents(state, self.server.tmp)
        finally:
            self.drop_tmp()

    def load_packages(self, tree):
        """Loads the installed packages that the program imports, so that its runs need not. The program's own
        modules are only searched for imports, and not loaded."""
        trees, seen = [tree], set()
        while trees:
            for name in set(imported_modules(trees.pop())) - seen:
                seen.add(name)
                source = self.python_files.get(name.rpartition(".")[2])
                try:
                    if source is None:
                        __import__(name)
                    else:
                        trees.append(ast.parse(source))
                except BaseException:  # The program fails in the same way, and may handle it.
                    pass
        if "numpy" in sys.modules:
            try:
                import numpy.random  # Otherwise each run loads it: see `begin_run`.
            except BaseException:  # It is incomplete.
                pass

    def run(self, code, state, contents):
        """Runs the function once. The result holds everything that the run could influence."""
        started = time.monotonic()
        report, report_end = os.pipe()
        output, output_end = os.pipe()
        link = Link(self.server) if self.task["live"] else None
        # A list, so that the run can remove the token from every frame that it inherits.
        secret = [os.urandom(16)]
        self.new_tmp()
        if self.server.confined:
            call("unshare", CLONE_NEWPID)
        pid = os.fork()
        if pid == 0:
            os.dup2(report_end, self.server.report, inheritable=False)
            os.dup2(output_end, 1)
            os.dup2(output_end, 2)
            if link:
                link.enter_run()
            begin_run(self, code, state, contents, secret)
        if self.server.confined:
            call("setns", self.server.pid_namespace, CLONE_NEWPID)
        os.close(report_end)
        os.close(output_end)
        if link:
            link.close_ends()
        # Processor time is the limit that counts: it does not depend on the load of the machine.
        deadline = started + self.task["wall_seconds"]
        answer, printed, in_time = read_pipes(report, output, deadline, link)
        if link:
            link.close()
        os.close(report)
        os.close(output)
        # Both pipes are closed, or time is up. A process that is exiting keeps its own exit status.
        os.kill(pid, signal.SIGKILL)
        _, status, used = os.wait4(pid, 0)
        in_time = in_time and used.ru_utime + used.ru_stime < self.task["seconds"]
        self.drop_tmp()
        genuine = answer.startswith(secret[0])
        return {
            "report": answer[len(secret[0]) :].decode(errors="replace") if genuine else None,
            "tampered": bool(answer) and not genuine,
            "ended": exit_text(status) if in_time else "timeout",
            "output": printed.decode(errors="replace"),
            "seconds": time.monotonic() - started,
        }

    def new_tmp(self):
        if self.server.confined:
            mount_tmpfs(self.server.tmp, f"size={self.server.limits['disk']},nr_inodes=4096", MS_NOEXEC)
        else:
            shutil.rmtree(self.server.tmp, ignore_errors=True)
            os.makedirs(self.server.tmp)
        for name in self.server.tmp_names:
            place = os.path.join(self.server.tmp, name)
            os.mkdir(place)
            bind(os.path.join(self.server.outer_tmp, name), place)
        *frames, final = episode(self.server.tmp)
        for number, path in enumerate(frames):
            write_file(path, self.screens[min(number, len(self.screens) - 1)])
        write_file(final, self.screens[-1])

    def drop_tmp(self):
        if self.server.confined:
            call("umount2", os.fsencode(self.server.tmp), MNT_DETACH)


def imported_modules(tree):
    """The modules that a source imports by absolute name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module


def write_file(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def read_pipes(report, output, deadline, link):
    """Reads both pipes to their end, or until the deadline. The end of the run's PID namespace closes them. Answers
    the questions of a live run meanwhile."""
    kept = {report: b"", output: b""}
    most = {report: MAX_REPORT, output: MAX_OUTPUT}
    poll = select.poll()
    poll.register(report, select.POLLIN)
    poll.register(output, select.POLLIN)
    if link:
        poll.register(link.questions, select.POLLIN)
    waiting = 2
    while waiting:
        left = deadline - time.monotonic()
        if left <= 0:
            return kept[report], kept[output], False
        for descriptor, _ in poll.poll(left * 1000):
            if link and descriptor == link.questions:
                extended = link.serve(deadline)
                if extended is None:
                    poll.unregister(descriptor)
                    link.hang_up()
                else:
                    deadline = extended
                continue
            data = os.read(descriptor, 1 << 16)
            if not data:
                poll.unregister(descriptor)
                waiting -= 1
            elif len(kept[descriptor]) < most[descriptor]:
                kept[descriptor] = (kept[descriptor] + data)[: most[descriptor]]
    return kept[report], kept[output], True


def file_contents(state, folder):
    """The content of each file of a state, by path. Databases may be written to this folder."""
    contents = {}
    for path, file in state["files"].items():
        if "text" in file:
            contents[path] = file["text"].encode("utf-8", "surrogatepass")
        elif "base64" in file:
            try:
                contents[path] = base64.b64decode(file["base64"])
            except binascii.Error as error:
                raise Unreadable(f"{path} is not valid Base64: {error}") from error
        elif "sqlite" in file:
            contents[path] = database(path, file["sqlite"], folder)
        elif "zip" in file:
            contents[path] = archive(path, file["zip"])
        else:
            contents[path] = json.dumps(untouched_by(file["python"])).encode()
    return contents


def database(path, statements, folder):
    """The bytes of the SQLite database that these statements build. They can reach no other file."""
    import sqlite3  # Few states have databases.

    left = [MAX_INSTRUCTIONS]
    other_files = (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH)

    def has_enough():
        left[0] -= 1
        return left[0] < 0

    def is_allowed(action, name, *_):
        denied = action in other_files or (action == sqlite3.SQLITE_PRAGMA and name == "max_page_count")
        return sqlite3.SQLITE_DENY if denied else sqlite3.SQLITE_OK

    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.execute(f"PRAGMA max_page_count = {MAX_PAGES}")
        connection.set_authorizer(is_allowed)
        connection.set_progress_handler(has_enough, 1000)
        connection.executescript(statements)
        connection.set_authorizer(None)
        return serialized(connection, os.path.join(folder, "database"))
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        raise Unreadable(f"{path}: the statements build no database: {error}") from error
    finally:
        connection.close()


def serialized(connection, path):
    """The bytes of a database. Python before 3.11 cannot tell them: then the database is copied to this file."""
    if hasattr(connection, "serialize"):
        return connection.serialize()
    import sqlite3

    copy = sqlite3.connect(path)
    try:
        connection.backup(copy)
    finally:
        copy.close()
    with open(path, "rb") as file:
        content = file.read()
    os.unlink(path)
    return content


def archive(path, entries):
    """The bytes of a ZIP archive with these entries, in their order."""
    import io
    import zipfile

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in entries.items():
            # Without a date of its own, so that the bytes are the same in every run.
            file.writestr(zipfile.ZipInfo(name), text.encode("utf-8", "surrogatepass"), zipfile.ZIP_DEFLATED)
    return content.getvalue()
