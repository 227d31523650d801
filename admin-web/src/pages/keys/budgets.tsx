import type { Budget, KeyLimits } from "@/api/keys";
import { type Dictionary, useFormats, useText } from "@/i18n";
import type { Formats } from "@/lib/format";
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

/** What is spent of each budget, where the server tells; else what may be spent. */
export function BudgetBars({ budgets }: { budgets: readonly Budget[] }) {
  const t = useText();
  const f = useFormats();
  if (budgets.length === 0) return <span className="text-xs text-soft">{t.common.unlimited}</span>;
  return (
    <span className="flex flex-col gap-1.5">
      {budgets.map((budget) => {
        const share = budget.used == null ? null : budget.used / budget.amount;
        return (
          <span key={`${budget.unit} ${budget.period}`} className="block">
            <span className="num flex justify-between gap-2 text-2xs text-soft">
              <span>
                {budget.used == null ? "" : `${f.compact(budget.used)} / `}
                {f.compact(budget.amount)} {t.keys.units[budget.unit]}
              </span>
              <span>{t.keys.periods[budget.period]}</span>
            </span>
            {share !== null && (
              <Meter
                className="mt-0.5 h-1"
                share={share}
                tone={share >= 1 ? "bad" : share > 0.8 ? "warn" : "accent"}
                label={t.keys.spent}
              />
            )}
          </span>
        );
      })}
    </span>
  );
}
