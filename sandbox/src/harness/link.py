"""The link between a run and the real environment that it asks about.

A run writes a question as a line of JSON. The keeper passes it to the program outside, and its answer back: a header
(status, size) and the content. All that a run writes is untrusted: questions are limited in length and number.
"""

import json
import os
import select
import struct
import time

ANSWER = struct.Struct(">BQ")
ANSWERED, NOT_FOUND = 0, 1

MAX_QUESTION = 1 << 16
MAX_QUESTIONS = 1000


class Link:
    """Both pipes of a run, seen from the keeper."""

    def __init__(self, server):
        self.server = server
        self.questions, self.question_end = os.pipe()
        self.answer_end, self.answers = os.pipe()
        self.pending = b""
        self.left = MAX_QUESTIONS
        os.set_blocking(self.answers, False)

    def enter_run(self):
        """In the new process: moves its ends to where `LiveContainer` expects them."""
        os.dup2(self.question_end, self.server.report + 1, inheritable=False)
        os.dup2(self.answer_end, self.server.report + 2, inheritable=False)

    def close_ends(self):
        os.close(self.question_end)
        os.close(self.answer_end)

    def hang_up(self):
        """The run finds out that there will be no answer."""
        os.close(self.answers)
        self.answers = None

    def close(self):
        os.close(self.questions)
        if self.answers is not None:
            os.close(self.answers)

    def serve(self, deadline):
        """Answers what can be read. Returns the new deadline, as the time of the environment is not that of the run;
        None after the end of the questions, or after one that is not valid."""
        data = os.read(self.questions, 1 << 16)
        self.pending += data
        if not data or len(self.pending) > MAX_QUESTION:
            return None
        while b"\n" in self.pending:
            line, _, self.pending = self.pending.partition(b"\n")
            question = self.valid(line)
            if question is None or not self.left:
                return None
            self.left -= 1
            started = time.monotonic()
            self.server.reply({"question": question})
            header = self.server.requests.read(ANSWER.size)
            content = self.server.requests.read(ANSWER.unpack(header)[1])
            deadline += time.monotonic() - started
            if not self.write(header + content, deadline):
                return None
        return deadline

    @staticmethod
    def valid(line):
        """The question in a line, with text that can be sent on."""
        try:
            question = json.loads(line)
            json.dumps(question).encode("ascii")
        except (ValueError, RecursionError):
            return None
        if type(question) is not dict or len(question) != 1:
            return None
        (kind, text), = question.items()
        return {kind: text} if kind in ("copy_from", "exec") and type(text) is str else None

    def write(self, data, deadline):
        """Writes an answer, unless the run does not read it in time."""
        view = memoryview(data)
        writable = select.poll()
        writable.register(self.answers, select.POLLOUT)
        while view:
            left = deadline - time.monotonic()
            if left <= 0 or not writable.poll(left * 1000):
                return False
            try:
                view = view[os.write(self.answers, view) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                return False
        return True
