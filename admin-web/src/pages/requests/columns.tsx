import { useMemo } from "react";
import type { RequestEntry } from "@/api/requests";
import { useFormats, useText } from "@/i18n";
import { CodeName } from "@/ui/code-name";
import { OutcomeBadge } from "@/ui/status";
import { type Columns, columnsOf } from "@/ui/table";

export function useColumns(onOpen: (entry: RequestEntry) => void): Columns<RequestEntry> {
  const t = useText();
  const f = useFormats();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the way to open a row does not change what is shown
  return useMemo(() => {
    const column = columnsOf<RequestEntry>();
    return column.columns([
      column.display({
        id: "time",
        header: t.requests.time,
        meta: { className: "whitespace-nowrap" },
        cell: ({ row: { original } }) => (
          <button type="button" className="num text-left hover:underline" onClick={() => onOpen(original)}>
            {f.time(original.started_at)}
            <span className="block text-xs text-faint">{f.day(original.started_at)}</span>
          </button>
        ),
      }),
      column.display({
        id: "model",
        header: t.requests.model,
        cell: ({ row: { original } }) => (
          <>
            <span className="block font-medium">{original.model || t.common.unknown}</span>
            <span className="block max-w-28 truncate text-xs text-faint sm:max-w-48">
              {original.endpoint}
            </span>
          </>
        ),
      }),
      column.display({
        id: "outcome",
        header: t.requests.outcome,
        cell: ({ row: { original } }) => (
          <span className="flex flex-col items-start gap-0.5">
            <OutcomeBadge outcome={original.outcome} />
            {original.error_code && (
              <span className="max-w-24 wrap-anywhere sm:max-w-40 text-2xs text-faint">
                <CodeName>{original.error_code}</CodeName>
              </span>
            )}
          </span>
        ),
      }),
      column.display({
        id: "key",
        header: t.requests.key,
        meta: { className: "max-md:hidden" },
        cell: ({ row }) => (
          <span className="block max-w-36 truncate">
            {row.original.key_name ?? row.original.client_key ?? "–"}
          </span>
        ),
      }),
      column.display({
        id: "account",
        header: t.requests.account,
        meta: { className: "font-mono text-xs max-lg:hidden" },
        cell: ({ row }) => row.original.account_token ?? "–",
      }),
      column.display({
        id: "first",
        header: t.requests.firstOutput,
        meta: { className: "text-right whitespace-nowrap max-lg:hidden" },
        cell: ({ row: { original } }) =>
          original.first_output_ms === null ? "–" : f.duration(original.first_output_ms),
      }),
      column.display({
        id: "duration",
        header: t.requests.duration,
        meta: { className: "text-right whitespace-nowrap max-sm:hidden" },
        cell: ({ row }) => f.duration(row.original.duration_ms),
      }),
      column.display({
        id: "tokens",
        header: t.requests.tokens,
        meta: { className: "text-right whitespace-nowrap max-xl:hidden" },
        cell: ({ row: { original } }) =>
          `${f.compact(original.prompt_tokens)} → ${f.compact(original.completion_tokens)}`,
      }),
      column.display({
        id: "units",
        header: t.requests.units,
        meta: { className: "text-right max-xl:hidden" },
        cell: ({ row }) => f.number(row.original.units),
      }),
    ]) as unknown as Columns<RequestEntry>;
  }, [t, f]);
}
