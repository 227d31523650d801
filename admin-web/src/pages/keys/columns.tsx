import { useMemo } from "react";
import type { Key } from "@/api/keys";
import { useFormats, useText } from "@/i18n";
import { useNow } from "@/lib/use-now";
import { KeyBadge } from "@/ui/status";
import { type Columns, columnsOf } from "@/ui/table";
import { BudgetBars, limitsLine } from "./budgets";

const EVERY = 10_000;

export function useColumns(onOpen: (key: Key) => void): Columns<Key> {
  const t = useText();
  const f = useFormats();
  const now = useNow(EVERY);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the way to open a row does not change what is shown
  return useMemo(() => {
    const column = columnsOf<Key>();
    return column.columns([
      column.display({
        id: "name",
        header: t.keys.name,
        meta: { className: "min-w-36" },
        cell: ({ row: { original } }) => (
          <button
            type="button"
            onClick={() => onOpen(original)}
            className="block max-w-72 text-left hover:underline"
          >
            <span className="block truncate font-medium">{original.spec.name}</span>
            <span className="block truncate font-mono text-xs text-soft">{original.masked}</span>
          </button>
        ),
      }),
      column.display({
        id: "status",
        header: t.accounts.status,
        cell: ({ row }) => <KeyBadge status={row.original.status} />,
      }),
      column.display({
        id: "models",
        header: t.keys.models,
        meta: { className: "max-lg:hidden" },
        cell: ({ row }) => (
          <span className="block max-w-56 truncate text-xs text-soft">
            {row.original.spec.models.join(", ") || t.common.all}
          </span>
        ),
      }),
      column.display({
        id: "limits",
        header: t.keys.limits,
        meta: { className: "max-md:hidden" },
        cell: ({ row }) => (
          <span className="num text-xs text-soft">{limitsLine(row.original.spec.limits, t, f)}</span>
        ),
      }),
      column.display({
        id: "budgets",
        header: t.keys.budgets,
        meta: { className: "min-w-36 max-lg:hidden" },
        cell: ({ row }) => <BudgetBars budgets={row.original.spec.budgets} />,
      }),
      column.display({
        id: "expires",
        header: t.keys.expires,
        meta: { className: "whitespace-nowrap text-soft max-xl:hidden" },
        cell: ({ row: { original } }) =>
          original.spec.expires_at === null ? "–" : f.until(original.spec.expires_at, now),
      }),
      column.display({
        id: "used",
        header: t.accounts.lastUsed,
        meta: { className: "whitespace-nowrap text-soft max-sm:hidden" },
        cell: ({ row }) => f.ago(row.original.last_used_at, now),
      }),
    ]) as unknown as Columns<Key>;
  }, [t, f, now]);
}
