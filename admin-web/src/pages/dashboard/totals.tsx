import type { Bucket } from "@/api/dashboard";
import { useFormats, useText } from "@/i18n";
import { Stat, Stats } from "@/ui/page";
import { Skeleton } from "@/ui/skeleton";

/** The sums of a range. */
export function Totals({ totals }: { totals: Bucket | undefined }) {
  const t = useText();
  const f = useFormats();
  const show = (value: (bucket: Bucket) => string) =>
    totals ? value(totals) : <Skeleton className="my-1 h-5 w-16" />;
  const first = totals?.first_output;
  return (
    <Stats>
      <Stat
        label={t.dashboard.requests}
        value={show((all) => f.compact(all.requests))}
        detail={totals && totals.lost > 0 ? t.dashboard.lost(f.number(totals.lost)) : ""}
      />
      <Stat
        label={t.dashboard.success}
        value={show((all) => (all.requests ? f.percent(all.success / all.requests) : "–"))}
        detail={totals && t.dashboard.failures(f.number(totals.failed), f.number(totals.client_cancelled))}
      />
      <Stat
        label={t.dashboard.first}
        value={show(() => (first?.p50_ms == null ? "–" : f.duration(first.p50_ms)))}
        detail={first?.p95_ms != null && t.dashboard.p95(f.duration(first.p95_ms))}
      />
      <Stat
        label={t.dashboard.speed}
        value={show((all) => (all.tokens_per_second === null ? "–" : f.number(all.tokens_per_second)))}
        detail={t.dashboard.speedDetail}
      />
      <Stat
        label={t.dashboard.tokens}
        value={show((all) => f.compact(all.prompt_tokens + all.completion_tokens))}
        detail={
          totals && t.dashboard.inOut(f.compact(totals.prompt_tokens), f.compact(totals.completion_tokens))
        }
      />
      <Stat
        label={t.dashboard.units}
        value={show((all) => f.compact(all.units))}
        detail={totals && t.dashboard.made(f.number(totals.images), f.number(totals.videos))}
      />
    </Stats>
  );
}
