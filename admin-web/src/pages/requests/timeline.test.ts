import { expect, test } from "vitest";
import { timeline } from "./timeline";

const attempt = (duration_ms: number) => ({
  account: "a",
  token: "abcd…wxyz",
  outcome: "success",
  cause: null,
  duration_ms,
  units: 1,
});

test("attempts follow each other and the last ends with the request", () => {
  const [first, second] = timeline({ duration_ms: 1000, attempts: [attempt(200), attempt(600)] });
  expect(first).toMatchObject({ start: 0.2, length: 0.2 });
  expect(second?.start).toBeCloseTo(0.4);
  expect((second?.start ?? 0) + (second?.length ?? 0)).toBeCloseTo(1);
});

test("parallel choices may take longer in sum than the request, and still fit", () => {
  const spans = timeline({ duration_ms: 100, attempts: [attempt(100), attempt(100)] });
  expect(spans.every(({ start, length }) => start >= 0 && start + length <= 1.0001)).toBe(true);
  expect(timeline({ duration_ms: 0, attempts: [] })).toEqual([]);
});
