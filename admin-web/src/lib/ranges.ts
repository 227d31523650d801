import type { Range } from "@/api/dashboard";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Milliseconds of each range. */
export const rangeMs: Record<Range, number> = {
  "1h": HOUR,
  "6h": 6 * HOUR,
  "24h": DAY,
  "7d": 7 * DAY,
  "30d": 30 * DAY,
  "90d": 90 * DAY,
};
