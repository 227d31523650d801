"""Frameworks that agents are built with: each completes a task with a call, and brings an answer of a given shape.

Started by `services/server/tests/e2e/agents.rs`, which tells where the product is: G2A_BASE_URL, G2A_API_KEY.
"""

import asyncio
import os

import agents
import anthropic
import instructor
import openai
import pydantic
import pytest
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

BASE_URL, API_KEY, MODEL = os.environ["G2A_BASE_URL"], os.environ["G2A_API_KEY"], "grok-3-fast"
TASK = '[[sim:call=get_weather {"city":"Rome"}]] How is the weather in Rome?'
SAID = "The tool said: sunny in Rome"


class Person(pydantic.BaseModel):
    name: str
    age: int


@pytest.fixture
def asked() -> list[str]:
    return []


def test_openai_agents(asked):
    @agents.function_tool
    def get_weather(city: str) -> str:
        """How the weather is."""
        asked.append(city)
        return f"sunny in {city}"

    agents.set_tracing_disabled(True)
    client = openai.AsyncOpenAI(base_url=BASE_URL, api_key=API_KEY)
    model = agents.OpenAIChatCompletionsModel(MODEL, client)
    agent = agents.Agent("weather", instructions="Be brief.", model=model, tools=[get_weather])
    assert agents.Runner.run_sync(agent, TASK).final_output == SAID

    async def streamed() -> str:
        result = agents.Runner.run_streamed(agent, TASK)
        async for _ in result.stream_events():
            pass
        return result.final_output

    assert asyncio.run(streamed()) == SAID
    assert asked == ["Rome", "Rome"]
    shaped = agents.Agent("person", model=model, output_type=Person)
    assert agents.Runner.run_sync(shaped, "[[sim:json]]").final_output == Person(name="moon", age=7)


def test_pydantic_ai(asked):
    model = OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=BASE_URL, api_key=API_KEY))
    agent = Agent(model)

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """How the weather is."""
        asked.append(city)
        return f"sunny in {city}"

    assert agent.run_sync(TASK).output == SAID
    assert asked == ["Rome"]
    # Its way to an answer of a given shape is a call that must be made.
    shaped = Agent(model, output_type=Person)
    task = '[[sim:call=final_result {"name":"moon","age":"7"}]]'
    assert shaped.run_sync(task).output == Person(name="moon", age=7)


@pytest.mark.parametrize("mode", [instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA])
def test_instructor(mode):
    client = instructor.from_openai(openai.OpenAI(base_url=BASE_URL, api_key=API_KEY), mode=mode)
    tools = mode == instructor.Mode.TOOLS
    task = '[[sim:call=Person {"name":"moon","age":7}]]' if tools else "[[sim:json]]"
    messages = [{"role": "user", "content": task}]
    made = client.chat.completions.create(model=MODEL, messages=messages, response_model=Person)
    assert (made.name, made.age) == ("moon", 7)


@pytest.fixture
def claude():
    return anthropic.Anthropic(base_url=BASE_URL.removesuffix("/v1"), auth_token=API_KEY, max_retries=0)


WEATHER = {
    "name": "get_weather",
    "description": "How the weather is",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def ask(claude, messages, **more):
    return claude.messages.create(model=MODEL, max_tokens=1024, messages=messages, tools=[WEATHER], **more)


def test_anthropic(claude):
    messages = [{"role": "user", "content": TASK}]
    answer = ask(claude, messages, tool_choice={"type": "any"})
    assert answer.stop_reason == "tool_use"
    [call] = [block for block in answer.content if block.type == "tool_use"]
    assert (call.name, call.input) == ("get_weather", {"city": "Rome"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny in Rome"}
    messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
    assert ask(claude, messages).content[0].text == SAID


def test_anthropic_streamed(claude):
    messages = [{"role": "user", "content": f"{TASK}[[sim:style=prose]]"}]
    with claude.messages.stream(model=MODEL, max_tokens=1024, messages=messages, tools=[WEATHER]) as stream:
        answer = stream.get_final_message()
    [call] = [block for block in answer.content if block.type == "tool_use"]
    assert (call.input, answer.stop_reason) == ({"city": "Rome"}, "tool_use")


def test_anthropic_runs_tools(claude, asked):
    @anthropic.beta_tool
    def get_weather(city: str) -> str:
        """How the weather is.

        Args:
            city: Where.
        """
        asked.append(city)
        return f"sunny in {city}"

    messages = [{"role": "user", "content": TASK}]
    runner = claude.beta.messages.tool_runner(model=MODEL, max_tokens=1024, messages=messages, tools=[get_weather])
    assert runner.until_done().content[0].text == SAID
    assert asked == ["Rome"]
