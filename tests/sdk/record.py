"""What the SDKs were answered: written down as it comes, and held against OpenAI's document and our own.

`python record.py FILE` checks what `install` (or `node/shared.js`) wrote: each line is one answer.
"""

import json
import os
import re
import sys
from collections import Counter

import httpx2
from schemas import check, check_ours, response_event

# Path, then the schemas of an answer and of what is streamed: OpenAI's and ours.
ROUTES = [
    ("POST", "/chat/completions", ("CreateChatCompletionResponse", "ChatCompletion"), "ChatCompletionChunk"),
    ("POST", "/images/(generations|edits)", ("ImagesResponse", "ImagesResponse"), "ImageEvent"),
    ("GET", "/models", ("ListModelsResponse", "ModelList"), None),
    ("GET", "/models/[^/]+", ("Model", "Model"), None),
    ("POST", "/videos", ("VideoResource", "Video"), None),
    ("GET", "/videos", ("VideoListResource", "VideoList"), None),
    ("GET", "/videos/[^/]+", ("VideoResource", "Video"), None),
    ("DELETE", "/videos/[^/]+", ("DeletedVideoResource", "VideoDeleted"), None),
    ("POST", "/responses", ("Response", "Response"), "ResponseStreamEvent"),
    ("POST", "/responses/input_tokens", ("TokenCountsResource", "ResponseInputCount"), None),
    ("GET", "/responses/[^/]+", ("Response", "Response"), None),
    ("GET", "/responses/[^/]+/input_items", ("ResponseItemList", "ResponseItemList"), None),
    ("POST", "/responses/[^/]+/cancel", ("Response", "Response"), None),
    # Of this one their document says nothing.
    ("DELETE", "/responses/[^/]+", (None, "ResponseDeleted"), None),
]
EVENTS = {
    "image_generation.partial_image": "ImageGenPartialImageEvent",
    "image_generation.completed": "ImageGenCompletedEvent",
    "image_edit.partial_image": "ImageEditPartialImageEvent",
    "image_edit.completed": "ImageEditCompletedEvent",
}


def install() -> None:
    """Writes down what clients of httpx2 receive from now on, if G2A_RECORD names a file."""
    path = os.environ.get("G2A_RECORD")
    if not path:
        return
    sync, later = httpx2.HTTPTransport.handle_request, httpx2.AsyncHTTPTransport.handle_async_request

    def handle(transport, request):
        response = sync(transport, request)
        response.stream = Heard(response.stream, request, response, path)
        return response

    async def handle_async(transport, request):
        response = await later(transport, request)
        response.stream = HeardLater(response.stream, request, response, path)
        return response

    httpx2.HTTPTransport.handle_request = handle
    httpx2.AsyncHTTPTransport.handle_async_request = handle_async


class Recorded:
    def __init__(self, stream, request, response, path):
        self.stream, self.path, self.heard, self.whole = stream, path, [], False
        kind = response.headers.get("content-type", "")
        self.told = {"method": request.method, "path": request.url.path, "status": response.status_code, "type": kind}

    def write(self) -> None:
        if not re.search("json|event-stream", self.told["type"]):
            return
        body = b"".join(self.heard).decode(errors="ignore")
        with open(self.path, "a") as file:
            file.write(json.dumps(self.told | {"whole": self.whole, "body": body}) + "\n")


class Heard(Recorded, httpx2.SyncByteStream):
    def __iter__(self):
        for chunk in self.stream:
            self.heard.append(chunk)
            yield chunk
        self.whole = True

    def close(self):
        self.write()
        self.stream.close()


class HeardLater(Recorded, httpx2.AsyncByteStream):
    async def __aiter__(self):
        async for chunk in self.stream:
            self.heard.append(chunk)
            yield chunk
        self.whole = True

    async def aclose(self):
        self.write()
        await self.stream.aclose()


def both(theirs: str | None, ours: str, value) -> None:
    if theirs:
        check(theirs, value)
    check_ours(ours, value)


def check_event(ours: str, value: dict) -> None:
    if "error" in value:
        both("ErrorResponse", "ErrorResponse", value)
    else:
        kind = value.get("type", "")
        if kind.startswith("response."):
            check(response_event(kind), value)
            # Ours describes the event around it.
            check_ours(ours, {"event": kind, "data": json.dumps(value)})
            return
        theirs = EVENTS.get(kind)
        both(theirs or "CreateChatCompletionStreamResponse", ours, value)


def check_answer(answer: dict) -> tuple[str, int]:
    """Checks one answer, or as much as came of it; its schema, and how many events it held."""
    path = "/" + answer["path"].split("/v1/", 1)[-1]
    found = [route for route in ROUTES if route[0] == answer["method"] and re.fullmatch(route[1], path)]
    if answer["status"] >= 400:
        both("ErrorResponse", "ErrorResponse", json.loads(answer["body"]))
        return f"error {answer['status']}", 0
    [(_, _, schemas, event)] = found
    if "event-stream" not in answer["type"]:
        if answer["whole"]:
            both(*schemas, json.loads(answer["body"]))
        return schemas[1], 0
    # What stands behind the last blank line did not come whole.
    lines = answer["body"].rpartition("\n\n")[0].split("\n")
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    events = [json.loads(line) for line in data if line != "[DONE]"]
    for value in events:
        check_event(event, value)
    return event, len(events)


def main(path: str) -> None:
    answers, events = Counter(), 0
    with open(path) as lines:
        for line in lines:
            schema, count = check_answer(json.loads(line))
            answers[schema] += 1
            events += count
    print(f"{answers.total()} answers and {events} events are as they should be: {dict(answers)}")
    missing = {schema for _, _, schemas, event in ROUTES for schema in (schemas[1], event) if schema} - answers.keys()
    missing |= {"error 401", "error 404", "error 429"} - answers.keys()
    assert not missing, f"never answered: {missing}"


if __name__ == "__main__":
    main(sys.argv[1])
