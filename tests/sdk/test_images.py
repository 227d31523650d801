"""Images drawn and edited."""

import base64

import openai
import pytest
from conftest import MODEL, fetch

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
JPEG = b"\xff\xd8\xff"


def test_images_are_links(client):
    answer = client.images.generate(model=MODEL, prompt="a moon", n=2, size="1024x1024")
    assert len(answer.data) == 2 and answer.usage.total_tokens > 0
    for image in answer.data:
        assert image.b64_json is None
        assert fetch(image.url).body.startswith(JPEG)


def test_images_are_base64(client):
    [image] = client.images.generate(model=MODEL, prompt="a moon", response_format="b64_json").data
    assert image.url is None and base64.b64decode(image.b64_json).startswith(JPEG)


def test_previews_are_streamed(client):
    stream = client.images.generate(model=MODEL, prompt="a moon", stream=True, partial_images=2)
    partial, completed = list(stream)
    assert (partial.type, partial.partial_image_index) == ("image_generation.partial_image", 0)
    assert completed.type == "image_generation.completed" and completed.usage.total_tokens > 0
    shown = [base64.b64decode(event.b64_json) for event in (partial, completed)]
    assert shown[0] != shown[1] and all(image.startswith(JPEG) for image in shown)


def test_an_image_is_edited(client, upstream, mark):
    answer = client.images.edit(model=MODEL, image=("a.png", PNG), prompt=f"a hat {mark}", n=1)
    assert len(answer.data) == 1
    [turn] = upstream.turns(mark)
    assert len(turn["body"]["fileAttachments"]) == 1


def test_several_images_are_edited_together(client, upstream, mark):
    stream = client.images.edit(
        model=MODEL, image=[("a.png", PNG), ("b.png", PNG + b"\0")], prompt=f"a hat {mark}", stream=True
    )
    assert [event.type for event in stream] == ["image_edit.completed"]
    [turn] = upstream.turns(mark)
    assert len(turn["body"]["fileAttachments"]) == 2


def test_a_request_without_a_prompt_is_refused(client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.generate(model=MODEL, prompt="")
    assert refused.value.param == "prompt"
