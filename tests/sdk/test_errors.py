"""Failures, as the exceptions that the SDK makes of them."""

import openai
import pytest
from conftest import MODEL, read, user

BODIES = [
    ({"messages": "x"}, "messages", "invalid_type"),
    ({"messages": []}, "messages", "invalid_value"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role", "invalid_value"),
    ({"messages": user(7)}, "messages[0].content", "invalid_type"),
    (
        {"messages": user([{"type": "image_url", "image_url": {"url": "data:image/png;base64,????"}}])},
        "messages[0].content[0].image_url.url",
        "invalid_value",
    ),
    ({"model": 7}, "model", "invalid_type"),
    ({"model": None}, "model", "missing_required_parameter"),
    ({"temperature": "hot"}, "temperature", "invalid_type"),
    ({"stream_options": "usage"}, "stream_options", "invalid_type"),
    ({"max_tokens": "many"}, "max_tokens", "invalid_type"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "stop", "invalid_value"),
    ({"thinking_mode": "loud"}, "thinking_mode", "invalid_value"),
    ({"n": 5}, "n", "unsupported_value"),
    ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value"),
    ({"tool_choice": "required"}, "tool_choice", "invalid_value"),
]


def ask(client, prompt: str = "x", **options):
    return client.chat.completions.create(**({"model": MODEL, "messages": user(prompt)} | options))


@pytest.mark.parametrize("call", [ask, lambda client: client.models.list()], ids=["chat", "models"])
def test_a_wrong_key(settings, call):
    with openai.OpenAI(**settings | {"api_key": "sk-wrong"}) as stranger:
        with pytest.raises(openai.AuthenticationError) as refused:
            call(stranger)
    error = refused.value
    assert (error.status_code, error.code, error.type) == (401, "invalid_api_key", "authentication_error")
    assert "the API key is wrong" in error.message and error.request_id
    assert settings["api_key"] not in error.message


@pytest.mark.parametrize(
    "call",
    [lambda client: ask(client, model="gpt-4"), lambda client: client.models.retrieve("gpt-4")],
    ids=["chat", "models"],
)
def test_an_unknown_model(client, call):
    with pytest.raises(openai.NotFoundError) as refused:
        call(client)
    error = refused.value
    assert (error.code, error.param, error.type) == ("model_not_found", "model", "invalid_request_error")
    assert "gpt-4" in error.message


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("body", "param", "code"), BODIES, ids=[f"{param}:{code}" for _, param, code in BODIES])
def test_a_malformed_body(client, body, param, code, stream):
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, stream=stream, extra_body=body)
    error = refused.value
    assert (error.param, error.code, error.type) == (param, code, "invalid_request_error")
    assert param in error.message and error.request_id
    assert error.response.headers["x-should-retry"] == "false"


def test_content_that_the_upstream_refuses(client):
    with pytest.raises(openai.PermissionDeniedError) as refused:
        ask(client, "[[sim:fault=403-moderation]]x")
    assert (refused.value.code, refused.value.type) == ("content_moderated", "permission_error")


@pytest.mark.parametrize("stream", [False, True])
def test_a_rate_limit(client, stream):
    with pytest.raises(openai.RateLimitError) as refused:
        ask(client, "[[sim:fault=429+Retry-After=7]]x", stream=stream)
    error = refused.value
    assert (error.status_code, error.code, error.type) == (429, "upstream_rate_limited", "rate_limit_error")
    seconds, millis = (int(error.response.headers[name]) for name in ["retry-after", "retry-after-ms"])
    assert 1 <= seconds <= 7 and (seconds - 1) * 1000 < millis <= seconds * 1000


def test_a_failure_in_the_middle_of_a_stream(client):
    stream = ask(client, "[[sim:say=one two three four]][[sim:fault=200-error-after-text]]", stream=True)
    chunks = []
    with pytest.raises(openai.APIError) as failed:
        for chunk in stream:
            chunks.append(chunk)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text and "one two three four".startswith(text)
    assert not any(chunk.choices[0].finish_reason for chunk in chunks)
    error = failed.value
    assert not isinstance(error, openai.APIStatusError | openai.APIConnectionError)
    assert (error.code, error.type) == ("upstream_rate_limited", "rate_limit_error")
    assert error.message and error.message != "An error occurred during streaming"


def test_a_failure_in_the_middle_reaches_users_of_the_helper(client):
    prompt = "[[sim:say=one two three four]][[sim:fault=200-truncated-object]]"
    with pytest.raises(openai.APIError) as failed:
        with client.chat.completions.stream(model=MODEL, messages=user(prompt)) as stream:
            stream.until_done()
    assert failed.value.code == "upstream_stream_truncated"


@pytest.mark.parametrize("stream", [False, True])
def test_another_account_takes_over_unseen(client, upstream, mark, stream):
    answer = ask(client, f"[[sim:fault=500:1]][[sim:say=rescued]]{mark}", stream=stream)
    text = read(answer).text if stream else answer.choices[0].message.content
    assert text == "rescued"
    failed, served = upstream.turns(mark)
    assert (failed["status"], served["status"]) == (500, 200)
    assert failed["account"] != served["account"]


def test_when_every_attempt_fails_the_sdk_tries_again(client, upstream, mark):
    answer = ask(client.with_options(max_retries=1), f"[[sim:fault=502-html:3]][[sim:say=rescued]]{mark}")
    assert answer.choices[0].message.content == "rescued"
    assert [turn["status"] for turn in upstream.turns(mark)] == [502, 502, 502, 200]


def test_when_every_attempt_fails_it_is_the_upstreams_fault(client):
    with pytest.raises(openai.InternalServerError) as failed:
        ask(client, "[[sim:fault=502-html]]x")
    assert (failed.value.status_code, failed.value.code, failed.value.type) == (502, "upstream_error", "server_error")
