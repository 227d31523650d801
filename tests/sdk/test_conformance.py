"""Every answer, and every chunk and event of a stream, against OpenAI's published OpenAPI document."""

import json
import urllib.request

import pytest
from conftest import MODEL, THINKING_MODEL, fetch, user
from schemas import check

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture(scope="session")
def ask(settings):
    """A POST without the SDK: the answer's text."""

    def post(path: str, body: dict) -> str:
        headers = {"authorization": f"Bearer {settings['api_key']}", "content-type": "application/json"}
        request = urllib.request.Request(settings["base_url"] + path, json.dumps(body).encode(), headers)
        with _direct.open(request, timeout=60) as response:
            return response.read().decode()

    return post


def data(stream: str) -> list[dict]:
    lines = [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


CHATS = {
    "plain": {"messages": user("[[sim:say=hello]]")},
    "cited": {"messages": user("[[sim:search]]news of the moon")},
    "thinking": {"model": THINKING_MODEL, "messages": user("[[sim:say=hello]]")},
    "drawn": {"messages": user("draw a moon")},
    "several": {"messages": user("[[sim:say=hello]]"), "n": 2},
    "stopped": {"messages": user("[[sim:say=one two three]]"), "stop": "two"},
    "cut": {"messages": user("[[sim:say=one two three]]"), "max_completion_tokens": 1},
}


@pytest.mark.parametrize("chat", CHATS.values(), ids=CHATS.keys())
def test_an_answer_is_a_chat_completion(ask, chat):
    check("CreateChatCompletionResponse", json.loads(ask("/chat/completions", {"model": MODEL, **chat})))


@pytest.mark.parametrize("chat", CHATS.values(), ids=CHATS.keys())
def test_every_chunk_is_one_of_a_chat_completion(ask, chat):
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = data(ask("/chat/completions", {"model": MODEL, **chat, **streamed}))
    assert len(chunks) > 2
    for chunk in chunks:
        check("CreateChatCompletionStreamResponse", chunk)


def test_the_models_are_models(settings):
    models = json.loads(fetch(settings["base_url"] + "/models", authorization=f"Bearer {settings['api_key']}").body)
    check("ListModelsResponse", models)


@pytest.mark.parametrize("size", ["auto", "1024x1536"])
def test_images_are_images(ask, size):
    for kind in ("url", "b64_json"):
        body = {"model": MODEL, "prompt": "a moon", "n": 2, "response_format": kind, "size": size}
        check("ImagesResponse", json.loads(ask("/images/generations", body)))


def test_every_image_event_is_one(ask):
    body = {"model": MODEL, "prompt": "a moon", "stream": True, "partial_images": 1}
    partial, completed = data(ask("/images/generations", body))
    check("ImageGenPartialImageEvent", partial)
    check("ImageGenCompletedEvent", completed)
    edit = body | {"image": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="}
    partial, completed = data(ask("/images/edits", edit))
    check("ImageEditPartialImageEvent", partial)
    check("ImageEditCompletedEvent", completed)


def test_videos_are_videos(ask, settings, client):
    video = json.loads(ask("/videos", {"prompt": "the sun rises"}))
    check("VideoResource", video)
    client.videos.poll(video["id"], poll_interval_ms=50)
    failed = client.videos.create_and_poll(prompt="[[sim:fault=200-empty-body]]x", poll_interval_ms=50)
    key = {"authorization": f"Bearer {settings['api_key']}"}
    for id in (video["id"], failed.id):
        check("VideoResource", json.loads(fetch(f"{settings['base_url']}/videos/{id}", **key).body))
    check("VideoListResource", json.loads(fetch(f"{settings['base_url']}/videos", **key).body))


def test_what_is_not_of_the_schema_is_found(ask):
    answer = json.loads(ask("/chat/completions", {"model": MODEL, **CHATS["plain"]}))
    del answer["choices"][0]["message"]["refusal"]
    with pytest.raises(AssertionError, match="refusal"):
        check("CreateChatCompletionResponse", answer)
