// LangChain for JavaScript.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatOpenAI } from "@langchain/openai";
import { apiKey, baseURL, cancelled, ENDLESS, mark, MODEL, recording } from "./shared.js";

const chat = (more = {}) =>
  new ChatOpenAI({ model: MODEL, apiKey, maxRetries: 0, configuration: { baseURL, fetch: recording }, ...more });

test("a chat with usage", async () => {
  const answer = await chat().invoke("[[sim:say=hello there]]");
  assert.equal(answer.content, "hello there");
  assert.equal(answer.response_metadata.finish_reason, "stop");
  const { input_tokens, output_tokens, total_tokens } = answer.usage_metadata;
  assert.ok(input_tokens > 0 && output_tokens > 0 && total_tokens === input_tokens + output_tokens);
});

test("a stream with usage", async () => {
  let whole;
  for await (const chunk of await chat().stream("[[sim:say=one two 三]]")) whole = whole ? whole.concat(chunk) : chunk;
  assert.equal(whole.content, "one two 三");
  assert.equal(whole.response_metadata.finish_reason, "stop");
  assert.ok(whole.usage_metadata.total_tokens > 0);
});

test("a batch and a conversation with tools", async () => {
  const answers = await chat().batch(["[[sim:say=a]]", "[[sim:say=b]]"]);
  assert.deepEqual(answers.map(({ content }) => content), ["a", "b"]);
  const tool = { type: "function", function: { name: "weather", description: "", parameters: { type: "object", properties: {} } } };
  const answer = await chat().bindTools([tool]).invoke([
    ["system", "Be brief."],
    ["user", "[[sim:say=cold]]"],
  ]);
  assert.equal(answer.content, "cold");
});

test("errors", async () => {
  await assert.rejects(chat({ apiKey: "sk-wrong" }).invoke("x"), { status: 401 });
  await assert.rejects(chat({ model: "gpt-4" }).invoke("x"), { status: 404 });
  await assert.rejects(chat().invoke("[[sim:fault=429+Retry-After=7]]x"), { status: 429 });
});

test("leaving stops the upstream", async () => {
  const [word, leave] = [mark(), new AbortController()];
  const listen = async () => {
    for await (const chunk of await chat().stream(ENDLESS + word, { signal: leave.signal })) if (chunk.content) leave.abort();
  };
  await assert.rejects(listen());
  await cancelled(word);
});
