// The AI SDK, with the OpenAI provider and with the provider for compatible servers.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateImage, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { apiKey, baseURL, cancelled, ENDLESS, mark, MODEL, recording, THINKING_MODEL } from "./shared.js";

const official = (key = apiKey) => createOpenAI({ apiKey: key, baseURL, fetch: recording });
const compatible = (key = apiKey) =>
  createOpenAICompatible({ name: "grok", apiKey: key, baseURL, fetch: recording, includeUsage: true });
const CITY = jsonSchema({
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
});
const PROVIDERS = {
  openai: { chat: (model, key) => official(key).chat(model), image: official().image(MODEL) },
  "openai-compatible": { chat: (model, key) => compatible(key)(model), image: compatible().imageModel(MODEL) },
};

for (const [name, { chat, image }] of Object.entries(PROVIDERS)) {
  describe(name, () => {
    test("a text with usage", async () => {
      const { text, finishReason, usage } = await generateText({ model: chat(MODEL), prompt: "[[sim:say=hello there]]" });
      assert.deepEqual([text, finishReason], ["hello there", "stop"]);
      assert.equal(usage.totalTokens, usage.inputTokens + usage.outputTokens);
      assert.ok(usage.inputTokens > 0 && usage.outputTokens > 0);
    });

    test("a stream with usage", async () => {
      const result = streamText({ model: chat(MODEL), prompt: "[[sim:say=one two 三]]" });
      let text = "";
      for await (const delta of result.textStream) text += delta;
      assert.deepEqual([text, await result.finishReason], ["one two 三", "stop"]);
      assert.ok((await result.usage).totalTokens > 0);
    });

    test("an agent", async () => {
      const asked = [];
      const execute = async (input) => (asked.push(input), `sunny in ${input.city}`);
      const result = await generateText({
        model: chat(MODEL),
        prompt: '[[sim:call=weather {"city":"Rome"}]]',
        stopWhen: stepCountIs(3),
        tools: { weather: tool({ description: "How the weather is", inputSchema: CITY, execute }) },
      });
      assert.deepEqual(asked, [{ city: "Rome" }]);
      assert.match(result.text, /The tool said: .*sunny in Rome/);
    });

    test("a streamed call", async () => {
      const result = streamText({
        model: chat(MODEL),
        prompt: '[[sim:call=weather {"city":"Rome"}]][[sim:style=prose]]',
        tools: { weather: tool({ description: "How the weather is", inputSchema: CITY }) },
      });
      const [calls, reason] = [await result.toolCalls, await result.finishReason];
      assert.deepEqual([calls.map(({ input }) => input), reason], [[{ city: "Rome" }], "tool-calls"]);
    });

    test("an image", async () => {
      const { images } = await generateImage({ model: image, prompt: "a moon", n: 2 });
      assert.equal(images.length, 2);
      for (const { uint8Array } of images) assert.equal(uint8Array[0], 0xff);
    });

    test("errors", async () => {
      const failing = (model, prompt, key) =>
        generateText({ model: chat(model, key), prompt, maxRetries: 0 }).then(assert.fail, (error) => error);
      const seen = [
        await failing(MODEL, "x", "sk-wrong"),
        await failing("gpt-4", "x"),
        await failing(MODEL, "[[sim:fault=429+Retry-After=7]]x"),
      ];
      for (const error of seen) assert.ok(APICallError.isInstance(error), String(error));
      assert.deepEqual(seen.map(({ statusCode }) => statusCode), [401, 404, 429]);
      assert.deepEqual(seen.map(({ isRetryable }) => isRetryable), [false, false, true]);
      assert.match(seen[1].message, /gpt-4/);
    });

    test("a failure that passes is tried again", async () => {
      const prompt = `[[sim:fault=502-html:3]][[sim:say=rescued]]${mark()}`;
      assert.equal((await generateText({ model: chat(MODEL), prompt, maxRetries: 1 })).text, "rescued");
    });

    test("leaving stops the upstream", async () => {
      const [word, leave] = [mark(), new AbortController()];
      const result = streamText({ model: chat(MODEL), prompt: ENDLESS + word, abortSignal: leave.signal });
      for await (const part of result.fullStream) {
        if (part.type === "text-delta") leave.abort();
        if (part.type === "abort") break;
      }
      await cancelled(word);
    });
  });
}

test("reasoning is told apart", async () => {
  const { text, reasoningText } = await generateText({ model: compatible()(THINKING_MODEL), prompt: "[[sim:say=42]]" });
  assert.equal(text, "42");
  assert.ok(reasoningText.trim().length > 0);
});

describe("openai responses", () => {
  const model = official()(MODEL);

  test("a text and a stream", async () => {
    const { text, finishReason, usage } = await generateText({ model, prompt: "[[sim:say=hello there]]" });
    assert.deepEqual([text, finishReason], ["hello there", "stop"]);
    assert.ok(usage.inputTokens > 0 && usage.outputTokens > 0);
    const result = streamText({ model, prompt: "[[sim:say=one two 三]]" });
    let streamed = "";
    for await (const delta of result.textStream) streamed += delta;
    assert.deepEqual([streamed, await result.finishReason], ["one two 三", "stop"]);
  });

  test("a conversation, told by references to what is kept", async () => {
    const first = await generateText({ model, prompt: "[[sim:say=hello Ann]]I am Ann" });
    const messages = [
      { role: "user", content: "I am Ann" },
      ...first.response.messages,
      { role: "user", content: "[[sim:say=Ann]]Who am I?" },
    ];
    assert.equal((await generateText({ model, messages })).text, "Ann");
  });

  test("a tool, called and told of what it brought", async () => {
    const weather = tool({
      inputSchema: jsonSchema({
        type: "object",
        properties: { city: { type: "string" } },
        required: ["city"],
        additionalProperties: false,
      }),
      execute: async ({ city }) => `it rains in ${city}`,
    });
    const prompt = '[[sim:call=weather {"city":"Rome"}]]How is it in Rome?';
    const { text, steps } = await generateText({ model, prompt, tools: { weather }, stopWhen: stepCountIs(3) });
    assert.equal(steps.length, 2);
    assert.match(text, /it rains in Rome/);
  });
});
