import type { Key, KeyLimits } from "@/api/keys";
import { type Dictionary, useFormats, useText } from "@/i18n";
import type { Formats } from "@/lib/format";
import { useNow } from "@/lib/use-now";
import { Meter } from "@/ui/meter";

/** A key's limits in one line. */
export function limitsLine(limits: KeyLimits, t: Dictionary, f: Formats): string {
  const parts = [
    limits.requests_per_minute !== null && t.keys.perMinute(f.compact(limits.requests_per_minute)),
    limits.tokens_per_minute !== null && t.keys.tokensPerMinute(f.compact(limits.tokens_per_minute)),
    limits.concurrency !== null && t.keys.atOnce(f.number(limits.concurrency)),
  ].filter(Boolean);
  return parts.join(" · ") || t.common.unlimited;
}

const EVERY = 10_000;

/** What is spent of each budget, and when it begins anew. */
export function BudgetBars({ record }: { record: Key }) {
  const t = useText();
  const f = useFormats();
  const now = useNow(EVERY);
  const { budgets } = record.spec;
  if (budgets.length === 0) return <span className="text-xs text-soft">{t.common.unlimited}</span>;
  return (
    <span className="flex flex-col gap-1.5">
      {budgets.map((budget, place) => {
        const { spent = 0, resets_at = null } = record.budgets[place] ?? {};
        const share = spent / budget.amount;
        return (
          <span key={`${budget.unit} ${budget.period}`} className="block">
            <span className="num flex justify-between gap-2 text-2xs text-soft">
              <span>
                {f.compact(spent)} / {f.compact(budget.amount)} {t.keys.units[budget.unit]}
              </span>
              <span>
                {t.keys.periods[budget.period]}
                {resets_at !== null && (
                  <span className="text-faint"> · {f.span(Math.max(0, resets_at - now))}</span>
                )}
              </span>
            </span>
            <Meter
              className="mt-0.5 h-1"
              share={share}
              tone={share >= 1 ? "bad" : share > 0.8 ? "warn" : "accent"}
              label={t.keys.spent}
            />
          </span>
        );
      })}
    </span>
  );
}
