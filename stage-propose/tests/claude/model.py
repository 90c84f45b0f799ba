"""A scripted model for Claude Code: a server of Anthropic's Messages API on the loopback interface.

It has a fixed list of turns for each prompt of stage-propose. The conversation in every request determines the next
turn, so that a resumed session continues where it was.
"""

import http.server
import itertools
import json
import pathlib
import re
import threading

import tasks


def text(words):
    return {"type": "text", "text": words}


def tool(name, **arguments):
    return {"type": "tool_use", "name": name, "input": arguments}


def write(path, content):
    return tool("Write", file_path=str(path), content=content)


def shell(command):
    return tool("Bash", command=command, description="Run a command")


class Model:
    """The answers to each prompt, and what was observed meanwhile."""

    def __init__(self):
        self.refuse_writing = False
        self.hang_with = None
        self.requests = 0
        self.tool_errors = []

    def turns(self, prompt):
        """The turns that answer a prompt; each is a list of content blocks."""
        if prompt.startswith("You are going to"):
            return self.read_notes(prompt)
        if prompt.startswith("Now write"):
            return self.write_tasks(environment(prompt))
        if prompt.startswith("Now rework"):
            return self.rework(environment(prompt), re.search(r": `(\w+)`, in ", prompt)[1])
        if prompt.startswith("You have not completed"):
            return self.go_over(environment(prompt))
        return [[text("Nothing to do.")]]

    def read_notes(self, prompt):
        if self.hang_with:
            return [[shell(self.hang_with)], [text("This is never said.")]]
        pages = re.findall(r"^- (/.*\.md)$", prompt, re.MULTILINE)
        reads = [[tool("Read", file_path=page) for page in some] for some in batches(pages, 5)]
        return [*reads, [text("I have read all of it.")]]

    def write_tasks(self, env):
        first, second = (env / "tasks" / name for name in tasks.NAMES)
        return [
            [text("First a look around."), shell(f"ls {env} {env}/tasks")],
            [write(first / name, content) for name, content in tasks.files(first.name).items()],
            [shell(f"chmod +x {first}/*.sh && python3 -m py_compile {first}/verifier.py && echo compiled")],
            # The second task lacks its verifier, so that the next phase finds it.
            [
                write(second / name, content)
                for name, content in tasks.files(second.name).items()
                if name != "verifier.py"
            ],
            [text("Both tasks are done.")],
        ]

    def go_over(self, env):
        second = env / "tasks" / tasks.NAMES[1]
        if not second.exists():
            return [[text("All is in order.")]]
        return [
            [tool("Read", file_path=str(second / "task.json"))],
            [write(second / "verifier.py", tasks.files(second.name)["verifier.py"])],
            [text("The verifier was missing.")],
        ]

    def rework(self, env, task):
        spec = env / "tasks" / task / "task.json"
        return [
            [tool("Read", file_path=str(spec))],
            [tool("Edit", file_path=str(spec), old_string='": "hard"', new_string='": "very_hard"')],
            [text("It is as the expert wants it.")],
        ]

    def answer(self, request):
        """The content of the answer to a request, or nothing if the model refuses."""
        self.requests += 1
        prompt, turn = position(request["messages"])
        self.notice_tool_errors(request["messages"])
        if prompt is None or not request.get("tools"):
            return [text("ok")]
        if self.refuse_writing and prompt.startswith("Now write"):
            return None
        turns = self.turns(prompt)
        return turns[turn] if turn < len(turns) else [text("There is nothing left to do.")]

    def notice_tool_errors(self, messages):
        for block in blocks(messages[-1:]):
            if block.get("type") == "tool_result" and block.get("is_error"):
                self.tool_errors.append(block["content"])


def blocks(messages):
    for message in messages:
        content = message["content"]
        yield from [text(content)] if isinstance(content, str) else content


def position(messages):
    """The last prompt of stage-propose in a conversation, and how many answers it has had."""
    beginnings = ("You are going to", "Now write", "Now rework", "You have not completed")
    for index in reversed(range(len(messages))):
        if messages[index]["role"] != "user":
            continue
        for block in blocks(messages[index : index + 1]):
            if block.get("type") == "text" and block["text"].startswith(beginnings):
                later = messages[index + 1 :]
                return block["text"], sum(message["role"] == "assistant" for message in later)
    return None, 0


def environment(prompt):
    return pathlib.Path(re.search(r"(/\S*/environments/\w+)", prompt)[1])


def batches(items, size):
    return [items[start : start + size] for start in range(0, len(items), size)]


NUMBERS = itertools.count(1)


def events(model_name, content):
    """An answer as the API streams it."""
    usage = {"input_tokens": 1000, "output_tokens": 1}
    yield {"type": "message_start", "message": {**message(model_name, []), "stop_reason": None, "usage": usage}}
    for index, block in enumerate(content):
        if block["type"] == "text":
            empty, delta = text(""), {"type": "text_delta", "text": block["text"]}
        else:
            empty = {**block, "id": f"toolu_{next(NUMBERS):06}", "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": stop_reason(content), "stop_sequence": None},
        "usage": {"output_tokens": 200},
    }
    yield {"type": "message_stop"}


def message(model_name, content):
    return {
        "id": f"msg_{next(NUMBERS):06}",
        "type": "message",
        "role": "assistant",
        "model": model_name,
        "content": content,
        "stop_reason": stop_reason(content),
        "stop_sequence": None,
        "usage": {"input_tokens": 1000, "output_tokens": 200},
    }


def stop_reason(content):
    return "tool_use" if any(block["type"] == "tool_use" for block in content) else "end_turn"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        content = self.server.model.answer(request)
        if content is None:
            error = {"type": "invalid_request_error", "message": "credit balance too low"}
            self.reply(400, "application/json", json.dumps({"type": "error", "error": error}))
        elif request.get("stream"):
            stream = events(request["model"], content)
            lines = (f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in stream)
            self.reply(200, "text/event-stream", "".join(lines))
        else:
            self.reply(200, "application/json", json.dumps(message(request["model"], content)))

    def do_GET(self):
        self.reply(404, "application/json", "{}")

    def do_HEAD(self):
        self.reply(200, "application/json", "")

    def reply(self, status, kind, body):
        body = body.encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(model):
    """Starts the server on a free port and returns its base URL."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.model = model
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"
