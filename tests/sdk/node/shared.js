// What the tests share. `services/server/tests/e2e/sdk.rs` starts the product with its simulated upstream and tells where
// they are. Every answer is written down as it came, for `tests/sdk/record.py` to hold against OpenAI's document.

import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { randomUUID } from "node:crypto";

export const baseURL = process.env.G2A_BASE_URL;
export const apiKey = process.env.G2A_API_KEY;
export const MODEL = "grok-3-fast";
export const THINKING_MODEL = "grok-4-fast";
export const ENDLESS = "[[sim:tokens=100000]][[sim:delay_ms=5]]";

const record = process.env.G2A_RECORD;

/** `fetch` that writes down each JSON answer and each stream, also one that is left early. */
export async function recording(input, init) {
  const response = await fetch(input, init);
  const type = response.headers.get("content-type") ?? "";
  if (!record || !response.body || !/json|event-stream/.test(type)) return response;
  const url = new URL(typeof input === "string" ? input : (input.url ?? input));
  const heard = [];
  const decoder = new TextDecoder();
  const write = (whole) => {
    const method = init?.method ?? "GET";
    const body = heard.splice(0).join("") + decoder.decode();
    appendFileSync(record, `${JSON.stringify({ method, path: url.pathname, status: response.status, type, whole, body })}\n`);
  };
  const reader = response.body.getReader();
  const body = new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) {
          write(true);
          return controller.close();
        }
        heard.push(decoder.decode(value, { stream: true }));
        controller.enqueue(value);
      } catch (error) {
        write(false);
        controller.error(error);
      }
    },
    async cancel(reason) {
      write(false);
      await reader.cancel(reason);
    },
  });
  const copy = new Response(body, { status: response.status, headers: response.headers });
  Object.defineProperty(copy, "url", { value: response.url });
  return copy;
}

/** A word that no other test's prompt contains. */
export const mark = () => `mark-${randomUUID()}`;

/** Returns once the one turn with `mark` was cancelled by the product. */
export async function cancelled(mark) {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const state = await (await fetch(`${process.env.G2A_SIM_URL}/__sim/state?last=200`)).json();
    const turns = state.requests.filter(
      ({ path, body }) => path.endsWith("/conversations/new") && (body?.message ?? "").includes(mark),
    );
    if (turns.length === 1 && turns[0].outcome === "cancelled") return;
    assert.ok(Date.now() < deadline, `still not cancelled: ${JSON.stringify(turns).slice(0, 2000)}`);
  }
}
