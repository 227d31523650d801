import type { Budget, KeyLimits, KeySpec } from "@/api/keys";
import { splitList } from "@/lib/split-list";

/** A key's form: numbers and lists as they are typed. */
export interface Draft {
  name: string;
  note: string;
  disabled: boolean;
  /** `YYYY-MM-DDTHH:MM` of the browser's own zone; empty for no end. */
  expires: string;
  models: string[];
  addresses: string;
  tags: string;
  limits: Record<keyof KeyLimits, string>;
  budgets: { id: number; unit: Budget["unit"]; period: Budget["period"]; amount: string }[];
}

export const emptySpec: KeySpec = {
  name: "",
  note: "",
  disabled: false,
  expires_at: null,
  models: [],
  addresses: [],
  account_tags: [],
  limits: { requests_per_minute: null, tokens_per_minute: null, concurrency: null },
  budgets: [],
};

const typed = (value: number | null) => (value === null ? "" : String(value));
const meant = (value: string) => (value.trim() === "" ? null : Math.max(0, Math.round(Number(value))));

export function toDraft(spec: KeySpec): Draft {
  return {
    name: spec.name,
    note: spec.note,
    disabled: spec.disabled,
    expires: spec.expires_at === null ? "" : localMoment(spec.expires_at),
    models: spec.models,
    addresses: spec.addresses.join("\n"),
    tags: spec.account_tags.join(", "),
    limits: {
      requests_per_minute: typed(spec.limits.requests_per_minute),
      tokens_per_minute: typed(spec.limits.tokens_per_minute),
      concurrency: typed(spec.limits.concurrency),
    },
    budgets: spec.budgets.map(({ unit, period, amount }, id) => ({
      id,
      unit,
      period,
      amount: String(amount),
    })),
  };
}

export function toSpec(draft: Draft): KeySpec {
  return {
    name: draft.name.trim(),
    note: draft.note.trim(),
    disabled: draft.disabled,
    expires_at: draft.expires ? new Date(draft.expires).getTime() : null,
    models: draft.models,
    addresses: splitList(draft.addresses),
    account_tags: splitList(draft.tags),
    limits: {
      requests_per_minute: meant(draft.limits.requests_per_minute),
      tokens_per_minute: meant(draft.limits.tokens_per_minute),
      concurrency: meant(draft.limits.concurrency),
    },
    budgets: draft.budgets
      .filter(({ amount }) => meant(amount) !== null)
      .map(({ unit, period, amount }) => ({ unit, period, amount: meant(amount) ?? 0 })),
  };
}

/** The value of a field `datetime-local`. */
export function localMoment(at: number): string {
  const date = new Date(at);
  const pad = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}T${pad(date.getHours())}:${pad(date.getMinutes())}`;
}
