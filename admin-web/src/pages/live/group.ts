import type { Running } from "@/api/live";

export type By = "replica" | "key" | "model" | "account";

export interface Group {
  id: string;
  label: string;
  running: number;
  waiting: number;
  tokensPerSecond: number;
  /** Start of the one that has run longest. */
  oldest: number;
}

type Hosts = Readonly<Record<string, string>>;

const names: Record<By, (one: Running, hosts: Hosts) => [id: string, label: string]> = {
  replica: (one, hosts) => [one.replica, hosts[one.replica] ?? one.replica],
  key: (one) => [one.client_key ?? "", one.key_name ?? one.client_key ?? ""],
  model: (one) => [one.model, one.model],
  account: (one) => [one.account ?? "", one.account_token ?? ""],
};

/** One group's streams. */
export interface Only {
  by: By;
  id: string;
  label: string;
}

/** The streams that belong to a group. */
export function within(running: readonly Running[], only: Only | null): readonly Running[] {
  return only ? running.filter((one) => names[only.by](one, {})[0] === only.id) : running;
}

/** Sums what is running by replica, key, model or account; most streams first. `hosts` names replicas by id. */
export function group(running: readonly Running[], by: By, hosts: Hosts = {}): Group[] {
  const groups = new Map<string, Group>();
  for (const one of running) {
    const [id, label] = names[by](one, hosts);
    const found = groups.get(id) ?? {
      id,
      label,
      running: 0,
      waiting: 0,
      tokensPerSecond: 0,
      oldest: one.started_at,
    };
    if (one.phase === "waiting") found.waiting += 1;
    else found.running += 1;
    found.tokensPerSecond += one.tokens_per_second;
    found.oldest = Math.min(found.oldest, one.started_at);
    groups.set(id, found);
  }
  return [...groups.values()].sort(
    (a, b) => b.running + b.waiting - (a.running + a.waiting) || a.oldest - b.oldest,
  );
}
