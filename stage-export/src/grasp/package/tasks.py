"""The exported tasks, as GRASP's loop sees them."""

import json
import pathlib

from grasp import Rollout, Task

from . import protocol
from .tags import failure_tags

HERE = pathlib.Path(__file__).resolve().parent

# How an episode ended, if the agent did not end it. These words have a meaning to the loop, but for the third.
ERROR = "error"
INVALID = "agent invalid action"
LIMIT = "limit reached"

# So many replies in a row that cannot be read end an episode.
MOST_INVALID = 3

# The steps of a task whose spec does not limit them.
MAX_STEPS = 100


class EnvironmentFailed(Exception):
    """The environment could not be started, used or verified. The agent is not to blame."""


class ExportedTasks(Task):
    """Tasks in environments with the methods of gym-anything's: `reset`, `step` and `close`.

    `open_environment(sample)` makes the environment of an episode. `only` limits the tasks to some names, and
    `max_steps` all episodes.
    """

    name = "exported-tasks"
    updater_task_family = "computer-use"
    updater_failure_examples = (HERE / "failure_examples.txt").read_text()

    def __init__(self, open_environment, only=None, max_steps=None):
        self.open_environment, self.max_steps = open_environment, max_steps
        samples = json.loads((HERE / "samples.json").read_text())
        self.all = [sample for sample in samples if not only or sample["task"] in only or sample["id"] in only]
        guidance = HERE / "guidance.md"
        self.updater_guidance = guidance.read_text() if guidance.exists() else None

    def samples(self, split):
        """The tasks of a split: `dev`, `val`, `test`, or `train`, which is `dev` and `val`."""
        wanted = ("dev", "val") if split == "train" else (split,)
        return [sample for sample in self.all if sample["split"] in wanted]

    def rollout(self, sample, agent):
        """One episode. An error of the model ends the loop; one of the environment is a rollout with that status."""
        limits = [limit for limit in (self.max_steps, sample["max_steps"] or MAX_STEPS) if limit]
        episode = Episode(sample)
        try:
            episode.play(self.open_environment, agent, min(limits))
        except EnvironmentFailed as error:
            episode.status, episode.error = ERROR, str(error)
        return episode.rollout()

    def evaluate(self, sample, rollout):
        """Whether the task's verifier passed the episode."""
        return rollout.status != ERROR and rollout.raw["verdict"].get("passed") is True

    def failure_tags(self, sample, rollout):
        """What the verifier missed, how the episode ended, and what is known to be weak in the verifier."""
        return failure_tags(sample, rollout.status, rollout.raw["verdict"])


class Episode:
    """The messages of one rollout, and what the environment said of its end."""

    def __init__(self, sample):
        self.sample = sample
        self.history, self.actions, self.answer = [], [], ""
        self.status, self.error, self.verdict = "completed", "", {}

    def play(self, open_environment, agent, limit):
        environment = attempt(open_environment, self.sample)
        try:
            self.say(protocol.task(self.sample), attempt(environment.reset))
            self.take_turns(environment, agent, limit)
        finally:
            attempt(environment.close)

    def take_turns(self, environment, agent, limit):
        invalid = 0
        for _ in range(limit):
            reply = agent.inference(self.history)
            self.history.append({"role": "agent", "content": reply})
            try:
                turn = protocol.read(reply)
            except protocol.InvalidReply as why:
                invalid += 1
                if invalid == MOST_INVALID:
                    self.status = INVALID
                    break
                self.say(protocol.refusal(why))
                continue
            invalid = 0
            self.actions += map(json.dumps, turn.actions)
            self.answer = turn.answer or self.answer
            observation, _, done, info = attempt(environment.step, turn.actions, mark_done=turn.done)
            if done:
                self.status = "completed" if turn.done else LIMIT
                self.verdict = verdict(info)
                return
            self.say("", observation)
        else:
            self.status = LIMIT
        *_, info = attempt(environment.step, [], mark_done=True)
        self.verdict = verdict(info)

    def say(self, text, observation=None):
        """Adds a message to the agent, with what it sees."""
        seen, images = protocol.seen(observation or {})
        content = "\n\n".join(part for part in (text, seen) if part)
        self.history.append({"role": "user", "content": content, "images": images})

    def rollout(self):
        """The episode without its images, which are gone with its environment."""
        history = [{"role": message["role"], "content": message["content"]} for message in self.history]
        # The loop shows `reported_answer` and `error` to the writer of skills, but not the verdict: it may hold the answer.
        raw = {"verdict": self.verdict, "reported_answer": self.answer, "error": self.error}
        return Rollout(history, self.actions, self.answer, self.status, raw)


def attempt(call, *arguments, **options):
    """Calls an environment, whose exceptions may be of any kind."""
    try:
        return call(*arguments, **options)
    except Exception as error:
        raise EnvironmentFailed(f"{type(error).__name__}: {error}") from error


def verdict(info):
    """What the verifier returned, as far as JSON can hold it."""
    found = info.get("verifier")
    if not isinstance(found, dict):
        raise EnvironmentFailed("the environment ended without a verdict")
    return json.loads(json.dumps(found, default=str))
