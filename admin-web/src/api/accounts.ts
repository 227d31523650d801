import { api, send } from "./client";
import type { Page } from "./list";
import { follow, type Progress } from "./ndjson";

export const tiers = ["basic", "super", "heavy"] as const;
export type Tier = (typeof tiers)[number];
/** Those that accounts are counted and filtered by. */
export const statuses = ["active", "exhausted", "cooling", "invalid", "banned", "disabled"] as const;
/** Damaged rows of the store are in none of them, and have nothing but an id and a cause. */
export type Status = (typeof statuses)[number] | "unreadable";

export interface Window {
  class: string;
  total: number | null;
  remaining: number | null;
  reserved: number;
  reset_at: number | null;
  source: "unknown" | "upstream" | "local";
  observed_at: number | null;
  read_error: string | null;
}

export interface Account {
  id: string;
  /** Masked. */
  token: string;
  tier: Tier;
  status: Status;
  cause: string;
  until: number | null;
  enabled: boolean;
  tags: string[];
  note: string;
  priority: number;
  user_id: string | null;
  in_flight: number;
  created_at: number;
  last_used_at: number | null;
  windows: Window[];
}

export interface Failure {
  at: number;
  outcome: string;
  cause: string;
  penalised: boolean;
}

export interface AccountDetail extends Account {
  failures: Failure[];
  usage: { requests: number; success: number; tokens: number; units: number };
}

export interface AccountFilter {
  search?: string;
  tier?: Tier[];
  status?: Status[];
  tag?: string[];
}

export type AccountSort =
  | "created"
  | "tier"
  | "status"
  | "remaining"
  | "last_used"
  | "priority"
  | "note"
  | "in_flight";

/** What is left of a class of windows, over all accounts. */
export interface QuotaSum {
  class: string;
  remaining: number;
  /** Accounts of which it is known. */
  accounts: number;
}

export interface AccountPage extends Page<Account> {
  /** Accounts that were never used. */
  unused: number;
  quotas: QuotaSum[];
  matching: number;
  total: number;
  statuses: Partial<Record<Status, number>>;
  tiers: Partial<Record<Tier, number>>;
  tags: { name: string; accounts: number }[];
}

export interface AccountQuery extends AccountFilter {
  sort?: AccountSort;
  order?: "asc" | "desc";
  cursor?: string;
  limit?: number;
}

export interface AccountChange {
  tier?: Tier;
  note?: string;
  priority?: number;
  enabled?: boolean;
  add_tags?: string[];
  remove_tags?: string[];
}

export type BulkAction = "enable" | "disable" | "clear" | "refresh" | "delete" | "change";
/** Some accounts: by id, or all that match. */
export type Target = { ids: string[] } | { filter: AccountFilter };

export interface BulkProgress extends Progress {
  /** What this step has deleted. */
  deleted?: string[];
}

export interface BulkResult extends Progress {
  changed: number;
  failed: { id: string; reason: string }[];
  deleted?: string[];
}

export type ImportFormat = "lines" | "json" | "jsonl" | "seed";

export interface ImportRequest {
  text: string;
  format?: ImportFormat;
  tier?: Tier;
  tags?: string[];
  note?: string;
  dry_run?: boolean;
}

export interface ImportReport {
  line: number;
  token: string;
  result: "added" | "merged" | "refused";
  account_id: string | null;
  reason: string;
}

export interface ImportProgress extends Progress {
  reports: ImportReport[];
}

export interface ImportResult extends Progress {
  added: number;
  merged: number;
  refused: number;
}

/** An account that can still be brought back. */
export interface DeletedAccount {
  id: string;
  token: string;
  tier: Tier;
  note: string;
  tags: string[];
  deleted_at: number;
}

export type Reason =
  | "tier_too_low"
  | "tag_missing"
  | "disabled"
  | "banned"
  | "invalid"
  | "excluded"
  | "cooling"
  | "exhausted"
  | "saturated";

export interface Verdict {
  account_id: string;
  token: string;
  tier: Tier;
  priority: number;
  /** `null`: it may serve. */
  reason: Reason | null;
  until: number | null;
  available: number | null;
  in_flight: number;
  cause: string;
}

export interface Explanation {
  model: string;
  class: string;
  cost: number;
  minimum_tier: Tier;
  accounts: number;
  eligible: number;
  refusal: { code: string; message: string; retry_after_ms: number | null } | null;
  reasons: { reason: Reason; accounts: number }[];
  verdicts: Verdict[];
  key_refusal?: string | null;
}

export const accounts = {
  list: (query: AccountQuery, signal?: AbortSignal) =>
    api.get<AccountPage>("/api/accounts", { ...query }, signal),
  get: (id: string) => api.get<AccountDetail>(`/api/accounts/${id}`),
  change: (id: string, change: AccountChange) => api.patch<Account>(`/api/accounts/${id}`, change),
  bulk: (
    action: BulkAction,
    target: Target,
    onProgress: (progress: BulkProgress) => void,
    change?: AccountChange,
    signal?: AbortSignal,
  ) =>
    follow<BulkProgress, BulkResult>(
      "/api/accounts/bulk",
      { action, ...target, ...(change ? { change } : {}) },
      onProgress,
      signal,
    ),
  deleted: (signal?: AbortSignal) =>
    api.get<{ items: DeletedAccount[]; total: number }>("/api/accounts/deleted", {}, signal),
  restore: (ids: string[]) =>
    api.post<{ restored: number; unknown: string[] }>("/api/accounts/restore", { ids }),
  import: (request: ImportRequest, onProgress: (progress: ImportProgress) => void, signal?: AbortSignal) =>
    follow<ImportProgress, ImportResult>("/api/accounts/import", request, onProgress, signal),
  export: async (target: Target): Promise<Blob> =>
    (await send("POST", "/api/accounts/export", { body: target })).blob(),
  explain: (model: string, key: string | undefined, limit: number, signal?: AbortSignal) =>
    api.get<Explanation>("/api/accounts/explain", { model, key, limit }, signal),
};
