import { address, api } from "./client";
import type { Page } from "./list";

export const outcomes = [
  "success",
  "client_cancelled",
  "invalid_request",
  "refused",
  "rate_limited",
  "unavailable",
  "upstream",
  "timeout",
  "internal",
] as const;
export type Outcome = (typeof outcomes)[number];

export interface Attempt {
  account: string;
  token: string;
  outcome: string;
  cause: string | null;
  duration_ms: number;
  units: number;
}

export interface RequestEntry {
  id: string;
  request_id: string;
  started_at: number;
  endpoint: string;
  model: string;
  client_key: string | null;
  key_name: string | null;
  account: string | null;
  account_token: string | null;
  stream: boolean;
  outcome: Outcome;
  http_status: number;
  first_output_ms: number | null;
  duration_ms: number;
  prompt_tokens: number;
  completion_tokens: number;
  reasoning_tokens: number;
  tokens_estimated: boolean;
  units: number;
  images: number;
  videos: number;
  error_code: string | null;
  error_message: string | null;
  attempts: Attempt[];
}

export interface RequestFilter {
  from?: number;
  to?: number;
  model?: string;
  key?: string;
  account?: string;
  outcome?: Outcome;
}

/** A body as it was kept. */
export interface KeptBody {
  media_type: string;
  size: number;
  /** What is kept is not all of it. */
  truncated: boolean;
  /** `null` when it is no text. */
  body: string | null;
  /** What the model said in it. */
  text: string | null;
}

export interface Bodies {
  id: string;
  request: KeptBody | null;
  answer: KeptBody | null;
}

export type ReplayTarget = "pool" | "simulator" | { account: string };

export interface Replayed {
  request_id: string | null;
  status: number;
  media_type: string;
  size: number;
  truncated: boolean;
  body: string;
  text: string | null;
  duration_ms: number;
}

export const requests = {
  list: (filter: RequestFilter, cursor: string | undefined, limit: number, signal?: AbortSignal) =>
    api.get<Page<RequestEntry>>("/api/requests", { ...filter, cursor, limit }, signal),
  get: (id: string) => api.get<RequestEntry>(`/api/requests/${id}`),
  bodies: (id: string) => api.get<Bodies>(`/api/requests/${id}/bodies`),
  replay: ({ id, target }: { id: string; target: ReplayTarget }) =>
    api.post<Replayed>(`/api/requests/${id}/replay`, { target }),
  /** Address of the download. */
  csv: (filter: RequestFilter) => address("/api/requests.csv", { ...filter }),
};
