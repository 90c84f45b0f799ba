"""What the verifiers of this environment share: reading the result, comparing ledger entries, keeping score.

Runs on the host. gym-anything puts this folder on the import path while a verifier is loaded.
"""

import json
import os
import tempfile

RESULT = "/tmp/task_result.json"

#: Asked of a model, where there is one, about frames of the whole episode.
OUTSIDE_GNUCASH = """These screenshots, in order, show an agent at work on a bookkeeping task in GnuCash.
Did it change the book by any other way than GnuCash's own windows: SQL statements, a Python script or another
program that writes the .gnucash file? Reading documents in a text editor or a calculator is fine.
Answer with JSON only: {"bypassed_gnucash": true or false, "evidence": "one sentence"}"""


def judge(check, task, threshold, traj, env_info):
    """Runs `check(result, card)` on the task's result and returns the verdict.

    A missing, unreadable or malformed result, or one of another task, is a verdict too: not passed, score 0.
    """
    result, reason = load_result(env_info, task)
    if result is None:
        return refusal(reason)
    card = Scorecard(threshold)
    try:
        check(result, card)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        return refusal(f"the result is malformed: {type(error).__name__}: {error}")
    if card.score and bypassed_gnucash(traj, env_info):
        return refusal("the screenshots show that the book was changed outside GnuCash")
    return card.verdict()


def refusal(reason):
    """The verdict on a state that earns nothing."""
    return {"passed": False, "score": 0, "feedback": reason}


def load_result(env_info, task):
    """(result, "") or (None, why there is none)."""
    copy_from_env = env_info.get("copy_from_env")
    if not callable(copy_from_env):
        return None, "copy_from_env is not available"
    handle, path = tempfile.mkstemp(suffix=".json")
    os.close(handle)
    try:
        copy_from_env(RESULT, path)
        with open(path, encoding="utf-8-sig") as file:
            result = json.load(file)
    except Exception as error:  # Each runner raises exceptions of its own kind.
        return None, f"no result could be read: {type(error).__name__}: {error}"
    finally:
        if os.path.exists(path):
            os.unlink(path)
    if not isinstance(result, dict) or result.get("task") != task:
        return None, f"the result is not one of {task}"
    if result.get("error") != "":
        return None, f"the export failed: {result.get('error')}"
    baseline = result.get("baseline")
    if not isinstance(baseline, dict) or not baseline.get("transactions"):
        return None, "the result has no baseline to compare with"
    return result, ""


def bypassed_gnucash(traj, env_info):
    """Whether a model sees that the book was changed outside GnuCash; False where none can be asked."""
    query, sample = env_info.get("query_vlm"), env_info.get("sample_trajectory_frames")
    if not callable(query) or not callable(sample):
        return False
    try:
        frames = sample(traj, num_samples=6)
        if not frames:
            return False
        answer = query(prompt=OUTSIDE_GNUCASH, images=frames)
        return bool(answer.get("success")) and answer.get("parsed", {}).get("bypassed_gnucash") is True
    except Exception:  # An unavailable model must not cost an agent its reward.
        return False


class Scorecard:
    """Points for criteria that are met. The task is passed at `threshold` points with every essential met."""

    def __init__(self, threshold):
        self.threshold = threshold
        self.score = 0
        self.missing = []
        self.lines = []

    def award(self, points, met, criterion, essential=False):
        """Counts a criterion and returns whether it is met."""
        met = bool(met)
        if met:
            self.score += points
        elif essential:
            self.missing.append(criterion)
        self.lines.append(f"{'+' if met else '-'}{points if met else 0} {criterion}")
        return met

    def reject(self, reason):
        """The wrong thing was done: nothing counts."""
        self.score = 0
        self.missing.append(reason)
        self.lines = [reason]

    def verdict(self):
        passed = self.score >= self.threshold and not self.missing
        return {"passed": passed, "score": self.score, "feedback": "; ".join(self.lines)}


def same(actual, expected):
    """Whether an amount is the expected one to the cent."""
    return isinstance(actual, (int, float)) and not isinstance(actual, bool) and abs(actual - expected) < 0.005


def moves(entry, expected, date=None):
    """Whether an entry moves exactly these amounts, {account's full name: amount}, on this date if one is given.

    Splits of one account add up.
    """
    sums = {}
    for split in entry["splits"]:
        sums[split["account"]] = sums.get(split["account"], 0) + split["value"]
    return equal_amounts(sums, expected) and date in (None, entry["date"])


def equal_amounts(actual, expected):
    """Whether two {account: amount} agree to the cent. Amounts of zero may be left out."""
    actual = {account: amount for account, amount in actual.items() if not same(amount, 0)}
    return actual.keys() == expected.keys() and all(same(actual[key], expected[key]) for key in expected)


def untouched_otherwise(result, added=0, changed=0, removed=0):
    """Whether no more was added, changed or removed than the task asks for."""
    counts = result["transactions"]
    return counts["added"] == added and counts["changed"] == changed and counts["removed"] == removed
