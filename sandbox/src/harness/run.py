"""A run: one call of the function in one state. The only process that executes code of the program."""

import _queue
import _thread
import collections
import gc
import importlib.machinery
import importlib.util
import json
import os
import resource
import signal
import sys
import types

# Loads the codec and its error handlers, so that runs need not.
"\ud800".encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def begin_run(keeper, code, state, contents, secret):
    """Executes a run, from the fork on. Never returns.

    The function is called in a thread of its own, with no Python frame above it, while this thread waits to
    report the result. So the usual means find neither the token that marks a report as genuine nor the code that
    writes it, although both are in the same process: see `make_introspection_hook`.
    """
    try:
        os.closerange(3, keeper.server.report)
        os.closerange(keeper.server.report + (3 if keeper.task["live"] else 1), 1 << 16)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        os.chdir(keeper.server.tmp)
        reset_signals()
        # Where the modules of numpy are not shown, it has no such function.
        seed = getattr(getattr(sys.modules.get("numpy"), "random", None), "seed", None)
        if seed:
            seed()
        arguments = function_arguments(keeper, state, contents)
        limit_cpu(keeper.task["seconds"])
        confine(keeper.server)
        forget_modules()
        hide_harness()
        answers = _queue.SimpleQueue()
        attempt = make_attempt(code, keeper)
        # These steps are C code: the caller of `attempt`, which also passes its answer on, has no Python frame.
        steps = map(answers.put, map(attempt, [arguments]))
        describe, finish = make_reporter(keeper.server.report)
        sys.addaudithook(globals().pop("make_introspection_hook")(keeper.server))
        _thread.start_new_thread(collections.deque(maxlen=0).extend, (steps,))
        del keeper, code, state, contents, arguments, attempt, steps
        # The variable keeps the answer alive: its destructors must not run in this thread.
        answer = answers.get()
        finish(secret.pop(), describe(answer))
    except BaseException as error:
        os.write(2, f"the run could not start: {type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(70)


def hide_harness():
    """Removes what distinguishes this interpreter from one that imports a verifier in production."""
    sys.argv[:] = [""]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[:] = [""]
    sys.modules["__main__"] = types.ModuleType("__main__")


def reset_signals():
    for number in (signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)


def make_introspection_hook(server, names_code=sys.version_info >= (3, 9)):
    """Returns an audit hook that denies access to the frames and the memory of the thread that reports. It cannot
    be removed. It raises the effort of a forged report; it cannot rule one out.

    An exception gives access to the hook's frame. So its variables are constant: a set or a list could be
    changed. Before Python 3.9, loading any module raised `code.__new__`."""
    written = (server.bench + os.sep, server.tmp + os.sep)

    def introspection_hook(event, arguments):
        if (
            event in (
                "cpython.PyInterpreterState_New",
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
            or (event == "import" and arguments[0] in ("ctypes", "_ctypes", "_interpreters", "_xxsubinterpreters"))
            # A native module under another name, or one of the program's own.
            or (
                event == "import"
                and type(arguments[1]) is str
                and (
                    "_ctypes" in arguments[1]
                    or "interpreters" in arguments[1].rpartition("/")[2]
                    or arguments[1][:1] != "/"
                    or ".." in arguments[1]
                    or arguments[1].startswith(written)
                )
            )
        ):
            raise PermissionError("the sandbox does not allow " + event)

    return introspection_hook


def make_attempt(code, keeper):
    """Returns the function that the run's thread calls: it imports the program as gym-anything does, and calls
    its function once."""
    verifier, function = keeper.verifier, keeper.task["function"]
    roots = [keeper.task_root, os.path.dirname(keeper.task_root), keeper.env_root]
    roots.append(os.path.join(keeper.env_root, "utils"))

    def attempt(arguments):
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
            return "returned", verify(*arguments)
        except BaseException as error:
            return "raised", describe_exception(error, phase, verifier)

    return attempt


def describe_exception(error, phase, verifier):
    """An exception as plain data. The conversion may execute the program's code: this is its own thread."""
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
    # A program may try to install a missing package, and fail at that.
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


def make_reporter(pipe):
    """Returns the two functions that report, new for each run. They use nothing that the program could
    replace: built-in functions are bound here, before it starts, and no method of the answer is called except
    Python's own. The report holds plain data only, as it would after a copy into exact built-in types."""
    quote = json.encoder.encode_basestring_ascii
    type_, str_, float_, int_, issubclass_ = type, str, float, int, issubclass
    dicts = (dict, collections.OrderedDict, collections.defaultdict)
    items, integer, real, name_of = dict.items, int.__repr__, float.__repr__, type.__dict__["__name__"].__get__
    plus, slice_, join, encode, decode = float.__pos__, str.__getitem__, str.join, str.encode, bytes.decode
    write, leave, cut = os.write, os._exit, slice(None, 4000)
    gc_off, no_switch = gc.disable, sys.setswitchinterval

    def text(value):
        # Pairs of surrogates become characters, single ones are replaced: they are not valid in JSON.
        value = slice_(value, cut)
        return quote(decode(encode(value, "utf-16-le", "surrogatepass"), "utf-16-le", "replace"))

    def scalar(value):
        kind = type_(value)
        if value is True:
            return "true"
        if value is False:
            return "false"
        if value is None:
            return "null"
        if kind is str_:
            return text(value)
        if kind is int_ and -(10**15) < value < 10**15:
            return integer(value)
        if kind is float_ or issubclass_(kind, float_):
            value = plus(value)
            if value - value == 0.0:
                return real(value)
            return '{"not_finite": ' + quote(real(value)) + "}"
        return '{"type": ' + text(name_of(kind)) + "}"

    def fields(mapping):
        return "{" + join(", ", [
            text(key) + ": " + scalar(value)
            for key, value in items(mapping)
            if type_(key) is str_
        ][:40]) + "}"

    def describe(answer):
        gc_off()
        no_switch(60.0)
        how, what = answer
        # The methods of any other subclass may give other values than it holds.
        if type_(what) in dicts:
            return '{"' + how + '": ' + fields(what) + "}"
        return '{"not_a_dict": ' + scalar(what) + "}"

    def finish(token, report):
        write(pipe, token + encode(report))
        leave(0)

    return describe, finish
