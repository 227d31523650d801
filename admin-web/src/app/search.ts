import { type AccountSort, type Status, statuses, type Tier, tiers } from "@/api/accounts";
import { type GroupBy, type Range, ranges } from "@/api/dashboard";
import type { MediaKind } from "@/api/media";
import { type Outcome, outcomes } from "@/api/requests";

// What stands in the address of each page. Anything else is left out, so a mistyped address shows the plain page.

type Raw = Record<string, unknown>;

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value ? value : typeof value === "number" ? String(value) : undefined;
const number = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined;
function one<T extends string>(value: unknown, choices: readonly T[]): T | undefined {
  return choices.find((choice) => choice === value);
}
function some<T extends string>(value: unknown, choices: readonly T[]): T[] | undefined {
  const list = choices.filter((choice) => (Array.isArray(value) ? value : [value]).includes(choice));
  return list.length ? list : undefined;
}
function texts(value: unknown): string[] | undefined {
  const list = (Array.isArray(value) ? value : [value]).map(text).filter((item) => item !== undefined);
  return list.length ? list : undefined;
}

export const login = (raw: Raw): { next?: string } => {
  const next = text(raw.next);
  // Only into this console: never to another host.
  return next?.startsWith("/manage") ? { next } : {};
};

export interface DashboardSearch {
  range?: Range;
  by?: GroupBy;
}
export const dashboard = (raw: Raw): DashboardSearch => ({
  range: one(raw.range, ranges),
  by: one(raw.by, ["none", "model", "key", "account"] as const),
});

const sorts = [
  "created",
  "tier",
  "status",
  "remaining",
  "last_used",
  "priority",
  "note",
  "in_flight",
] as const;
export interface AccountsSearch {
  search?: string;
  tier?: Tier[];
  status?: Status[];
  tag?: string[];
  sort?: AccountSort;
  order?: "asc" | "desc";
  account?: string;
}
export const accounts = (raw: Raw): AccountsSearch => ({
  search: text(raw.search),
  tier: some(raw.tier, tiers),
  status: some(raw.status, statuses),
  tag: texts(raw.tag),
  sort: one(raw.sort, sorts),
  order: one(raw.order, ["asc", "desc"] as const),
  account: text(raw.account),
});

export interface KeysSearch {
  revoked?: boolean;
  key?: string;
}
export const keys = (raw: Raw): KeysSearch => ({
  revoked: raw.revoked === true ? true : undefined,
  key: text(raw.key),
});

export interface RequestsSearch {
  range?: Range;
  from?: number;
  to?: number;
  model?: string;
  key?: string;
  account?: string;
  outcome?: Outcome;
  request?: string;
}
export const requests = (raw: Raw): RequestsSearch => ({
  range: one(raw.range, ranges),
  from: number(raw.from),
  to: number(raw.to),
  model: text(raw.model),
  key: text(raw.key),
  account: text(raw.account),
  outcome: one(raw.outcome, outcomes),
  request: text(raw.request),
});

export const media = (raw: Raw): { kind?: MediaKind } => ({
  kind: one(raw.kind, ["image", "video"] as const),
});

export const settings = (raw: Raw): { tab?: "history" } => ({ tab: one(raw.tab, ["history"] as const) });
export const system = (raw: Raw): { tab?: "admins" | "actions" | "you" } => ({
  tab: one(raw.tab, ["admins", "actions", "you"] as const),
});
