"""LangChain."""

import openai
import pydantic
import pytest
from conftest import MODEL, THINKING_MODEL
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
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


def get_weather(city: str, days: int) -> str:
    """How the weather is."""
    return f"sunny in {city} for {days} days"


def test_an_agent(chat):
    model = chat().bind_tools([get_weather])
    messages = [SystemMessage("Be brief."), HumanMessage('[[sim:call=get_weather {"city":"Rome","days":2}]]')]
    answer = model.invoke(messages)
    [call] = answer.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Rome", "days": 2})
    messages += [answer, ToolMessage(get_weather(**call["args"]), tool_call_id=call["id"])]
    assert model.invoke(messages).content == "The tool said: sunny in Rome for 2 days"


def test_a_streamed_call(chat):
    whole = None
    for chunk in chat().bind_tools([get_weather]).stream('[[sim:call=get_weather {"city":"Rome","days":2}]]'):
        whole = chunk if whole is None else whole + chunk
    [call] = whole.tool_calls
    assert call["args"] == {"city": "Rome", "days": 2} and whole.response_metadata["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_a_structured_answer(chat, method):
    class Person(pydantic.BaseModel):
        """A person."""

        name: str
        age: int

    marker = '[[sim:call=Person {"name":"moon","age":7}]]' if method == "function_calling" else "[[sim:json]]"
    marker = '[[sim:json={"name":"moon","age":7}]]' if method == "json_mode" else marker
    person = chat().with_structured_output(Person, method=method).invoke(f"{marker} a person as JSON")
    assert person == Person(name="moon", age=7)


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
