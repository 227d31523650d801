import { Link } from "@tanstack/react-router";
import { ChartNoAxesColumn } from "lucide-react";
import { useMemo } from "react";
import type { Dashboard, GroupBy, Range, Series } from "@/api/dashboard";
import { useFormats, useText } from "@/i18n";
import { Empty } from "@/ui/empty";
import { Meter } from "@/ui/meter";
import { columnsOf, DataTable } from "@/ui/table";

interface Props {
  data: Dashboard | undefined;
  by: Exclude<GroupBy, "none">;
  range: Range;
  refreshing: boolean;
}

/** Models, keys or accounts beside each other, most requests first. */
export function GroupTable({ data, by, range, refreshing }: Props) {
  const t = useText();
  const f = useFormats();
  const all = data?.totals.requests || 1;
  const columns = useMemo(() => {
    const column = columnsOf<Series>();
    const right = { className: "text-right whitespace-nowrap" };
    const wide = { className: "text-right whitespace-nowrap max-lg:hidden" };
    return column.columns([
      column.display({
        id: "name",
        header: t.dashboard.by[by],
        meta: { className: "w-full" },
        cell: ({ row }) => (
          <Link
            to="/manage/requests"
            search={{ range, [by]: row.original.id || undefined }}
            className="font-medium hover:underline"
          >
            {row.original.label || row.original.id || (by === "model" ? t.common.unknown : t.common.none)}
          </Link>
        ),
      }),
      column.display({
        id: "requests",
        header: t.dashboard.requests,
        meta: right,
        cell: ({ row }) => (
          <span className="flex items-center justify-end gap-2">
            <Meter
              className="w-16 max-md:hidden"
              share={row.original.total.requests / all}
              label={t.dashboard.share}
            />
            <span className="min-w-10">{f.compact(row.original.total.requests)}</span>
          </span>
        ),
      }),
      column.display({
        id: "success",
        header: t.dashboard.success,
        meta: right,
        cell: ({ row }) => f.percent(row.original.total.success / (row.original.total.requests || 1)),
      }),
      column.display({
        id: "first",
        header: t.dashboard.first,
        meta: wide,
        cell: ({ row }) => {
          const { p50_ms, p95_ms } = row.original.total.first_output;
          return p50_ms === null ? "–" : `${f.duration(p50_ms)} / ${f.duration(p95_ms ?? p50_ms)}`;
        },
      }),
      column.display({
        id: "speed",
        header: t.dashboard.speed,
        meta: wide,
        cell: ({ row }) =>
          row.original.total.tokens_per_second === null
            ? "–"
            : f.number(row.original.total.tokens_per_second),
      }),
      column.display({
        id: "tokens",
        header: t.dashboard.tokens,
        meta: { className: "text-right max-md:hidden" },
        cell: ({ row }) => f.compact(row.original.total.prompt_tokens + row.original.total.completion_tokens),
      }),
      column.display({
        id: "units",
        header: t.dashboard.units,
        meta: { className: "text-right max-sm:hidden" },
        cell: ({ row }) => f.compact(row.original.total.units),
      }),
    ]);
  }, [t, f, by, range, all]);
  return (
    <DataTable
      label={t.dashboard.by[by]}
      columns={columns as never}
      rows={data?.series}
      rowId={(row) => row.id || "none"}
      refreshing={refreshing}
      empty={
        <Empty icon={<ChartNoAxesColumn aria-hidden />} title={t.dashboard.empty}>
          {t.dashboard.emptyText}
        </Empty>
      }
    />
  );
}
