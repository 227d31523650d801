import type { Status } from "./accounts";
import { api } from "./client";

export interface LiveReplica {
  id: string;
  host: string;
  roles: string[];
  running: number;
  waiting: number;
  tokens_per_second: number;
}

export interface Running {
  id: string;
  request_id: string;
  replica: string;
  endpoint: string;
  model: string;
  client_key: string | null;
  key_name: string | null;
  account: string | null;
  account_token: string | null;
  stream: boolean;
  phase: "waiting" | "running";
  started_at: number;
  first_output_at: number | null;
  tokens: number;
  /** Nothing before the first output. */
  tokens_per_second: number | null;
  attempts: number;
  cancellable: boolean;
}

export interface LiveError {
  id: string;
  at: number;
  replica: string;
  model: string;
  client_key: string | null;
  account: string | null;
  http_status: number;
  code: string;
  message: string;
}

export interface Dry {
  account_id: string;
  token: string;
  class: string;
  remaining: number;
  total: number;
  reset_at: number | null;
}

export interface Snapshot {
  at: number;
  shared: boolean;
  totals: {
    running: number;
    waiting: number;
    tokens_per_second: number;
    finished_last_minute: number;
    errors_last_minute: number;
  };
  replicas: LiveReplica[];
  running: Running[];
  errors: LiveError[];
  dry: Dry[];
  accounts: { total: number; statuses: Partial<Record<Status, number>> };
}

export interface PoolEvent {
  kind: "cooled" | "recovered" | "exhausted" | "added" | "removed" | "changed" | "lagged";
  at: number;
  account_id: string;
  class: string | null;
  until: number | null;
  cause: string | null;
  missed: number;
}

export const live = {
  snapshot: (signal?: AbortSignal) => api.get<Snapshot>("/api/live/snapshot", {}, signal),
  cancel: (id: string) => api.post<{ cancelled: boolean }>(`/api/live/${id}/cancel`),
};
