import { api } from "./client";
import type { Dashboard, Range } from "./dashboard";

export type KeyStatus = "active" | "disabled" | "expired" | "revoked";
export const budgetUnits = ["requests", "tokens", "units"] as const;
export const budgetPeriods = ["day", "week", "month", "lifetime"] as const;

export interface Budget {
  unit: (typeof budgetUnits)[number];
  period: (typeof budgetPeriods)[number];
  amount: number;
  /** Spent in the present period, where the server tells. */
  used?: number | null;
}

export interface KeyLimits {
  requests_per_minute: number | null;
  tokens_per_minute: number | null;
  concurrency: number | null;
}

export interface KeySpec {
  name: string;
  note: string;
  disabled: boolean;
  expires_at: number | null;
  models: string[];
  addresses: string[];
  account_tags: string[];
  limits: KeyLimits;
  budgets: Budget[];
}

export interface Key {
  id: string;
  masked: string;
  status: KeyStatus;
  spec: KeySpec;
  created_at: number;
  last_used_at: number | null;
  revoked_at: number | null;
  version: number;
}

export const keys = {
  list: (revoked: boolean, signal?: AbortSignal) =>
    api.get<{ items: Key[] }>("/api/keys", { revoked: revoked || undefined }, signal),
  get: (id: string) => api.get<Key>(`/api/keys/${id}`),
  create: (spec: Partial<KeySpec>) => api.post<{ key: Key; secret: string }>("/api/keys", { spec }),
  update: (id: string, spec: KeySpec, expected_version: number) =>
    api.put<Key>(`/api/keys/${id}`, { spec, expected_version }),
  revoke: (id: string) => api.post<Key>(`/api/keys/${id}/revoke`),
  usage: (id: string, range: Range, signal?: AbortSignal) =>
    api.get<Dashboard>(`/api/keys/${id}/usage`, { range }, signal),
};
