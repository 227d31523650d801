import type { Bucket } from "@/api/dashboard";

/** One step of the time axis, as the charts want it. */
export interface Point {
  start: number;
  success: number;
  cancelled: number;
  failed: number;
  input: number;
  output: number;
  units: number;
  /** Absent where nothing was measured, so that lines have gaps instead of zeros. */
  first50: number | null;
  first95: number | null;
  speed: number | null;
}

const MOST = 400;

/** The buckets of a series over the whole range; those without requests, which the server leaves out, are zero. */
export function fill(buckets: readonly Bucket[], from: number, to: number, width: number): Point[] {
  const known = new Map(buckets.map((bucket) => [bucket.start, bucket]));
  if (width <= 0 || (to - from) / width > MOST) return buckets.map((bucket) => point(bucket.start, bucket));
  const points: Point[] = [];
  for (let start = from; start < to; start += width) points.push(point(start, known.get(start)));
  return points;
}

function point(start: number, bucket: Bucket | undefined): Point {
  return {
    start,
    success: bucket?.success ?? 0,
    cancelled: bucket?.client_cancelled ?? 0,
    failed: bucket?.failed ?? 0,
    input: bucket?.prompt_tokens ?? 0,
    output: bucket?.completion_tokens ?? 0,
    units: bucket?.units ?? 0,
    first50: bucket?.first_output.p50_ms ?? null,
    first95: bucket?.first_output.p95_ms ?? null,
    speed: bucket?.tokens_per_second ?? null,
  };
}
