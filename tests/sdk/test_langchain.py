"""LangChain."""

import openai
import pytest
from conftest import MODEL, THINKING_MODEL
from langchain_openai import ChatOpenAI


@pytest.fixture(scope="session")
def chat(settings):
    """A chat model; more settings overwrite these."""

    def make(**more) -> ChatOpenAI:
        reach = {"base_url": settings["base_url"], "api_key": settings["api_key"]}
        return ChatOpenAI(**({"model": MODEL, "max_retries": 0, "timeout": 60} | reach | more))

    return make


def test_an_answer_with_usage(chat):
    answer = chat().invoke("[[sim:say=hello there]]")
    assert answer.content == "hello there"
    assert answer.response_metadata["finish_reason"] == "stop" and answer.response_metadata["model_name"] == MODEL
    usage = answer.usage_metadata
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0


@pytest.mark.parametrize("model", [MODEL, THINKING_MODEL])
def test_a_stream_with_usage(chat, model):
    whole = None
    for chunk in chat(model=model, stream_usage=True).stream("[[sim:say=one two 三]]"):
        whole = chunk if whole is None else whole + chunk
    assert whole.content == "one two 三"
    assert whole.response_metadata["finish_reason"] == "stop"
    assert whole.usage_metadata["total_tokens"] > 0


def test_a_batch(chat):
    answers = chat().batch([f"[[sim:say=answer {n}]]" for n in range(5)])
    assert [answer.content for answer in answers] == [f"answer {n}" for n in range(5)]


def test_tools_are_taken(chat):
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    assert chat().bind_tools([tool]).invoke([("system", "Be brief."), ("user", "[[sim:say=cold]]")]).content == "cold"


def test_errors(chat):
    with pytest.raises(openai.AuthenticationError):
        chat(api_key="sk-wrong").invoke("x")
    with pytest.raises(openai.NotFoundError):
        chat(model="gpt-4").invoke("x")
    with pytest.raises(openai.RateLimitError):
        chat().invoke("[[sim:fault=429+Retry-After=7]]x")


def test_leaving_a_stream_stops_the_upstream(chat, upstream, mark):
    stream = chat().stream(f"[[sim:tokens=100000]][[sim:delay_ms=5]]{mark}")
    assert next(chunk for chunk in stream if chunk.content)
    stream.close()
    upstream.wait_cancelled(mark)
