import { expect, test } from "vitest";
import type { Bucket } from "@/api/dashboard";
import { fill } from "./fill";

const times = { count: 1, mean_ms: 5, p50_ms: 5, p95_ms: 9 };
const bucket = (start: number): Bucket => ({
  start,
  requests: 3,
  success: 1,
  client_cancelled: 1,
  failed: 1,
  outcomes: {},
  prompt_tokens: 10,
  completion_tokens: 20,
  reasoning_tokens: 0,
  units: 4,
  images: 0,
  videos: 0,
  first_output: times,
  duration: times,
  tokens_per_second: 40,
  lost: 0,
});

test("steps without requests are zero, and have no times", () => {
  const points = fill([bucket(120)], 60, 240, 60);
  expect(points.map(({ start }) => start)).toEqual([60, 120, 180]);
  expect(points[0]).toMatchObject({ success: 0, units: 0, first50: null, speed: null });
  expect(points[1]).toMatchObject({ success: 1, failed: 1, input: 10, output: 20, first95: 9, speed: 40 });
});

test("a width that would make thousands of steps shows what there is", () => {
  expect(fill([bucket(60)], 0, 10_000_000, 60)).toHaveLength(1);
  expect(fill([bucket(0)], 0, 60, 0)).toHaveLength(1);
});
