"""The Responses protocol with the official SDK: whole, streamed, kept, and with everything an answer can hold."""

import asyncio
import json

import openai
import pytest
from conftest import MODEL, THINKING_MODEL


def test_an_answer(client):
    answer = client.responses.create(model=MODEL, input="[[sim:say=hello there]]", metadata={"a": "b"}, user="ann")
    assert (answer.output_text, answer.status, answer.error) == ("hello there", "completed", None)
    assert (answer.metadata, answer.user, answer.store) == ({"a": "b"}, "ann", True)
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0
    assert answer._request_id.startswith("req_")


def test_a_stream(client):
    events = list(client.responses.create(model=MODEL, input="[[sim:say=one two 三]]", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [events[0].type, events[1].type] == ["response.created", "response.in_progress"]
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == events[-1].response.output_text == "one two 三"
    assert events[-1].type == "response.completed"


def test_the_stream_helper_puts_the_answer_together(client):
    request = {"model": THINKING_MODEL, "input": "[[sim:search]]news of the moon", "tools": [{"type": "web_search"}]}
    with client.responses.stream(**request, reasoning={"summary": "auto"}) as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        answer = stream.get_final_response()
    assert answer.output_text == text
    kinds = {item.type for item in answer.output}
    assert {"reasoning", "web_search_call", "message"} <= kinds
    [thought, *_] = [item for item in answer.output if item.type == "reasoning"]
    assert thought.summary[0].text


def test_a_citation_stands_in_its_text(client):
    answer = client.responses.create(model=MODEL, input="[[sim:search]]news of the moon")
    [part] = answer.output[-1].content
    assert part.annotations
    for annotation in part.annotations:
        assert annotation.type == "url_citation" and annotation.url.startswith("https://")
        assert 0 <= annotation.start_index <= annotation.end_index <= len(part.text)


def test_items_instructions_and_a_picture(client):
    answer = client.responses.create(
        model=MODEL,
        instructions="Be terse.",
        input=[
            {"role": "developer", "content": "Answer in English."},
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What is this?"},
                    {
                        "type": "input_image",
                        "detail": "auto",
                        "image_url": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
                    },
                ],
            },
            {"role": "assistant", "content": [{"type": "output_text", "text": "A dot.", "annotations": []}]},
            {"role": "user", "content": "[[sim:say=indeed]]Sure?"},
        ],
        max_output_tokens=4096,
        parallel_tool_calls=False,
        reasoning={"effort": "low"},
        temperature=0.5,
        top_p=0.9,
        text={"verbosity": "low"},
        truncation="auto",
        prompt_cache_key="k",
    )
    assert answer.output_text == "indeed"
    assert (answer.instructions, answer.temperature, answer.prompt_cache_key) == ("Be terse.", 0.5, "k")


