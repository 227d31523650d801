// The official OpenAI SDK for Node.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import OpenAI, { toFile } from "openai";
import { apiKey, baseURL, cancelled, ENDLESS, mark, MODEL, recording, THINKING_MODEL } from "./shared.js";

const settings = { apiKey, baseURL, maxRetries: 0, fetch: recording };
const client = new OpenAI(settings);
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const ask = (content, more = {}) =>
  client.chat.completions.create({ model: MODEL, messages: [{ role: "user", content }], ...more });

test("a chat", async () => {
  const answer = await ask("[[sim:say=hello there]]");
  const [choice] = answer.choices;
  assert.equal(choice.message.content, "hello there");
  assert.equal(choice.finish_reason, "stop");
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  assert.match(answer._request_id, /^req_/);
});

test("a stream with usage", async () => {
  const stream = await ask("[[sim:say=one two 三]]", { stream: true, stream_options: { include_usage: true } });
  let [text, finish, usage] = ["", [], null];
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    if (chunk.choices[0]?.finish_reason) finish.push(chunk.choices[0].finish_reason);
    usage = chunk.usage ?? usage;
  }
  assert.deepEqual([text, finish], ["one two 三", ["stop"]]);
  assert.ok(usage.total_tokens > 0);
});

test("the helper that runs tools", async () => {
  for (const stream of [false, true]) {
    const asked = [];
    const weather = (input) => (asked.push(JSON.parse(input)), "sunny");
    const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
    const runner = client.chat.completions.runTools({
      model: MODEL,
      stream,
      messages: [{ role: "user", content: '[[sim:call=weather {"city":"Rome"}]]' }],
      tools: [{ type: "function", function: { name: "weather", description: "x", function: weather, parameters } }],
    });
    assert.equal(await runner.finalContent(), "The tool said: sunny");
    assert.deepEqual(asked, [{ city: "Rome" }]);
  }
});

test("the stream helper puts the answer together", async () => {
  const messages = [{ role: "user", content: "[[sim:search]]news of the moon" }];
  for (const n of [1, 2]) {
    const runner = client.chat.completions.stream({ model: THINKING_MODEL, messages, n });
    let text = "";
    runner.on("content", (delta) => (text += delta));
    const answer = await runner.finalChatCompletion();
    assert.equal(answer.choices.length, n);
    for (const choice of answer.choices) assert.equal(choice.finish_reason, "stop");
    if (n === 1) assert.equal(answer.choices[0].message.content, text);
    assert.ok(text.length > 0);
  }
});

test("the models", async () => {
  const models = [];
  for await (const model of client.models.list()) models.push(model.id);
  assert.ok(models.includes(MODEL) && models.includes("grok-imagine-0.9"));
  assert.equal((await client.models.retrieve(MODEL)).owned_by, "x-ai");
});

test("images, drawn and edited, whole and streamed", async () => {
  const drawn = await client.images.generate({ model: MODEL, prompt: "a moon", n: 2, response_format: "b64_json" });
  assert.equal(drawn.data.length, 2);
  for (const image of drawn.data) assert.equal(Buffer.from(image.b64_json, "base64")[0], 0xff);
  const image = await toFile(PNG, "a.png", { type: "image/png" });
  const edited = await client.images.edit({ model: MODEL, prompt: "a hat", image });
  assert.match(edited.data[0].url, /\/images\//);
  const types = [];
  const stream = await client.images.generate({ model: MODEL, prompt: "a moon", stream: true, partial_images: 1 });
  for await (const event of stream) types.push(event.type);
  assert.deepEqual(types, ["image_generation.partial_image", "image_generation.completed"]);
});

test("a video", async () => {
  let video = await client.videos.create({ model: "grok-imagine-0.9", prompt: "the sun rises" });
  while (["queued", "in_progress"].includes(video.status)) {
    await delay(50);
    video = await client.videos.retrieve(video.id);
  }
  assert.equal(video.status, "completed");
  const listed = [];
  for await (const { id } of client.videos.list({ limit: 100 })) listed.push(id);
  assert.ok(listed.includes(video.id));
  const content = Buffer.from(await (await client.videos.downloadContent(video.id)).arrayBuffer());
  assert.equal(content.subarray(4, 8).toString(), "ftyp");
  assert.ok((await client.videos.delete(video.id)).deleted);
});

test("errors are the SDK's own", async () => {
  const stranger = new OpenAI({ ...settings, apiKey: "sk-wrong" });
  const refused = { status: 401, code: "invalid_api_key", type: "authentication_error" };
  await assert.rejects(stranger.models.list(), (error) => {
    assert.ok(error instanceof OpenAI.AuthenticationError);
    return assert.partialDeepStrictEqual({ ...error }, refused) ?? true;
  });
  await assert.rejects(ask("x", { model: "gpt-4" }), { status: 404, code: "model_not_found", param: "model" });
  await assert.rejects(ask("x", { temperature: "hot" }), { status: 400, param: "temperature" });
  for (const stream of [false, true]) {
    await assert.rejects(ask("[[sim:fault=429+Retry-After=7]]x", { stream }), (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError);
      return Number(error.headers.get("retry-after")) <= 7;
    });
  }
});

test("a late failure is an error, and never a complete answer", async () => {
  const stream = await ask("[[sim:say=one two three]][[sim:fault=200-error-after-text]]", { stream: true });
  const finish = [];
  await assert.rejects(
    (async () => {
      for await (const chunk of stream) finish.push(chunk.choices[0]?.finish_reason);
    })(),
    OpenAI.APIError,
  );
  assert.ok(finish.every((reason) => reason == null));
});

test("responses, whole, streamed and kept", async () => {
  const first = await client.responses.create({ model: MODEL, input: "[[sim:say=hello Ann]]I am Ann" });
  assert.deepEqual([first.output_text, first.status], ["hello Ann", "completed"]);
  const input = [{ role: "user", content: "[[sim:say=Ann]]Who am I?" }];
  const stream = client.responses.stream({ model: MODEL, input, previous_response_id: first.id });
  let text = "";
  stream.on("response.output_text.delta", ({ delta }) => (text += delta));
  const second = await stream.finalResponse();
  assert.deepEqual([text, second.output_text, second.previous_response_id], ["Ann", "Ann", first.id]);
  const kept = await client.responses.retrieve(second.id);
  // The helper adds a field of its own, `parsed`, to every text.
  const told = ({ id, status, content }) => [id, status, content.map((part) => part.text)];
  assert.deepEqual(kept.output.map(told), second.output.map(told));
  const items = [];
  for await (const item of client.responses.inputItems.list(second.id)) items.push(item);
  assert.equal(items.length, 1);
  await client.responses.delete(second.id);
  await assert.rejects(client.responses.retrieve(second.id), { status: 404, code: "response_not_found" });
});

test("leaving stops the upstream", async () => {
  const word = mark();
  const stream = await ask(ENDLESS + word, { stream: true });
  for await (const chunk of stream) if (chunk.choices[0].delta.content) break;
  await cancelled(word);
  const other = mark();
  await assert.rejects(
    client.chat.completions.create(
      { model: MODEL, messages: [{ role: "user", content: ENDLESS + other }] },
      { signal: AbortSignal.timeout(1000) },
    ),
    OpenAI.APIUserAbortError,
  );
  await cancelled(other);
});
