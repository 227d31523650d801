import type { LiveReplica, Running } from "@/api/live";

export type By = "replica" | "key" | "model" | "account";

export interface Group {
  id: string;
  label: string;
  /** All that are in flight. */
  running: number;
  /** Those of them that nobody has begun to answer. */
  waiting: number;
  tokensPerSecond: number;
  /** Start of the one that has run longest; nothing where none runs. */
  oldest: number | null;
}

const names: Record<By, (one: Running) => [id: string, label: string]> = {
  replica: (one) => [one.replica, one.replica],
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
  return only ? running.filter((one) => names[only.by](one)[0] === only.id) : running;
}

/** Sums what is running by key, model or account; most streams first. */
function sums(running: readonly Running[], by: By): Group[] {
  const groups = new Map<string, Group>();
  for (const one of running) {
    const [id, label] = names[by](one);
    const found = groups.get(id) ?? { id, label, running: 0, waiting: 0, tokensPerSecond: 0, oldest: null };
    found.running += 1;
    if (one.phase === "waiting") found.waiting += 1;
    found.tokensPerSecond += one.tokens_per_second ?? 0;
    found.oldest = Math.min(found.oldest ?? one.started_at, one.started_at);
    groups.set(id, found);
  }
  return [...groups.values()];
}

/** Groups of what is running, most streams first. Replicas tell their own sums, and are shown while they are idle too. */
export function group(running: readonly Running[], by: By, replicas: readonly LiveReplica[] = []): Group[] {
  const groups = sums(running, by);
  const shown =
    by === "replica"
      ? replicas.map((replica) => ({
          id: replica.id,
          label: replica.host,
          running: replica.running,
          waiting: replica.waiting,
          tokensPerSecond: replica.tokens_per_second,
          oldest: groups.find(({ id }) => id === replica.id)?.oldest ?? null,
        }))
      : groups;
  return shown.sort(
    (a, b) =>
      b.running - a.running ||
      (a.oldest ?? Infinity) - (b.oldest ?? Infinity) ||
      a.label.localeCompare(b.label),
  );
}
