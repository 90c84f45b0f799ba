"""A model behind an OpenAI-compatible server that sees the screen."""

import base64
import pathlib

from grasp.agents.openai_chat import OpenAIChatAgent


class ScreenAgent(OpenAIChatAgent):
    """GRASP's chat agent, with the images of the last messages that have one. With `screenshots` 0 it sees none."""

    def __init__(self, *arguments, screenshots=3, **options):
        super().__init__(*arguments, **options)
        self.screenshots = int(screenshots)

    def _messages(self, history):
        messages = super()._messages(history)
        with_images = [number for number, message in enumerate(history) if message.get("images")]
        for number in with_images[len(with_images) - self.screenshots :] if self.screenshots else []:
            text = {"type": "text", "text": messages[number]["content"]}
            messages[number]["content"] = [text, *map(image, history[number]["images"])]
        return messages


def image(path):
    """An image as a part of a message."""
    data = base64.b64encode(pathlib.Path(path).read_bytes()).decode("ascii")
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
