import type { RequestEntry } from "@/api/requests";

export interface Span {
  /** Shares of the request's whole time, from 0 to 1. */
  start: number;
  length: number;
  ms: number;
  attempt: RequestEntry["attempts"][number];
}

/** Where each attempt lies in the request's time: they follow each other, and the last one ends with the request. */
export function timeline({ attempts, duration_ms }: Pick<RequestEntry, "attempts" | "duration_ms">): Span[] {
  const tried = attempts.reduce((sum, attempt) => sum + attempt.duration_ms, 0);
  const whole = Math.max(duration_ms, tried, 1);
  let end = whole;
  const spans: Span[] = [];
  for (const attempt of [...attempts].reverse()) {
    const ms = attempt.duration_ms;
    spans.unshift({ start: Math.max(0, end - ms) / whole, length: ms / whole, ms, attempt });
    end -= ms;
  }
  return spans;
}
