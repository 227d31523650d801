"""The official SDK against a running product: what the tests share.

`services/server/tests/e2e/sdk.rs` starts the product with its simulated upstream, many accounts and an API key, and
tells where they are: G2A_BASE_URL, G2A_SIM_URL, G2A_API_KEY.
"""

import json
import os
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import openai
import pytest
import record

MODEL = "grok-3-fast"
THINKING_MODEL = "grok-4-fast"
# Without the proxy of the environment: everything here is on this machine.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def fetch(url: str, **headers: str) -> Answer:
    """A GET without the SDK; `_` in a header's name stands for `-`. Never raises for a status."""
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        response = _direct.open(request, timeout=30)
    except urllib.error.HTTPError as refused:
        response = refused
    with response:
        given = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, given, response.read())


class Upstream:
    """What reached the simulated upstream."""

    def __init__(self, url: str):
        self._url = url

    def turns(self, mark: str) -> list[dict]:
        """The chat turns whose message contains `mark`, oldest first."""
        requests = json.loads(fetch(f"{self._url}/__sim/state?last=200").body)["requests"]
        chats = (request for request in requests if request["path"].endswith("/conversations/new"))
        return [chat for chat in chats if mark in (chat["body"] or {}).get("message", "")]

    def wait(self, mark: str, wanted: Callable[[list[dict]], bool]) -> list[dict]:
        """The turns with `mark`, as soon as they are as wanted."""
        deadline = time.monotonic() + 30
        while not wanted(turns := self.turns(mark)):
            assert time.monotonic() < deadline, f"still not as wanted: {turns}"
        return turns

    def wait_cancelled(self, mark: str) -> None:
        """Returns once the one turn with `mark` was cancelled by the product."""
        self.wait(mark, lambda turns: [turn["outcome"] for turn in turns] == ["cancelled"])


@dataclass
class Streamed:
    """A stream, read to its end."""

    chunks: list = field(default_factory=list)
    text: str = ""
    reasoning: str = ""
    finish: list[str] = field(default_factory=list)
    annotations: list = field(default_factory=list)

    def add(self, chunk) -> None:
        self.chunks.append(chunk)
        for choice in chunk.choices:
            self.text += choice.delta.content or ""
            self.reasoning += getattr(choice.delta, "reasoning_content", None) or ""
            self.annotations += getattr(choice.delta, "annotations", None) or []
            self.finish += [choice.finish_reason] if choice.finish_reason else []


def read(stream) -> Streamed:
    streamed = Streamed()
    for chunk in stream:
        streamed.add(chunk)
    return streamed


def user(content) -> list[dict]:
    return [{"role": "user", "content": content}]


record.install()


@pytest.fixture(scope="session")
def settings() -> dict:
    """How a client reaches the product. The SDK repeats nothing on its own and checks each answer against its types."""
    return {
        "base_url": os.environ["G2A_BASE_URL"],
        "api_key": os.environ["G2A_API_KEY"],
        "max_retries": 0,
        "timeout": 60,
        "_strict_response_validation": True,
    }


@pytest.fixture(scope="session")
def client(settings):
    with openai.OpenAI(**settings) as client:
        yield client


@pytest.fixture(scope="session")
def upstream() -> Upstream:
    return Upstream(os.environ["G2A_SIM_URL"])


@pytest.fixture
def mark() -> str:
    """A word that no other test's prompt contains."""
    return f"mark-{uuid.uuid4().hex}"
