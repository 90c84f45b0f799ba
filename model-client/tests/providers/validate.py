"""Validates request bodies by the types of the official SDKs, and reads streams with the SDKs. Runs in their venv.

    validate.py bodies BODIES.jsonl         lines {"path", "body"}
    validate.py streams URL TEXT_LENGTH     reads an answer of the loopback model with each SDK
    validate.py batches URL                 has each SDK submit a batch to the loopback model, list it and read its results
"""

import collections
import json
import sys
import tempfile
import typing

import anthropic
import openai
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from google import genai
from google.genai import types
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from typing_extensions import NotRequired, Required, get_type_hints, is_typeddict

SEQUENCES = (list, collections.abc.Iterable, collections.abc.Sequence)


def problems(value, hint, path):
    """Why `value` is not of the type `hint`. Fields that a type does not have are problems."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Required, NotRequired, typing.Annotated) or str(origin).endswith(("Required", "Annotated")):
        return problems(value, arguments[0], path)
    if hint in (object, typing.Any):
        return []
    if is_typeddict(hint):
        return dict_problems(value, hint, path)
    if origin is typing.Union or str(origin) == "<class 'types.UnionType'>":
        found = [problems(value, argument, path) for argument in arguments]
        return min(found, key=len)
    if origin is typing.Literal:
        return [] if value in arguments else [f"{path}: {value!r} is not one of {arguments}"]
    if origin in SEQUENCES:
        if not isinstance(value, list):
            return [f"{path}: not a list"]
        return [problem for n, item in enumerate(value) for problem in problems(item, arguments[0], f"{path}[{n}]")]
    if origin in (dict, collections.abc.Mapping):
        return [] if isinstance(value, dict) else [f"{path}: not an object"]
    if hint is float:
        hint = (int, float)
    if hint is type(None) or hint is None:
        return [] if value is None else [f"{path}: not null"]
    try:
        is_right = isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
    except TypeError:
        return [f"{path}: unknown type {hint}"]
    return [] if is_right else [f"{path}: {value!r} is not {hint}"]


def dict_problems(value, hint, path):
    if not isinstance(value, dict):
        return [f"{path}: not an object"]
    hints = get_type_hints(hint, include_extras=True)
    found = [f"{path}: unknown field {name}" for name in value if name not in hints]
    found += [f"{path}: missing field {name}" for name in hint.__required_keys__ if name not in value]
    for name in value:
        if name in hints:
            found += problems(value[name], hints[name], f"{path}.{name}")
    return found


def gemini_problems(body):
    try:
        [types.Content.model_validate(content, strict=False) for content in body.pop("contents")]
        types.GenerationConfig.model_validate(body.pop("generationConfig", {}))
    except (KeyError, ValueError) as error:
        return [str(error)]
    return [f"unknown field {name}" for name in body]


def bodies(file):
    counts = collections.Counter()
    failed = False
    for line in open(file):
        request = json.loads(line)
        path, body = request["path"], request["body"]
        if path.endswith("/messages"):
            kind, found = "anthropic", problems(body, MessageCreateParamsStreaming, "body")
        elif path.endswith("/chat/completions"):
            kind, found = "openai", problems(body, CompletionCreateParamsStreaming, "body")
        else:
            kind, found = "gemini", gemini_problems(body)
        counts[kind] += 1
        for problem in found:
            failed = True
            print(f"{path}: {problem}")
    print("bodies: " + ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))
    # A validator that accepts everything would not show.
    wrong = {"model": "m", "max_tokens": 1, "stream": True, "messages": [], "temprature": 1}
    assert problems(wrong, MessageCreateParamsStreaming, "body") and gemini_problems({"contents": [], "x": 1})
    assert problems({**wrong, "max_tokens": "1"}, CompletionCreateParamsStreaming, "body")
    return failed


def streams(url, length):
    prompt = "Say something."
    client = anthropic.Anthropic(base_url=url, api_key="key")
    with client.messages.stream(
        model="claude-opus-5-5", max_tokens=1000, messages=[{"role": "user", "content": prompt}]
    ) as stream:
        message = stream.get_final_message()
    texts = {"anthropic": message.content[0].text}
    assert message.stop_reason == "end_turn" and message.usage.output_tokens > 0, message
    chunks = list(
        openai.OpenAI(base_url=url + "/v1", api_key="key").chat.completions.create(
            model="gpt-6.1-sol",
            messages=[{"role": "user", "content": prompt}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    texts["openai"] = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert chunks[-1].usage.completion_tokens > 0, chunks[-1]
    client = genai.Client(api_key="key", http_options={"base_url": url})
    chunks = list(client.models.generate_content_stream(model="gemini-4-argon", contents=prompt))
    texts["gemini"] = "".join(chunk.text or "" for chunk in chunks)
    wrong = {kind: len(text) for kind, text in texts.items() if len(text) != int(length)}
    print(f"streams: {len(texts)} read by the SDKs" + (f"; wrong lengths: {wrong}" if wrong else ""))
    return bool(wrong)


def batches(url):
    question = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Say something."}]}
    marks = {"first", "second"}
    found = {"anthropic": anthropic_batch(url, question, marks), "openai": openai_batch(url, question, marks),
             "gemini": gemini_batch(url, marks)}
    wrong = {kind: read for kind, read in found.items() if read != marks}
    print(f"batches: {len(found)} by the SDKs" + (f"; wrong results: {wrong}" if wrong else ""))
    return bool(wrong)


def anthropic_batch(url, question, marks):
    client = anthropic.Anthropic(base_url=url, api_key="key", _strict_response_validation=True).messages.batches
    batch = client.create(requests=[{"custom_id": mark, "params": question} for mark in marks])
    while client.retrieve(batch.id).processing_status != "ended":
        pass
    assert batch.id in [listed.id for listed in client.list(limit=1)], "the batch is not in the list"
    results = list(client.results(batch.id))
    assert all(result.result.type == "succeeded" for result in results), results
    assert all(result.result.message.content[0].text for result in results), results
    return {result.custom_id for result in results}


def openai_batch(url, question, marks):
    client = openai.OpenAI(base_url=url + "/v1", api_key="key", _strict_response_validation=True)
    endpoint = "/v1/chat/completions"
    lines = [{"custom_id": mark, "method": "POST", "url": endpoint, "body": question} for mark in marks]
    text = "\n".join(json.dumps(line) for line in lines).encode()
    file = client.files.create(file=("batch.jsonl", text), purpose="batch")
    name = {"propose_amplify": "name"}
    batch = client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h", metadata=name)
    while (batch := client.batches.retrieve(batch.id)).status != "completed":
        pass
    assert name in [listed.metadata for listed in client.batches.list(limit=1)], "the batch is not in the list"
    results = [json.loads(line) for line in client.files.content(batch.output_file_id).text.splitlines()]
    for result in results:
        openai.types.chat.ChatCompletion.model_validate(result["response"]["body"])
    return {result["custom_id"] for result in results}


def gemini_batch(url, marks):
    client = genai.Client(api_key="key", http_options={"base_url": url, "api_version": "v1beta"})
    request = {"contents": [{"role": "user", "parts": [{"text": "Say something."}]}]}
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write("\n".join(json.dumps({"key": mark, "request": request}) for mark in marks))
        file.flush()
        uploaded = client.files.upload(file=file.name, config={"mime_type": "application/jsonl"})
    batch = client.batches.create(model="gemini-4-argon", src=uploaded.name, config={"display_name": "name"})
    while (batch := client.batches.get(name=batch.name)).state != types.JobState.JOB_STATE_SUCCEEDED:
        pass
    assert "name" in [listed.display_name for listed in client.batches.list()], "the batch is not in the list"
    results = [json.loads(line) for line in client.files.download(file=batch.dest.file_name).splitlines()]
    for result in results:
        types.GenerateContentResponse.model_validate(result["response"])
    return {result["key"] for result in results}


PARTS = {"bodies": bodies, "streams": streams, "batches": batches}
sys.exit(PARTS[sys.argv[1]](*sys.argv[2:]))
