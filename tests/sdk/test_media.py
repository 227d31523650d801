"""Images and videos, in and out."""

import base64
import hashlib
import re

import pytest
from conftest import MODEL, fetch, read, user

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
)


def with_image(text: str) -> list[dict]:
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    return user([{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url, "detail": "high"}}])


def ask(client, streamed: bool, **request) -> tuple[str, str]:
    """Content and finish reason of the answer."""
    if streamed:
        answer = read(client.chat.completions.create(**request, stream=True))
        [finish] = answer.finish
        return answer.text, finish
    [choice] = client.chat.completions.create(**request).choices
    return choice.message.content, choice.finish_reason


@pytest.mark.parametrize("streamed", [False, True])
def test_an_image_reaches_the_upstream_unchanged(client, streamed):
    content, _ = ask(client, streamed, model=MODEL, messages=with_image("what is this?"))
    digest = hashlib.sha256(PNG).hexdigest()[:12]
    assert f"I can see 1 attachment(s): {digest}, image/png" in content


@pytest.mark.parametrize("streamed", [False, True])
def test_drawn_images_can_be_downloaded(client, settings, streamed):
    content, finish = ask(client, streamed, model=MODEL, messages=user("draw a moon"))
    links = re.findall(r"!\[Generated Image\]\(([^)]+)\)", content)
    assert (len(links), finish) == (2, "stop")
    pictures = set()
    for link in links:
        assert link.startswith(settings["base_url"].removesuffix("/v1") + "/images/")
        # Whoever has the link may look: a browser sends no key.
        image = fetch(link)
        assert (image.status, image.headers["content-type"]) == (200, "image/jpeg")
        assert image.body.startswith(b"\xff\xd8\xff") and len(image.body) == int(image.headers["content-length"])
        assert fetch(link, If_None_Match=image.headers["etag"]).status == 304
        pictures.add(image.body)
    assert len(pictures) == 2


def test_images_held_back_end_the_answer_as_filtered(client):
    _, finish = ask(client, True, model=MODEL, messages=user("[[sim:fault=image-moderated]]draw a moon"))
    assert finish == "content_filter"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_video_can_be_downloaded_in_parts(client, streamed):
    content, finish = ask(client, streamed, model="grok-imagine-0.9", messages=with_image("let the sun rise"))
    [link] = re.findall(r'<video src="([^"]+)" controls="controls"></video>', content)
    assert finish == "stop"
    whole = fetch(link)
    size = len(whole.body)
    assert (whole.status, whole.headers["content-type"]) == (200, "video/mp4")
    part = fetch(link, Range="bytes=4-11")
    assert (part.status, part.headers["content-range"]) == (206, f"bytes 4-11/{size}")
    assert part.body == whole.body[4:12] == b"ftypisom"
    assert fetch(link, Range="bytes=-5").body == whole.body[-5:]
    assert fetch(link, Range=f"bytes={size}-").status == 416
