import type { Window } from "@/api/accounts";
import { useFormats, useText } from "@/i18n";
import { Meter } from "@/ui/meter";

/** What is left of each window, and when it refills. */
export function WindowBars({ windows, now }: { windows: readonly Window[]; now: number }) {
  const t = useText();
  const f = useFormats();
  if (windows.length === 0) return <span className="text-xs text-faint">{t.accounts.unread}</span>;
  return (
    <span className="flex flex-col gap-1.5">
      {windows.map((window) => {
        const known = window.total !== null && window.remaining !== null && window.total > 0;
        const share = known ? (window.remaining ?? 0) / (window.total ?? 1) : null;
        return (
          <span key={window.class} className="block">
            <span className="num flex justify-between gap-2 text-2xs text-soft">
              <span>{window.class}</span>
              <span>
                {known
                  ? `${f.number(window.remaining ?? 0)} / ${f.number(window.total ?? 0)}`
                  : t.accounts.unread}
                {window.reset_at !== null && window.reset_at > now && (
                  <span className="text-faint"> · {f.span(window.reset_at - now)}</span>
                )}
              </span>
            </span>
            {known && (
              <Meter
                className="mt-0.5 h-1"
                share={share}
                tone={share === 0 ? "bad" : (share ?? 1) <= 0.1 ? "warn" : "good"}
                label={t.accounts.windowLabel(window.class)}
              />
            )}
          </span>
        );
      })}
    </span>
  );
}
