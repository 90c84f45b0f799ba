"""What the agent is told, and how its replies are read: actions of gym-anything as JSON."""

import json
from dataclasses import dataclass, field

# The longest list of windows or user interface that is shown, in characters.
SHOWN = 4000

# The longest reply that is read, in characters, and the most places in it where an object may begin.
MAX_REPLY = 100_000
MAX_OBJECTS = 100

# The most actions of a turn.
MAX_ACTIONS = 50

TASK = """You work on a computer desktop with mouse and keyboard. Your task:

{description}

After each reply you see the screen. Each reply ends with one JSON object:
{{"actions": [...], "done": false}}

`actions` are done in their order. Coordinates are pixels from the upper left corner. An action is one of
{{"mouse": {{"left_click": [x, y]}}}}, the same with right_click, double_click, triple_click or move,
{{"mouse": {{"left_click_drag": [[x, y], [x, y]]}}}}, {{"mouse": {{"scroll": lines}}}} (positive: down),
{{"keyboard": {{"text": "..."}}}}, {{"keyboard": {{"keys": ["ctrl", "s"]}}}} (pressed together),
{{"action": "wait", "seconds": 2}}.

If the task is done, reply {{"actions": [], "done": true, "answer": "..."}}; `answer` is what the task asks you to report."""

REFUSAL = 'Nothing was done: {why}. End your reply with one JSON object, such as {{"actions": [], "done": false}}.'

POINTS = {"left_click": 1, "right_click": 1, "double_click": 1, "triple_click": 1, "move": 1}
DRAGS = ("left_click_drag", "right_click_drag")


class InvalidReply(ValueError):
    """A reply that cannot be read."""


@dataclass
class Turn:
    """What a reply asks for."""

    actions: list = field(default_factory=list)
    done: bool = False
    answer: str = ""


def task(sample):
    """The first message of an episode."""
    return TASK.format(description=sample["description"])


def refusal(why):
    """The answer to a reply that cannot be read."""
    return REFUSAL.format(why=why)


def seen(observation):
    """An observation in words, and the files of its images."""
    screen = observation.get("screen") or {}
    path, size = screen.get("path"), screen.get("resolution")
    text = (observation.get("ui_tree") or {}).get("text") or ""
    parts = [f"An action failed: {observation['error']}"] if observation.get("error") else []
    if path:
        pixels = f", {size[0]} x {size[1]} pixels" if size else ""
        parts.append(f"The screenshot shows the screen{pixels}.")
    if text.strip():
        parts.append(f"Windows:\n{text.strip()[:SHOWN]}")
    return "\n".join(parts), [path] if path else []


def read(reply):
    """The turn that a reply asks for."""
    asked = last_object(str(reply or "")[-MAX_REPLY:])
    actions = asked.get("actions", [])
    if not isinstance(actions, list) or len(actions) > MAX_ACTIONS:
        raise InvalidReply(f"`actions` is not a list of at most {MAX_ACTIONS} actions")
    for action in actions:
        check(action)
    return Turn(actions, asked.get("done") is True, str(asked.get("answer") or ""))


def last_object(text):
    """The last JSON object of a text that is a turn."""
    decoder, found, at = json.JSONDecoder(), None, 0
    for _ in range(MAX_OBJECTS):
        at = text.find("{", at)
        if at < 0:
            break
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        at = end
        if isinstance(value, dict) and ("actions" in value or "done" in value):
            found = value
    if found is None:
        raise InvalidReply("there is no JSON object with `actions` in the reply")
    return found


def check(action):
    """Ensures that an action is one of those that the agent was told of."""
    if not isinstance(action, dict) or len(action) == 0:
        raise InvalidReply(f"{shown(action)} is not an action")
    if action.get("action") in ("wait", "screenshot") and is_number(action.get("seconds", 1)):
        return
    mouse, keyboard = action.get("mouse"), action.get("keyboard")
    if isinstance(mouse, dict) and mouse and all(map(is_move, mouse.items())):
        return
    if isinstance(keyboard, dict) and keyboard and all(map(is_input, keyboard.items())):
        return
    raise InvalidReply(f"{shown(action)} is not an action")


def is_move(move):
    name, value = move
    if name in POINTS:
        return is_point(value)
    if name in DRAGS:
        return isinstance(value, list) and len(value) == 2 and all(map(is_point, value))
    return name == "scroll" and is_number(value) and abs(value) <= 100


def is_input(given):
    name, value = given
    if name == "text":
        return isinstance(value, str)
    return name == "keys" and isinstance(value, list) and value and all(isinstance(key, str) and key for key in value)


def is_point(value):
    return isinstance(value, list) and len(value) == 2 and all(map(is_number, value))


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 100_000


def shown(value):
    """The beginning of a value, for a message."""
    return json.dumps(value)[:200]
