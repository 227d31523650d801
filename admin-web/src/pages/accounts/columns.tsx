import { useMemo } from "react";
import type { Account } from "@/api/accounts";
import { useFormats, useText } from "@/i18n";
import { useNow } from "@/lib/use-now";
import { Badge } from "@/ui/badge";
import { StatusBadge, TierBadge } from "@/ui/status";
import { type Columns, columnsOf } from "@/ui/table";
import { WindowBars } from "./windows";

const EVERY = 5000;

/** The table's columns; what does not fit a narrow screen stands in the drawer. */
export function useColumns(onOpen: (id: string) => void): Columns<Account> {
  const t = useText();
  const f = useFormats();
  const now = useNow(EVERY);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the way to open a row does not change what is shown
  return useMemo(() => {
    const column = columnsOf<Account>();
    return column.columns([
      column.accessor((row) => row.note, {
        id: "note",
        header: t.accounts.account,
        meta: { className: "min-w-36 max-sm:max-w-44" },
        cell: ({ row: { original } }) => (
          <button
            type="button"
            onClick={() => onOpen(original.id)}
            className="block max-w-64 text-left hover:underline"
          >
            {original.note && <span className="block truncate font-medium">{original.note}</span>}
            <span className="block truncate font-mono text-xs text-soft">
              {original.token || original.id}
            </span>
            {original.status === "unreadable" && (
              <span className="block text-2xs break-words text-bad">{original.cause}</span>
            )}
          </button>
        ),
      }),
      column.accessor((row) => row.tier, {
        id: "tier",
        header: t.accounts.tier,
        meta: { className: "max-sm:hidden" },
        cell: ({ row }) => <TierBadge tier={row.original.tier} />,
      }),
      column.accessor((row) => row.status, {
        id: "status",
        header: t.accounts.status,
        cell: ({ row: { original } }) => (
          <span className="flex flex-col items-start gap-0.5">
            <StatusBadge status={original.status} />
            {original.until !== null && original.status !== "active" && (
              <span className="num text-2xs text-faint">{t.accounts.ends(f.until(original.until, now))}</span>
            )}
          </span>
        ),
      }),
      column.accessor((row) => row.id, {
        id: "remaining",
        header: t.accounts.quota,
        meta: { className: "min-w-44 max-md:hidden" },
        cell: ({ row }) => <WindowBars windows={row.original.windows} now={now} />,
      }),
      column.accessor((row) => row.in_flight, {
        id: "in_flight",
        header: t.accounts.inFlight,
        meta: { className: "text-right max-lg:hidden" },
        cell: ({ row }) => f.number(row.original.in_flight),
      }),
      column.accessor((row) => row.priority, {
        id: "priority",
        header: t.accounts.priority,
        meta: { className: "text-right max-xl:hidden" },
        cell: ({ row }) => row.original.priority,
      }),
      column.display({
        id: "tags",
        header: t.accounts.tags,
        meta: { className: "max-lg:hidden" },
        cell: ({ row }) => (
          <span className="flex max-w-48 flex-wrap gap-1">
            {row.original.tags.map((tag) => (
              <Badge key={tag}>{tag}</Badge>
            ))}
          </span>
        ),
      }),
      column.accessor((row) => row.last_used_at, {
        id: "last_used",
        header: t.accounts.lastUsed,
        meta: { className: "whitespace-nowrap text-soft max-xl:hidden" },
        cell: ({ row }) => f.ago(row.original.last_used_at, now),
      }),
      column.accessor((row) => row.created_at, {
        id: "created",
        header: t.accounts.added,
        meta: { className: "whitespace-nowrap text-soft max-xl:hidden" },
        cell: ({ row }) => (row.original.created_at ? f.ago(row.original.created_at, now) : "–"),
      }),
    ]) as unknown as Columns<Account>;
  }, [t, f, now]);
}
