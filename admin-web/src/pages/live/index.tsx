import { X } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import type { Running } from "@/api/live";
import { useFormats, useText } from "@/i18n";
import { useNow } from "@/lib/use-now";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Page, Panel, Stat, Stats } from "@/ui/page";
import { Segmented } from "@/ui/segmented";
import { Skeleton } from "@/ui/skeleton";
import { Sparkline } from "@/ui/sparkline";
import { DryWindows } from "./dry";
import { RecentErrors } from "./errors";
import { type By, type Only, within } from "./group";
import { Groups } from "./groups";
import { PoolEvents } from "./pool";
import { Replicas } from "./replicas";
import { Streams } from "./streams";
import { useLive } from "./use-live";

// Only once one is looked at.
const StreamDialog = lazy(() => import("./stream"));

export function LivePage() {
  const t = useText();
  const f = useFormats();
  const now = useNow();
  const { snapshot, speed, pool, connection } = useLive();
  const [by, setBy] = useState<By | "stream">("stream");
  const [only, setOnly] = useState<Only | null>(null);
  const [open, setOpen] = useState<{ one: Running; seen: number } | null>(null);
  const fresh = snapshot?.running.find(({ id }) => id === open?.one.id);
  // As it was last seen, for when it has ended.
  if (snapshot && fresh && fresh !== open?.one) setOpen({ one: fresh, seen: snapshot.at });
  const totals = snapshot?.totals;
  const hosts = Object.fromEntries(snapshot?.replicas.map(({ id, host }) => [id, host]) ?? []);
  const number = (value: number | undefined) =>
    value === undefined ? <Skeleton className="my-1 h-5 w-12" /> : f.number(value);
  const active = snapshot?.accounts.statuses.active ?? 0;
  const views = (["stream", "replica", "key", "model", "account"] as const).map((value) => ({
    value,
    label: t.live.by[value],
  }));
  return (
    <Page
      title={t.nav.live}
      description={t.live.text}
      actions={
        <Badge tone={connection === "open" ? "good" : connection === "lost" ? "bad" : "neutral"} dot>
          <span role="status">{t.live.connection[connection]}</span>
        </Badge>
      }
    >
      <Stats>
        <Stat label={t.live.running} value={number(totals?.running)} detail={t.live.runningDetail} />
        <Stat
          label={t.live.waiting}
          value={number(totals?.waiting)}
          tone={totals?.waiting ? "warn" : undefined}
          detail={t.live.waitingDetail}
        />
        <Stat label={t.live.speed} value={number(totals?.tokens_per_second)} detail={t.live.estimated} />
        <Stat
          label={t.live.finished}
          value={number(totals?.finished_last_minute)}
          detail={t.live.lastMinute}
        />
        <Stat
          label={t.live.errors}
          value={number(totals?.errors_last_minute)}
          tone={totals?.errors_last_minute ? "bad" : undefined}
          detail={t.live.lastMinute}
        />
        <Stat
          label={t.live.usable}
          value={number(snapshot ? active : undefined)}
          tone={snapshot && snapshot.accounts.total > 0 && active === 0 ? "bad" : undefined}
          detail={snapshot && t.live.ofAccounts(f.number(snapshot.accounts.total))}
        />
      </Stats>
      <div className="grid gap-4 xl:grid-cols-[minmax(0,2fr)_minmax(0,1fr)]">
        <div className="flex min-w-0 flex-col gap-4">
          <Panel
            flush
            title={t.live.inFlight}
            actions={<Segmented label={t.live.groupBy} value={by} onChange={setBy} items={views} />}
            className="min-h-96"
          >
            {by === "stream" && only && (
              <div className="flex items-center gap-2 border-b bg-accent-wash px-4 py-1.5 text-sm">
                <span className="min-w-0 flex-1 truncate">
                  {t.live.by[only.by]}: <b className="font-medium">{only.label || t.common.none}</b>
                </span>
                <Button size="sm" look="quiet" onClick={() => setOnly(null)}>
                  <X />
                  {t.live.allStreams}
                </Button>
              </div>
            )}
            {snapshot && snapshot.totals.running > snapshot.running.length && by !== "replica" && (
              <p className="num border-b px-4 py-1.5 text-xs text-soft">
                {t.live.oldestOf(f.number(snapshot.running.length), f.number(snapshot.totals.running))}
              </p>
            )}
            {by === "stream" ? (
              <Streams
                running={snapshot && within(snapshot.running, only)}
                now={now}
                onOpen={(one) => setOpen({ one, seen: now })}
                filtered={only !== null}
              />
            ) : (
              <Groups
                running={snapshot?.running}
                by={by}
                replicas={snapshot?.replicas}
                now={now}
                onOpen={({ id, label }) => {
                  setOnly({ by, id, label });
                  setBy("stream");
                }}
              />
            )}
          </Panel>
          <Panel flush title={t.live.recentErrors} className="min-h-40">
            <RecentErrors errors={snapshot?.errors} />
          </Panel>
        </div>
        <div className="flex min-w-0 flex-col gap-4">
          <Panel
            title={t.live.speedChart}
            actions={<span className="num">{f.number(speed.at(-1) ?? 0)}</span>}
          >
            <Sparkline values={speed} slots={120} label={t.live.speedChart} />
          </Panel>
          <Panel flush title={t.live.replicas}>
            <Replicas replicas={snapshot?.replicas} />
          </Panel>
          <Panel flush title={t.live.dry} className="min-h-40">
            <DryWindows dry={snapshot?.dry} now={now} />
          </Panel>
          <Panel flush title={t.live.pool} className="min-h-40">
            <PoolEvents events={pool} now={now} />
          </Panel>
        </div>
      </div>
      {open && (
        <Suspense>
          <StreamDialog
            running={open.one}
            gone={!fresh}
            host={hosts[open.one.replica] ?? open.one.replica}
            now={fresh ? now : open.seen}
            onClose={() => setOpen(null)}
          />
        </Suspense>
      )}
    </Page>
  );
}
