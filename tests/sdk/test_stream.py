"""Streams: their chunks, the SDK's helper on top of them, many at once, and leaving them."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest
from conftest import MODEL, THINKING_MODEL, Streamed, read, user
from test_chat import UNICODE

ENDLESS = "[[sim:tokens=100000]][[sim:delay_ms=5]]"
TOGETHER = 20


def start(client, prompt, model=MODEL, **options):
    return client.chat.completions.create(model=model, messages=user(prompt), stream=True, **options)


def numbered(n: int) -> str:
    return f"[[sim:delay_ms=1]][[sim:say=answer {n} of many, 第{n}个]]"


def test_chunks_have_the_shape_that_strict_clients_need(client):
    streamed = read(start(client, "[[sim:say=one two 三 four]]"))
    assert (streamed.text, streamed.finish) == ("one two 三 four", ["stop"])
    first, last = streamed.chunks[0], streamed.chunks[-1]
    assert first.id.startswith("chatcmpl-") and type(first.created) is int
    for chunk in streamed.chunks:
        assert (chunk.object, chunk.model) == ("chat.completion.chunk", MODEL)
        assert (chunk.id, chunk.created) == (first.id, first.created)
        [choice] = chunk.choices
        assert choice.index == 0 and choice.delta is not None and chunk.usage is None
    roles = [chunk.choices[0].delta.role for chunk in streamed.chunks]
    assert roles == ["assistant"] + [None] * (len(roles) - 1)
    assert last.choices[0].finish_reason == "stop" and last.choices[0].delta.to_dict() == {}


def test_usage_comes_last_when_asked_for(client):
    streamed = read(start(client, "[[sim:say=one two]]", stream_options={"include_usage": True}))
    *chunks, last = streamed.chunks
    assert last.choices == []
    assert last.usage.total_tokens == last.usage.prompt_tokens + last.usage.completion_tokens
    assert last.usage.prompt_tokens > 0 and last.usage.completion_tokens > 0
    assert all(len(chunk.choices) == 1 and chunk.usage is None for chunk in chunks)
    assert last.id == chunks[0].id and (streamed.text, streamed.finish) == ("one two", ["stop"])


def test_streamed_and_whole_agree(client):
    ask = {"prompt": "[[sim:search]]news of the moon 🌕", "model": THINKING_MODEL}
    streamed = read(start(client, **ask, stream_options={"include_usage": True}))
    whole = client.chat.completions.create(model=THINKING_MODEL, messages=user(ask["prompt"]))
    message = whole.choices[0].message
    assert (streamed.text, streamed.reasoning) == (message.content, message.reasoning_content)
    assert streamed.chunks[-1].usage == whole.usage
    assert streamed.annotations == [annotation.to_dict() for annotation in message.annotations]


@pytest.mark.parametrize("search", ["off", "on"])
def test_the_stream_helper_puts_the_answer_together(client, search):
    ask = {"model": THINKING_MODEL, "messages": user(f"[[sim:search={search}]]tell me")}
    with client.chat.completions.stream(**ask, stream_options={"include_usage": True}) as stream:
        text = "".join(event.delta for event in stream if event.type == "content.delta")
        answer = stream.get_final_completion()
    [choice] = answer.choices
    assert (choice.index, choice.finish_reason, choice.message.role) == (0, "stop", "assistant")
    assert choice.message.content == text and text
    assert choice.message.reasoning_content.strip()
    assert answer.usage.total_tokens > 0
    assert len(choice.message.annotations or []) == (2 if search == "on" else 0)


def test_reasoning_comes_in_deltas_before_the_text(client):
    streamed = read(start(client, "[[sim:say=42]]", THINKING_MODEL))
    assert streamed.reasoning.strip() and streamed.text == "42"
    deltas = [chunk.choices[0].delta for chunk in streamed.chunks]
    thoughts = [n for n, delta in enumerate(deltas) if getattr(delta, "reasoning_content", None)]
    words = [n for n, delta in enumerate(deltas) if delta.content]
    assert len(thoughts) > 1 and thoughts[-1] < words[0]


def test_reasoning_comes_in_the_text_when_asked_for(client):
    streamed = read(start(client, "[[sim:say=42]]", THINKING_MODEL, extra_body={"thinking_mode": "think"}))
    assert streamed.text.startswith("<think>\n") and streamed.text.endswith("\n</think>\n42")
    assert streamed.reasoning == ""


def test_text_of_every_script_streams(client):
    assert read(start(client, f"[[sim:say={UNICODE}]][[sim:split]]")).text == UNICODE


def test_the_request_id_is_told(client):
    stream = start(client, "[[sim:say=ok]]")
    assert stream.response.headers["x-request-id"].startswith("req_")
    assert stream.response.headers["content-type"].startswith("text/event-stream")
    assert read(stream).text == "ok"


def test_many_threads_stream_at_once(client):
    with ThreadPoolExecutor(TOGETHER) as threads:
        answers = list(threads.map(lambda n: read(start(client, numbered(n))), range(TOGETHER)))
    assert [answer.text for answer in answers] == [f"answer {n} of many, 第{n}个" for n in range(TOGETHER)]
    assert all(answer.finish == ["stop"] for answer in answers)
    assert len({answer.chunks[0].id for answer in answers}) == TOGETHER


def test_many_tasks_stream_at_once(settings):
    async def one(client, n: int) -> Streamed:
        streamed = Streamed()
        async for chunk in await start(client, numbered(n)):
            streamed.add(chunk)
        return streamed

    async def all_of_them() -> list[Streamed]:
        async with openai.AsyncOpenAI(**settings) as client:
            return await asyncio.gather(*(one(client, n) for n in range(TOGETHER)))

    answers = asyncio.run(all_of_them())
    assert [answer.text for answer in answers] == [f"answer {n} of many, 第{n}个" for n in range(TOGETHER)]
    assert all(answer.finish == ["stop"] for answer in answers)


def test_closing_a_stream_stops_the_upstream(client, upstream, mark):
    with start(client, f"{ENDLESS}{mark}") as stream:
        assert next(chunk for chunk in stream if chunk.choices[0].delta.content)
        assert [turn["outcome"] for turn in upstream.turns(mark)] == ["open"]
    upstream.wait_cancelled(mark)


def test_cancelling_a_task_stops_the_upstream(settings, upstream, mark):
    async def leave() -> None:
        async with openai.AsyncOpenAI(**settings) as client:
            started = asyncio.Event()

            async def listen() -> None:
                async for _ in await start(client, f"{ENDLESS}{mark}"):
                    started.set()

            task = asyncio.create_task(listen())
            await asyncio.wait_for(started.wait(), 30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(upstream.wait_cancelled, mark)

    asyncio.run(leave())


def test_a_client_that_waits_no_longer_stops_the_upstream(client, upstream, mark):
    with pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model=MODEL, messages=user(f"{ENDLESS}{mark}"), timeout=1)
    upstream.wait_cancelled(mark)
