import { Link } from "@tanstack/react-router";
import type { PoolEvent } from "@/api/live";
import { useFormats, useText } from "@/i18n";
import { Badge, type Tone } from "@/ui/badge";

const tones: Record<PoolEvent["kind"], Tone> = {
  cooled: "warn",
  exhausted: "warn",
  recovered: "good",
  added: "accent",
  removed: "neutral",
  changed: "neutral",
  lagged: "bad",
};

/** What happened in the pool since the page was opened. */
export function PoolEvents({ events, now }: { events: PoolEvent[]; now: number }) {
  const t = useText();
  const f = useFormats();
  if (events.length === 0) return <p className="px-4 py-6 text-sm text-soft">{t.live.noPool}</p>;
  return (
    <ul className="max-h-80 divide-y overflow-y-auto">
      {events.map((event) => (
        <li
          key={`${event.at} ${event.kind} ${event.account_id} ${event.class}`}
          className="flex items-start gap-2 px-4 py-2 text-xs"
        >
          <Badge tone={tones[event.kind]}>{t.live.kinds[event.kind]}</Badge>
          <div className="min-w-0 flex-1 text-soft">
            {event.kind === "lagged" ? (
              t.live.missed(f.number(event.missed))
            ) : (
              <Link
                to="/manage/accounts"
                search={{ account: event.account_id }}
                title={event.account_id}
                className="block truncate font-mono hover:underline"
              >
                {/* The beginning is the time, which many share. */}…{event.account_id.slice(-12)}
              </Link>
            )}
            {event.cause && <p className="break-words">{event.cause}</p>}
          </div>
          <span className="num shrink-0 text-faint">{f.ago(event.at || now, now)}</span>
        </li>
      ))}
    </ul>
  );
}
