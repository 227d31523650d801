import { api } from "./client";

export const ranges = ["1h", "6h", "24h", "7d", "30d", "90d"] as const;
export type Range = (typeof ranges)[number];
export type GroupBy = "none" | "model" | "key" | "account";

export interface Times {
  count: number;
  mean_ms: number | null;
  p50_ms: number | null;
  p95_ms: number | null;
}

export interface Bucket {
  start: number;
  requests: number;
  success: number;
  client_cancelled: number;
  failed: number;
  outcomes: Record<string, number>;
  prompt_tokens: number;
  completion_tokens: number;
  reasoning_tokens: number;
  units: number;
  images: number;
  videos: number;
  first_output: Times;
  duration: Times;
  tokens_per_second: number | null;
  lost: number;
}

export interface Series {
  id: string;
  label: string | null;
  total: Bucket;
  buckets: Bucket[];
}

export interface Dashboard {
  from: number;
  to: number;
  width: number;
  group_by: GroupBy;
  totals: Bucket;
  series: Series[];
}

export const dashboard = {
  get: (query: { range: Range; group_by: GroupBy; top?: number; width?: number }, signal?: AbortSignal) =>
    api.get<Dashboard>("/api/dashboard", query, signal),
};
