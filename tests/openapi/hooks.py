"""What schemathesis cannot know of the product: which models there are, and the names of real media."""

import json
import os
import urllib.request
import uuid

import schemathesis

MODELS = {"/v1/videos": "grok-imagine-0.9"}
USUAL_MODEL = "grok-3-fast"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c636460f8cf500f0003860180"
    "5a347d6b0000000049454e44ae426082"
)
LONGEST_NAME = 256
SHORT_KEY = 100
BAD_GATEWAY = 502
MODEL_FAILED = ("structured_output_invalid", "tool_call_missing", "tool_call_invalid", " twice")
TOO_MANY = 429
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_media: dict[str, str] = {}


def draw() -> str:
    """The name of a real image."""
    if "image" not in _media:
        body = json.dumps({"prompt": "a moon"}).encode()
        key = {"Authorization": f"Bearer {os.environ['G2A_API_KEY']}"}
        with _direct.open(urllib.request.Request(os.environ["G2A_BASE_URL"] + "/images/generations", body, key)) as answer:
            _media["image"] = json.load(answer)["data"][0]["url"].rsplit("/", 1)[1]
    return _media["image"]


@schemathesis.hook
def map_body(context, body):
    if isinstance(body, dict):
        if isinstance(body.get("model"), str) and 0 < len(body["model"]) <= LONGEST_NAME:
            body["model"] = MODELS.get(context.operation.path, USUAL_MODEL)
        for name in ("image", "input_reference"):
            if isinstance(body.get(name), bytes):
                body[name] = PNG
    return body


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if context.operation.path == "/images/{name}" and len(path_parameters.get("name", "")) % 2:
        path_parameters["name"] = draw()
    return path_parameters


@schemathesis.hook
def map_headers(context, headers):
    # A key used again rightly brings the first answer again, even of a video that was deleted since.
    key = (headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and key.isascii() and key.isprintable() and 0 < len(key) <= SHORT_KEY:
        headers["Idempotency-Key"] = f"{key}-{uuid.uuid4()}"
    return headers


@schemathesis.hook
def filter_failure(context, failure, case, response):
    # The simulated model says what it likes, also where JSON or a call is asked for: that is its failure, and told as one.
    if response.status_code == BAD_GATEWAY and any(word in response.text for word in MODEL_FAILED):
        return False
    if type(failure).__name__ != "AcceptedNegativeData":
        return True
    # Whoever asks too often is refused before anybody looks at what they ask. Forms have no types: what a wrong value becomes
    # on the wire may well be a right one.
    return response.status_code != TOO_MANY and case.media_type != "multipart/form-data"
