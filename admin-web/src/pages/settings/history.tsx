import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { ArrowRight, History as HistoryIcon } from "lucide-react";
import { useState } from "react";
import { parametersQuery, queryClient, systemQuery } from "@/api/queries";
import { type Change, type Revision, settings, type Value } from "@/api/settings";
import { useMay } from "@/app/session";
import { useFormats, useText } from "@/i18n";
import { toast } from "@/lib/toasts";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Confirm } from "@/ui/confirm";
import { Empty } from "@/ui/empty";
import { Panel } from "@/ui/page";
import { Problem } from "@/ui/problem";
import { Skeleton } from "@/ui/skeleton";
import { back } from "./back";

const LIMIT = 30;

/** What was changed when and by whom, which revision each replica runs, and the way back. */
export function History() {
  const t = useText();
  const f = useFormats();
  const may = useMay("operator");
  const newest = useQuery(parametersQuery).data?.revision;
  const replicas = useQuery({ ...systemQuery, refetchInterval: 3000 }).data?.replicas ?? [];
  const [target, setTarget] = useState<number | null>(null);
  const list = useInfiniteQuery({
    queryKey: ["revisions"],
    queryFn: ({ pageParam, signal }) => settings.revisions(pageParam, LIMIT, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const revisions = list.data?.pages.flatMap(({ items }) => items);
  const rollback = async () => {
    if (target === null || newest === undefined) return;
    const next = await settings.rollback(target, newest);
    queryClient.setQueryData(parametersQuery.queryKey, next);
    toast(t.settings.rolledBack(f.number(target), f.number(next.revision)));
    await queryClient.invalidateQueries({ queryKey: ["revisions"] });
  };
  if (list.error && !revisions) return <Problem error={list.error} onRetry={() => void list.refetch()} />;
  return (
    <div className="flex flex-col gap-4">
      <Panel title={t.settings.running}>
        <ul className="flex flex-wrap gap-2">
          {replicas.map((replica) => (
            <li key={replica.id}>
              <Badge tone={replica.revision === newest ? "good" : "warn"} dot>
                {replica.host}: {t.settings.revision(f.number(replica.revision))}
              </Badge>
            </li>
          ))}
        </ul>
      </Panel>
      <Panel flush title={t.settings.history} className="min-h-60">
        {!revisions ? (
          <div className="flex flex-col gap-3 p-4">
            <Skeleton />
            <Skeleton />
            <Skeleton />
          </div>
        ) : revisions.length === 0 ? (
          <Empty icon={<HistoryIcon aria-hidden />} title={t.settings.noHistory}>
            {t.settings.noHistoryText}
          </Empty>
        ) : (
          <ol className="divide-y">
            {revisions.map((revision) => (
              <Entry
                key={revision.number}
                revision={revision}
                current={revision.number === newest}
                onRollback={may ? () => setTarget(revision.number) : undefined}
              />
            ))}
            {!list.hasNextPage && newest !== undefined && newest > 0 && (
              <li className="flex flex-wrap items-baseline gap-3 px-4 py-3" data-revision={0}>
                <span className="num font-medium">{t.settings.revision("0")}</span>
                <span className="text-xs text-soft">{t.settings.allDefaults}</span>
                {may && (
                  <Button size="sm" className="ml-auto" onClick={() => setTarget(0)}>
                    {t.settings.rollback}
                  </Button>
                )}
              </li>
            )}
          </ol>
        )}
        {list.hasNextPage && (
          <div className="border-t p-3 text-center">
            <Button size="sm" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
              {t.media.more}
            </Button>
          </div>
        )}
      </Panel>
      <Confirm
        open={target !== null}
        onOpenChange={() => setTarget(null)}
        title={t.settings.rollbackTitle(f.number(target ?? 0))}
        action={t.settings.rollback}
        onConfirm={rollback}
      >
        <p className="mb-3">{t.settings.rollbackText}</p>
        {target !== null && revisions && <Changes changes={back(revisions, target)} />}
      </Confirm>
    </div>
  );
}

interface EntryProps {
  revision: Revision;
  current: boolean;
  onRollback?: () => void;
}

function Entry({ revision, current, onRollback }: EntryProps) {
  const t = useText();
  const f = useFormats();
  return (
    <li className="flex flex-col gap-2 px-4 py-3" data-revision={revision.number}>
      <div className="flex items-baseline gap-3">
        <p className="flex min-w-0 flex-1 flex-wrap items-center gap-x-3 gap-y-1">
          <span className="num font-medium">{t.settings.revision(f.number(revision.number))}</span>
          {current && <Badge tone="good">{t.settings.current}</Badge>}
          <span className="text-xs text-soft">
            {revision.author || t.common.unknown} ·{" "}
            <span className="num">{f.moment(revision.created_at)}</span>
          </span>
        </p>
        {!current && onRollback && (
          <Button size="sm" onClick={onRollback}>
            {t.settings.rollback}
          </Button>
        )}
      </div>
      <Changes changes={revision.changes} />
    </li>
  );
}

function Changes({ changes }: { changes: readonly Change[] }) {
  const t = useText();
  if (changes.length === 0) return <p className="mt-2 text-xs text-faint">{t.settings.noDifference}</p>;
  return (
    <ul className="mt-1 flex max-h-72 flex-col gap-1 overflow-y-auto">
      {changes.map((change) => (
        <li key={change.name} className="flex flex-wrap items-center gap-2 text-xs">
          <span className="font-mono font-medium">{change.name}</span>
          <Was value={change.before} look="bg-bad-wash text-bad" />
          <ArrowRight aria-hidden className="size-3 text-faint" />
          <Was value={change.after} look="bg-good-wash text-good" />
        </li>
      ))}
    </ul>
  );
}

function Was({ value, look }: { value: Value | null; look: string }) {
  const t = useText();
  const text = value === null ? t.settings.byDefault : value === "" ? t.settings.nothing : String(value);
  return <span className={`max-w-80 truncate rounded px-1.5 py-px font-mono ${look}`}>{text}</span>;
}
