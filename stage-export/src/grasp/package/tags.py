"""Tags of a failure: short names by which GRASP groups failures that have one cause."""

import re

# The most tags of a failure, and the longest one in characters.
MOST, LONGEST = 10, 60

# How verifiers mark a criterion in their feedback that is met, and one that is not.
MET = re.compile(r"^\s*(\+|✓|✔|✅|\[x\]|pass\b|ok\b)", re.IGNORECASE)
MISSED = re.compile(
    r"^\s*(-|✗|✘|❌|✖|\[ \])|\b(fail\w*|missing|not|no|wrong|incorrect|invalid|mismatch|expected|unchanged)\b",
    re.IGNORECASE,
)
# What separates the criteria of a feedback, and points such as (0/20), (+15) and -0.
SEPARATORS = re.compile(r"\s+\|\s+|;\s+|\n+|\.\s+(?=[A-Z])")
POINTS = re.compile(r"^\s*[+-]\d+(\.\d+)?\s|\(\s*[+-]?\d+(\.\d+)?\s*(/\s*\d+|pts?|points?)?\s*\)")

# Keys of a verdict that hold the criteria by name.
CRITERIA = ("subscores", "criteria", "checks", "criteria_met")


def failure_tags(sample, status, verdict):
    """The tags of a failed episode, the most specific first."""
    reasons = [f"missed_{name}" for name in missed_criteria(verdict)]
    reasons += missed_by_feedback(verdict)
    if status != "completed":
        reasons.append(status)
    tags = unique(reasons) or ["score_below_threshold" if verdict.get("score") else "no_criterion_met"]
    # What a probe found weak in the verifier may be the cause: it always has a place, after the others.
    weak = unique(f"verifier_{code}" for code in sample.get("probe_issues", []))[: MOST // 2]
    return tags[: MOST - len(weak)] + weak


def missed_criteria(verdict):
    """The names of criteria that count nothing."""
    for key in CRITERIA:
        criteria = verdict.get(key)
        if isinstance(criteria, dict):
            yield from (name for name, value in criteria.items() if is_missed(value))


def is_missed(value):
    if isinstance(value, dict):
        value = next((value[key] for key in ("passed", "met", "score") if key in value), True)
    return value is False or (isinstance(value, (int, float)) and value == 0)


def missed_by_feedback(verdict):
    """The criteria that the feedback says are not met."""
    for part in SEPARATORS.split(str(verdict.get("feedback") or verdict.get("error") or "")):
        if MISSED.search(part) and not MET.match(part):
            yield POINTS.sub(" ", part)


def slug(text):
    """A tag: words in lower case, cut between words. Numbers are left out: they are often what the task asks for."""
    words, tag = re.findall(r"[a-z0-9]+", str(text).lower()), ""
    for word in words:
        if word.isdigit():
            continue
        if len(tag) + 1 + len(word) > LONGEST:
            break
        tag = f"{tag}_{word}" if tag else word
    return tag


def unique(reasons):
    """The tags of these reasons, each once."""
    return [tag for tag in dict.fromkeys(map(slug, reasons)) if tag]
