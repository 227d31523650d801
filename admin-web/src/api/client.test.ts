import { afterEach, expect, test, vi } from "vitest";
import { address, api } from "./client";
import { ApiError, asApiError } from "./error";
import { follow, type Progress } from "./ndjson";
import { events } from "./sse";

const answer = (body: string, init: ResponseInit = {}) =>
  vi.spyOn(globalThis, "fetch").mockResolvedValue(new Response(body, init));
const chunks = (...parts: string[]) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const part of parts) controller.enqueue(new TextEncoder().encode(part));
      controller.close();
    },
  });

afterEach(() => vi.restoreAllMocks());

test("a query leaves out what is empty and joins lists", () => {
  expect(address("/a", { x: "", y: undefined, z: ["b", "c"], n: 0, q: "a&b" })).toBe(
    "/a?z=b%2Cc&n=0&q=a%26b",
  );
  expect(address("/a", { z: [] })).toBe("/a");
});

test("an error has the server's code, field and text", async () => {
  answer(
    JSON.stringify({ error: { message: "too many", type: "x", param: "limit", code: "invalid_value" } }),
    {
      status: 400,
      headers: { "x-request-id": "req_1", "retry-after": "7" },
    },
  );
  const error = await api.get("/a").catch(asApiError);
  expect(error).toMatchObject({
    status: 400,
    code: "invalid_value",
    param: "limit",
    message: "too many",
    retryAfter: 7,
    requestId: "req_1",
  });
});

test("an answer of a stranger, a proxy say, is still an error", async () => {
  answer("<html>bad gateway</html>", { status: 502, statusText: "Bad Gateway" });
  expect(await api.get("/a").catch(asApiError)).toMatchObject({
    status: 502,
    code: "http_502",
    message: "502 Bad Gateway",
  });
  vi.spyOn(globalThis, "fetch").mockRejectedValue(new TypeError("failed"));
  expect(await api.get("/a").catch(asApiError)).toMatchObject({ status: 0, code: "unreachable" });
});

test("progress is followed line by line, however the bytes are cut", async () => {
  vi.spyOn(globalThis, "fetch").mockResolvedValue(
    new Response(chunks('{"type":"progress","do', 'ne":1,"total":2}\n{"type":"result","changed"', ":2}\n")),
  );
  const seen: Progress[] = [];
  const result = await follow<Progress, { changed: number }>("/a", {}, (progress) => seen.push(progress));
  expect(seen).toMatchObject([{ done: 1, total: 2 }]);
  expect(result).toMatchObject({ changed: 2 });
});

test("work that failed, and work whose end was never told, are errors", async () => {
  answer('{"type":"error","error":{"code":"storage_unavailable","message":"away"}}\n');
  await expect(follow("/a", {}, () => undefined)).rejects.toMatchObject({ code: "storage_unavailable" });
  answer('{"type":"progress","done":1,"total":2}\n');
  await expect(follow("/a", {}, () => undefined)).rejects.toMatchObject({ code: "cut_off" });
  expect(asApiError("odd")).toBeInstanceOf(ApiError);
});

test("server-sent events: several lines of data, comments, a character cut in two", async () => {
  const bytes = new TextEncoder().encode(": ping\n\nevent: a\ndata: 一\ndata: two\n\ndata: last\n\n");
  const cut = new ReadableStream<Uint8Array>({
    start(controller) {
      // In the middle of the Chinese character.
      controller.enqueue(bytes.slice(0, 25));
      controller.enqueue(bytes.slice(25));
      controller.close();
    },
  });
  const seen = [];
  for await (const event of events(cut)) seen.push(event);
  expect(seen).toEqual([
    { event: "a", data: "一\ntwo" },
    { event: "message", data: "last" },
  ]);
});
