import { Link } from "@tanstack/react-router";
import type { Dry } from "@/api/live";
import { useFormats, useText } from "@/i18n";
import { Meter } from "@/ui/meter";
import { Skeleton } from "@/ui/skeleton";

/** Windows that run dry, and when they refill. */
export function DryWindows({ dry, now }: { dry: Dry[] | undefined; now: number }) {
  const t = useText();
  const f = useFormats();
  if (!dry)
    return (
      <div className="p-4">
        <Skeleton />
      </div>
    );
  if (dry.length === 0) return <p className="px-4 py-6 text-sm text-soft">{t.live.noDry}</p>;
  return (
    <ul className="max-h-80 divide-y overflow-y-auto">
      {dry.map((one) => (
        <li key={`${one.account_id} ${one.class}`} className="px-4 py-2 text-sm">
          <div className="flex items-baseline justify-between gap-2">
            <Link
              to="/manage/accounts"
              search={{ account: one.account_id }}
              className="truncate font-mono text-xs hover:underline"
            >
              {one.token}
            </Link>
            <span className="num text-xs text-soft">
              {one.class} {f.number(one.remaining)}/{f.number(one.total)}
            </span>
          </div>
          <Meter
            className="mt-1"
            share={one.total ? one.remaining / one.total : 0}
            tone={one.remaining === 0 ? "bad" : "warn"}
            label={one.token}
          />
          <p className="num mt-1 text-xs text-faint">
            {one.reset_at ? t.live.refills(f.until(one.reset_at, now)) : t.live.refillUnknown}
          </p>
        </li>
      ))}
    </ul>
  );
}
