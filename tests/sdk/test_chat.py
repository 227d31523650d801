"""Models, and answers that are not streamed."""

import time

import pytest
from conftest import MODEL, THINKING_MODEL, user

UNICODE = "你好，世界 🌕 👩‍🚀 naïve e\u0301 עברית العربية \u2028 \U0001f1e9\U0001f1ea \"quoted\" \\n <b>&amp;"


def test_the_models_are_listed(client):
    models = {model.id: model for model in client.models.list()}
    assert {MODEL, THINKING_MODEL, "grok-4-heavy", "grok-imagine-0.9"} <= models.keys()
    for model in models.values():
        assert (model.object, model.owned_by) == ("model", "x-ai")
        assert isinstance(model.created, int)


def test_one_model_is_retrieved(client):
    assert client.models.retrieve(THINKING_MODEL) in list(client.models.list())


def test_an_answer_has_every_field(client):
    before = int(time.time())
    answer = client.chat.completions.create(model=MODEL, messages=user("[[sim:say=hello there]]"))
    assert answer.id.startswith("chatcmpl-")
    assert (answer.object, answer.model) == ("chat.completion", MODEL)
    assert type(answer.created) is int and before - 1 <= answer.created <= time.time() + 1
    [choice] = answer.choices
    assert (choice.index, choice.finish_reason, choice.logprobs) == (0, "stop", None)
    message = choice.message
    assert (message.role, message.content, message.refusal) == ("assistant", "hello there", None)
    assert message.tool_calls is None and message.function_call is None


def test_usage_adds_up(client):
    answer = client.chat.completions.create(model=THINKING_MODEL, messages=user("[[sim:say=hello there]]"))
    usage = answer.usage
    assert usage.prompt_tokens > 0
    assert usage.completion_tokens > usage.completion_tokens_details.reasoning_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    longer = client.chat.completions.create(model=MODEL, messages=user("[[sim:say=ok]]" + "word " * 400)).usage
    # A quarter of 2014 characters for the prompt, of two for the answer.
    assert (longer.prompt_tokens, longer.completion_tokens) == (504, 1)


def test_reasoning_stands_beside_the_answer(client):
    message = client.chat.completions.create(model=THINKING_MODEL, messages=user("[[sim:say=42]]")).choices[0].message
    assert message.content == "42"
    assert message.reasoning_content.strip()


def test_reasoning_stands_in_the_answer_when_asked_for(client):
    ask = {"model": THINKING_MODEL, "messages": user("[[sim:say=42]]")}
    message = client.chat.completions.create(**ask, extra_body={"thinking_mode": "think"}).choices[0].message
    assert message.content.startswith("<think>\n") and message.content.endswith("\n</think>\n42")
    assert getattr(message, "reasoning_content", None) is None
    message = client.chat.completions.create(**ask, extra_body={"thinking_mode": "off"}).choices[0].message
    assert message.content == "42" and getattr(message, "reasoning_content", None) is None


def test_citations_are_annotations(client):
    answer = client.chat.completions.create(model=MODEL, messages=user("[[sim:search]]news of the moon 🌕"))
    message = answer.choices[0].message
    assert len(message.annotations) == 2
    for annotation in message.annotations:
        cited = annotation.url_citation
        assert annotation.type == "url_citation" and cited.url.startswith("https://")
        # The simulator says the title and then cites; by default no link is left there, so the place has no width.
        assert cited.title and message.content[: cited.start_index].endswith(cited.title)
        assert cited.end_index == cited.start_index
    assert {annotation.url_citation.url for annotation in message.annotations} <= set(answer.citations)


def test_text_of_every_script_passes_both_ways(client, upstream, mark):
    prompt = f"[[sim:say={UNICODE}]][[sim:split]]{mark} {UNICODE}"
    answer = client.chat.completions.create(model=MODEL, messages=user(prompt))
    assert answer.choices[0].message.content == UNICODE
    [turn] = upstream.turns(mark)
    assert turn["body"]["message"] == prompt


def test_an_answer_ends_at_a_stop_sequence(client, upstream, mark):
    prompt = f"[[sim:say=one two three four]][[sim:delay_ms=50]]{mark}"
    answer = client.chat.completions.create(model=MODEL, messages=user(prompt), stop=["zz", "thr"])
    [choice] = answer.choices
    assert (choice.message.content, choice.finish_reason) == ("one two ", "stop")
    upstream.wait_cancelled(mark)


def test_an_answer_ends_with_its_tokens(client):
    ask = {"model": MODEL, "messages": user("[[sim:say=one two three four]]")}
    for limit in ({"max_tokens": 2}, {"max_completion_tokens": 2}):
        answer = client.chat.completions.create(**ask, **limit)
        assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("one two ", "length")
        assert answer.usage.completion_tokens == 2


def test_several_answers_are_told_apart(client):
    ask = {"model": MODEL, "messages": user("[[sim:say=hello]]"), "n": 3}
    answer = client.chat.completions.create(**ask)
    assert [(choice.index, choice.message.content) for choice in answer.choices] == [(n, "hello") for n in range(3)]
    told, finish = ["", "", ""], [[], [], []]
    for chunk in client.chat.completions.create(**ask, stream=True):
        for choice in chunk.choices:
            told[choice.index] += choice.delta.content or ""
            finish[choice.index] += [choice.finish_reason] if choice.finish_reason else []
    assert told == ["hello"] * 3 and finish == [["stop"]] * 3
    with client.chat.completions.stream(**ask) as stream:
        whole = stream.get_final_completion()
    assert [choice.message.content for choice in whole.choices] == ["hello"] * 3


def test_a_conversation_with_tools_is_accepted(client, upstream, mark):
    """Agents always send tools; a refusal on the second turn would end their session."""
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": f"[[sim:say=cold]]{mark}"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "minus three"},
        ],
        tools=[tool],
        tool_choice="auto",
        parallel_tool_calls=False,
        temperature=0,
        max_tokens=32000,
        stop=None,
        user="u1",
        extra_body={"unknown_to_everybody": {"x": 1}},
    )
    assert answer.choices[0].message.content == "cold"
    [turn] = upstream.turns(mark)
    assert all(part in turn["body"]["message"] for part in ["Be brief.", "weather", "Oslo", "minus three"])


@pytest.mark.parametrize("given", [None, "my-request.7"])
def test_the_request_id_is_told(client, given):
    headers = {"x-request-id": given} if given else {}
    ask = {"model": MODEL, "messages": user("[[sim:say=ok]]"), "extra_headers": headers}
    raw = client.chat.completions.with_raw_response.create(**ask)
    answer = raw.parse()
    assert answer._request_id == raw.headers["x-request-id"]
    assert answer._request_id == given or (given is None and answer._request_id.startswith("req_"))
    assert raw.headers["content-type"] == "application/json" and int(raw.headers["openai-processing-ms"]) >= 0
