import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { ScrollText } from "lucide-react";
import { type Action, admins } from "@/api/admins";
import { useFormats, useText } from "@/i18n";
import { useCursor } from "@/lib/use-cursor";
import { Badge } from "@/ui/badge";
import { Empty } from "@/ui/empty";
import { Panel } from "@/ui/page";
import { Pager } from "@/ui/pager";
import { Problem } from "@/ui/problem";
import { Skeleton } from "@/ui/skeleton";

const LIMIT = 50;

/** Who did what, and how it was before and after. */
export function Actions() {
  const t = useText();
  const f = useFormats();
  const place = useCursor("actions");
  const { data, error, refetch } = useQuery({
    queryKey: ["actions", place.cursor],
    queryFn: ({ signal }) => admins.actions(place.cursor, LIMIT, signal),
    placeholderData: keepPreviousData,
    staleTime: 0,
  });
  if (error && !data) return <Problem error={error} onRetry={() => void refetch()} />;
  const from = place.page * LIMIT + 1;
  return (
    <Panel flush title={t.system.tabs.actions} className="min-h-80">
      {!data ? (
        <div className="flex flex-col gap-3 p-4">
          <Skeleton />
          <Skeleton />
        </div>
      ) : data.items.length === 0 ? (
        <Empty icon={<ScrollText aria-hidden />} title={t.system.noActions} />
      ) : (
        <>
          <ol className="divide-y">
            {data.items.map((action) => (
              <Line key={action.id} action={action} />
            ))}
          </ol>
          <Pager onPrevious={place.previous} onNext={place.next(data.next_cursor)}>
            {t.common.rangeOpen(f.number(from), f.number(from + data.items.length - 1))}
          </Pager>
        </>
      )}
    </Panel>
  );
}

function Line({ action }: { action: Action }) {
  const t = useText();
  const f = useFormats();
  const names: Record<string, string> = t.system.whats;
  const details = action.before !== null || action.after !== null;
  return (
    <li className="px-4 py-2.5 text-sm">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <span className="num w-full shrink-0 text-xs text-faint sm:w-40">{f.moment(action.at)}</span>
        <span className="font-medium">{action.actor || t.common.unknown}</span>
        <Badge tone={action.what.endsWith("failed") ? "bad" : "neutral"}>
          {names[action.what] ?? action.what}
        </Badge>
        <span className="max-w-full truncate font-mono text-xs text-soft">{action.target}</span>
      </div>
      {details && (
        <details className="mt-1">
          <summary className="cursor-pointer text-xs text-accent-ink">{t.system.beforeAfter}</summary>
          <div className="mt-2 grid gap-2 sm:grid-cols-2">
            <Json title={t.system.before} value={action.before} />
            <Json title={t.system.after} value={action.after} />
          </div>
        </details>
      )}
    </li>
  );
}

function Json({ title, value }: { title: string; value: unknown }) {
  return (
    <figure className="min-w-0 rounded-md border bg-sunken p-2">
      <figcaption className="text-xs font-medium text-soft">{title}</figcaption>
      <pre className="font-mono text-xs break-all whitespace-pre-wrap">
        {value === null ? "–" : JSON.stringify(value, null, 2)}
      </pre>
    </figure>
  );
}
