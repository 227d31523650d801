import type { Change, Revision } from "@/api/settings";

/**
 * What going back to a revision changes: from what holds now to what it said then. `revisions` begins with the newest and
 * reaches down to the one after the target. Nothing (`null`) stands for the default.
 */
export function back(revisions: readonly Revision[], target: number): Change[] {
  const changes = new Map<string, Change>();
  for (const revision of revisions) {
    if (revision.number <= target) break;
    for (const { name, before, after } of revision.changes) {
      const newer = changes.get(name);
      changes.set(name, { name, before: newer ? newer.before : after, after: before });
    }
  }
  return [...changes.values()].filter(({ before, after }) => before !== after);
}
