import { expect, test } from "vitest";
import type { Running } from "@/api/live";
import { group, within } from "./group";

const one = (change: Partial<Running>): Running => ({
  id: "turn_1",
  request_id: "r",
  replica: "a",
  endpoint: "/v1/chat/completions",
  model: "grok-4-fast",
  client_key: null,
  key_name: null,
  account: null,
  account_token: null,
  stream: true,
  phase: "running",
  started_at: 10,
  first_output_at: null,
  tokens: 0,
  tokens_per_second: 5,
  attempts: 1,
  cancellable: true,
  ...change,
});

test("sums by what was asked for, most streams first", () => {
  const groups = group(
    [one({}), one({ model: "grok-3-fast" }), one({ started_at: 4, phase: "waiting", tokens_per_second: 0 })],
    "model",
  );
  expect(groups.map(({ id }) => id)).toEqual(["grok-4-fast", "grok-3-fast"]);
  expect(groups[0]).toMatchObject({ running: 2, waiting: 1, tokensPerSecond: 5, oldest: 4 });
});

test("streams without a key are a group of their own", () => {
  const groups = group([one({}), one({ client_key: "k", key_name: "Anna" })], "key");
  expect(groups.map(({ label }) => label).sort()).toEqual(["", "Anna"]);
});

test("replicas tell their own sums, and are there while they are idle", () => {
  const replica = { host: "one", roles: ["gateway"], running: 900, waiting: 3, tokens_per_second: 40 };
  const idle = { ...replica, id: "b", host: "two", running: 0, waiting: 0, tokens_per_second: 0 };
  const groups = group([one({})], "replica", [idle, { ...replica, id: "a" }]);
  expect(groups).toEqual([
    { id: "a", label: "one", running: 900, waiting: 3, tokensPerSecond: 40, oldest: 10 },
    { id: "b", label: "two", running: 0, waiting: 0, tokensPerSecond: 0, oldest: null },
  ]);
});

test("gives the streams of one group", () => {
  const running = [one({ id: "a" }), one({ id: "b", client_key: "k", key_name: "Anna" })];
  const ids = (only: Parameters<typeof within>[1]) => within(running, only).map(({ id }) => id);
  expect(ids(null)).toEqual(["a", "b"]);
  expect(ids({ by: "key", id: "k", label: "Anna" })).toEqual(["b"]);
  expect(ids({ by: "key", id: "", label: "" })).toEqual(["a"]);
  expect(ids({ by: "model", id: "grok-3-fast", label: "grok-3-fast" })).toEqual([]);
});
