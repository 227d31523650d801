import type { Window } from "@/api/accounts";
import { useFormats, useText } from "@/i18n";
import { Meter } from "@/ui/meter";

export function WindowDetails({ windows, now }: { windows: readonly Window[]; now: number }) {
  const t = useText();
  const f = useFormats();
  return (
    <section>
      <h3 className="mb-2 text-sm font-semibold">{t.accounts.windows}</h3>
      {windows.length === 0 && <p className="text-sm text-soft">{t.accounts.unreadText}</p>}
      <ul className="flex flex-col gap-3">
        {windows.map((window) => {
          const known = window.total !== null && window.remaining !== null;
          const share = known && window.total ? (window.remaining ?? 0) / window.total : 0;
          return (
            <li key={window.class}>
              <div className="num flex justify-between text-sm">
                <span className="font-medium">{window.class}</span>
                <span>
                  {known
                    ? `${f.number(window.remaining ?? 0)} / ${f.number(window.total ?? 0)}`
                    : t.accounts.unread}
                </span>
              </div>
              {known && (
                <Meter
                  className="mt-1"
                  share={share}
                  tone={share === 0 ? "bad" : share <= 0.1 ? "warn" : "good"}
                  label={t.accounts.windowLabel(window.class)}
                />
              )}
              <p className="num mt-1 flex flex-wrap gap-x-3 text-xs text-faint">
                {window.reserved > 0 && <span>{t.accounts.reserved(f.number(window.reserved))}</span>}
                <span>
                  {window.reset_at ? t.live.refills(f.until(window.reset_at, now)) : t.live.refillUnknown}
                </span>
                <span>{t.accounts.sources[window.source]}</span>
                {window.observed_at !== null && (
                  <span>{t.accounts.read(f.ago(window.observed_at, now))}</span>
                )}
              </p>
              {window.read_error && (
                <p className="mt-0.5 text-xs break-words text-bad">{window.read_error}</p>
              )}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
