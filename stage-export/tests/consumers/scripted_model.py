"""A model on the loopback interface, in OpenAI's format: the agent and the writer of skills of GRASP's loop.

As an agent it saves with ctrl+s if it was told the skill, and otherwise does not.
"""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SKILL = {
    "action": "ADD",
    "name": "save_with_the_keyboard",
    "description": "Save with ctrl+s before the task is reported as done",
    "content": "## When to Use This Skill\nThe task asks for entries in a book.\n\n## What to Do\nPress ctrl+s at the end.",
    "tags": ["book", "entry", "invoice", "account"],
}
ADVICE = "Press ctrl+s at the end."
# How the updater's lists of failures begin a line.
FAILURE = re.compile(r'^  "([^"]+)": (?:instruction|label)=', re.MULTILINE)


class Model:
    """The server. `asked` has the requests, by what they ask for."""

    def __init__(self):
        self.asked = {"agent": [], "classify": [], "diagnose": [], "propose": [], "revise": []}
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                message = {"role": "assistant", "content": model.answer(request["messages"])}
                body = json.dumps({"choices": [{"message": message}]}).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/v1"

    def answer(self, messages):
        prompt = text(messages[-1])
        purpose = purpose_of(prompt)
        self.asked[purpose].append(messages)
        failures = FAILURE.findall(prompt)
        if purpose == "classify":
            return json.dumps({"labels": dict.fromkeys(failures, "entry_not_saved"),
                               "new_labels": {"entry_not_saved": "the entry was left without saving"}})
        if purpose == "diagnose":
            return json.dumps(dict.fromkeys(failures, "A skill is needed that saves the entry."))
        if purpose == "propose":
            return f"```json\n{json.dumps([SKILL])}\n```"
        if purpose == "revise":
            return "[]"
        return self.act(messages)

    @staticmethod
    def act(messages):
        turns = sum(message["role"] == "assistant" for message in messages)
        if turns:
            return '{"actions": [], "done": true, "answer": "done"}'
        is_told = any(ADVICE in text(message) for message in messages)
        action = {"keyboard": {"keys": ["ctrl", "s"]} if is_told else {"text": "898.21"}}
        return f"I enter it.\n{json.dumps({'actions': [action], 'done': False})}"


def purpose_of(prompt):
    marks = {"Classify each failing": "classify", "You are diagnosing": "diagnose",
             "You are the Skill Author": "propose", "Your previous skill proposal": "revise"}
    return next((purpose for mark, purpose in marks.items() if mark in prompt), "agent")


def text(message):
    content = message["content"]
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content)
