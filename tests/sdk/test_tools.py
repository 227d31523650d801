"""Functions and answers in JSON, through the helpers that agents are built with."""

import json

import openai
import pydantic
import pytest
from conftest import MODEL, read, user

CALL = '[[sim:call=get_weather {"city":"Rome","days":2}]]'
STYLES = ["plain", "split", "prose", "fenced", "sloppy", "types", "unclosed", "empty"]


class GetWeather(pydantic.BaseModel):
    """How the weather is."""

    city: str
    days: int


class Person(pydantic.BaseModel):
    name: str
    age: int
    friends: list[str]


WEATHER = openai.pydantic_function_tool(GetWeather, name="get_weather")


def converse(client, prompt: str, tools=(WEATHER,), **more) -> tuple[list, str]:
    """Answers calls until there is none; the calls that were made, and the last words."""
    messages, made = user(prompt), []
    while True:
        message = client.chat.completions.create(model=MODEL, messages=messages, tools=tools, **more).choices[0].message
        if not message.tool_calls:
            return made, message.content
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            made.append((call.function.name, json.loads(call.function.arguments)))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": "sunny"})


@pytest.mark.parametrize("style", STYLES)
def test_a_conversation_with_a_call(client, style):
    made, words = converse(client, f"{CALL}[[sim:style={style}]]")
    assert made == [("get_weather", {"city": "Rome", "days": 2})]
    assert words == "The tool said: sunny"


def test_a_parsed_call(client):
    [choice] = client.chat.completions.parse(model=MODEL, messages=user(CALL), tools=[WEATHER]).choices
    assert choice.finish_reason == "tool_calls" and choice.message.content is None
    [call] = choice.message.tool_calls
    assert call.function.parsed_arguments == GetWeather(city="Rome", days=2)


def test_a_streamed_call(client):
    prompt = user(f'{CALL}[[sim:call=get_weather {{"city":"Oslo","days":1}}]][[sim:style=prose]]')
    with client.chat.completions.stream(model=MODEL, messages=prompt, tools=[WEATHER]) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        [choice] = stream.get_final_completion().choices
    assert [event.parsed_arguments.city for event in done] == ["Rome", "Oslo"]
    assert choice.finish_reason == "tool_calls" and "look that up" in choice.message.content
    assert len({call.id for call in choice.message.tool_calls}) == 2


def test_tools_that_are_not_used(client):
    stream = client.chat.completions.create(
        model=MODEL, messages=user("[[sim:say=a < b, `c` and <tool_call>]]"), tools=[WEATHER], stream=True
    )
    streamed = read(stream)
    assert (streamed.text, streamed.finish) == ("a < b, `c` and <tool_call>", ["stop"])


def test_a_required_call_that_is_not_made(client):
    with pytest.raises(openai.InternalServerError) as failed:
        client.chat.completions.create(
            model=MODEL, messages=user("[[sim:say=no]]"), tools=[WEATHER], tool_choice="required"
        )
    assert failed.value.code == "tool_call_missing"


@pytest.mark.parametrize("style", ["plain", "fenced", "prose", "sloppy", "empty"])
def test_a_parsed_answer(client, style):
    answer = client.chat.completions.parse(
        model=MODEL, messages=user(f"[[sim:json]][[sim:style={style}]]"), response_format=Person
    )
    assert answer.choices[0].message.parsed == Person(name="moon", age=7, friends=["moon"])


def test_a_streamed_parsed_answer(client):
    with client.chat.completions.stream(
        model=MODEL, messages=user("[[sim:json]]"), response_format=Person
    ) as stream:
        for _ in stream:
            pass
        assert stream.get_final_completion().choices[0].message.parsed.age == 7


def test_the_functions_of_old(client):
    function = {"name": "get_weather", "parameters": GetWeather.model_json_schema()}
    stream = client.chat.completions.create(model=MODEL, messages=user(CALL), functions=[function], stream=True)
    deltas = [chunk.choices[0].delta.function_call for chunk in stream if chunk.choices[0].delta.function_call]
    assert deltas[0].name == "get_weather"
    assert json.loads("".join(delta.arguments or "" for delta in deltas)) == {"city": "Rome", "days": 2}