def test_a_conversation_goes_on(client, upstream, mark):
    first = client.responses.create(model=MODEL, input=f"[[sim:say=hello Ann]]I am Ann {mark}")
    second = client.responses.create(model=MODEL, input="[[sim:say=Ann]]Who am I?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    told = upstream.turns(mark)[-1]["body"]["message"]
    assert "hello Ann" in told and "Who am I?" in told
    # An item by its id, as the AI SDK sends what it has.
    refers = [{"type": "item_reference", "id": second.output[0].id}, {"role": "user", "content": f"{mark} sure?"}]
    client.responses.create(model=MODEL, input=refers)
    assert "Ann" in upstream.turns(mark)[-1]["body"]["message"]


def test_what_is_kept(client):
    answer = client.responses.create(model=MODEL, input="[[sim:say=hello]]", store=True)
    assert client.responses.retrieve(answer.id) == answer
    [item] = client.responses.input_items.list(answer.id)
    assert (item.role, item.content[0].text) == ("user", "[[sim:say=hello]]")
    assert client.responses.cancel(answer.id) == answer
    client.responses.delete(answer.id)
    with pytest.raises(openai.NotFoundError) as gone:
        client.responses.retrieve(answer.id)
    assert gone.value.code == "response_not_found"
    forgotten = client.responses.create(model=MODEL, input="[[sim:say=hello]]", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(forgotten.id)
    with pytest.raises(openai.NotFoundError) as lost:
        client.responses.create(model=MODEL, input="x", previous_response_id=answer.id)
    assert lost.value.param == "previous_response_id"


def test_a_cut_answer_is_incomplete(client):
    answer = client.responses.create(model=MODEL, input="[[sim:say=one two three]]", max_output_tokens=1)
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")


def test_input_is_counted(client):
    assert client.responses.input_tokens.count(model=MODEL, input="twelve chars").input_tokens == 3


def test_errors_are_classes(client):
    with pytest.raises(openai.NotFoundError) as unknown:
        client.responses.create(model="gpt-4", input="x")
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as wrong:
        client.responses.create(model=MODEL, input=[{"role": "robot", "content": "x"}])
    assert wrong.value.param == "input[0].role"
    for stream in (False, True):
        with pytest.raises(openai.RateLimitError):
            client.responses.create(model=MODEL, input="[[sim:fault=429+Retry-After=7]]x", stream=stream)


def test_a_late_failure_is_an_event(client):
    stream = client.responses.create(
        model=MODEL, input="[[sim:say=one two three]][[sim:fault=200-error-after-text]]", stream=True
    )
    last = list(stream)[-1]
    assert (last.type, last.response.status) == ("response.failed", "failed")
    assert last.response.error.message


def test_leaving_a_stream_stops_the_upstream(client, upstream, mark):
    with client.responses.create(
        model=MODEL, input=f"[[sim:tokens=100000]][[sim:delay_ms=5]]{mark}", stream=True
    ) as stream:
        next(event for event in stream if event.type == "response.output_text.delta")
    upstream.wait_cancelled(mark)


def test_a_running_stream_is_cancelled(client, upstream, mark):
    stream = client.responses.create(
        model=MODEL, input=f"[[sim:tokens=100000]][[sim:delay_ms=5]]{mark}", stream=True
    )
    created = next(iter(stream))
    cancelled = client.responses.cancel(created.response.id)
    assert (cancelled.id, cancelled.status) == (created.response.id, "cancelled")
    assert list(stream)[-1].response.status == "cancelled"
    upstream.wait_cancelled(mark)


def test_the_client_without_threads(settings):
    async def ask() -> str:
        async with openai.AsyncOpenAI(**settings) as client:
            stream = await client.responses.create(model=MODEL, input="[[sim:say=one two]]", stream=True)
            return "".join([event.delta async for event in stream if event.type == "response.output_text.delta"])

    assert asyncio.run(ask()) == "one two"


def test_a_function_is_called(client):
    parameters = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    }
    tools = [{"type": "function", "name": "weather", "parameters": parameters, "strict": True}]
    asked = [{"role": "user", "content": '[[sim:call=weather {"city":"Rome"}]]How is it in Rome?'}]
    with client.responses.stream(model=MODEL, input=asked, tools=tools) as stream:
        arguments = "".join(e.delta for e in stream if e.type == "response.function_call_arguments.delta")
        answer = stream.get_final_response()
    [call] = [item for item in answer.output if item.type == "function_call"]
    assert (call.name, call.arguments) == ("weather", arguments)
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "it rains"}
    told = client.responses.create(model=MODEL, input=[result], previous_response_id=answer.id, tools=tools)
    assert "it rains" in told.output_text


def test_an_answer_has_a_shape(client):
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    }
    text = {"format": {"type": "json_schema", "name": "place", "strict": True, "schema": schema}}
    answer = client.responses.create(model=MODEL, input="[[sim:json]]Where?", text=text)
    assert isinstance(json.loads(answer.output_text)["city"], str)
