import type { MediaUsage } from "@/api/media";
import { useFormats, useText } from "@/i18n";
import { Button } from "@/ui/button";
import { Meter } from "@/ui/meter";
import { ProblemText } from "@/ui/problem";
import { Skeleton } from "@/ui/skeleton";

interface Props {
  usage: MediaUsage[] | undefined;
  error: unknown;
  onRetry: () => void;
}

/** What media take against their limit. */
export function UsageMeters({ usage, error, onRetry }: Props) {
  const t = useText();
  const f = useFormats();
  if (error && !usage)
    return (
      <section className="flex flex-wrap items-center gap-3">
        <div className="min-w-0 flex-1">
          <ProblemText error={error} />
        </div>
        <Button onClick={onRetry}>{t.common.retry}</Button>
      </section>
    );
  return (
    <div className="grid gap-3 sm:grid-cols-2">
      {(["image", "video"] as const).map((kind) => {
        const one = usage?.find((item) => item.kind === kind);
        const share = one ? one.bytes / Math.max(1, one.limit_bytes) : null;
        return (
          <section key={kind} className="rounded-lg border bg-surface px-4 py-3">
            <h2 className="flex justify-between text-sm font-medium">
              {t.media.kinds[kind]}
              <span className="num text-soft">
                {one ? f.number(one.items) : <Skeleton className="w-8" />}
              </span>
            </h2>
            <Meter
              className="mt-2"
              share={share ?? 0}
              tone={share !== null && share > 0.9 ? "warn" : "accent"}
              label={t.media.usageOf(t.media.kinds[kind])}
            />
            <p className="num mt-1.5 text-xs text-faint">
              {one ? t.media.of(f.bytes(one.bytes), f.bytes(one.limit_bytes)) : "…"}
            </p>
          </section>
        );
      })}
    </div>
  );
}
