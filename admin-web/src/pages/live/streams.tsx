import { Activity } from "lucide-react";
import type { Running } from "@/api/live";
import { useFormats, useText } from "@/i18n";
import { Badge } from "@/ui/badge";
import { Empty } from "@/ui/empty";
import { Skeleton } from "@/ui/skeleton";

interface Props {
  running: readonly Running[] | null;
  now: number;
  onOpen: (running: Running) => void;
  /** Only those of a group are shown. */
  filtered: boolean;
}

/** What runs now, one row a stream. */
export function Streams({ running, now, onOpen, filtered }: Props) {
  const t = useText();
  if (!running)
    return (
      <div className="flex flex-col gap-3 p-4">
        <Skeleton />
        <Skeleton />
      </div>
    );
  if (running.length === 0)
    return (
      <Empty icon={<Activity aria-hidden />} title={filtered ? t.live.nothingOfThese : t.live.nothing}>
        {filtered ? null : t.live.nothingText}
      </Empty>
    );
  return (
    <div className="max-h-[32rem] overflow-auto">
      <table className="w-full text-sm" aria-label={t.live.inFlight}>
        <thead className="sticky top-0 bg-surface">
          <tr className="border-b text-left text-xs text-soft [&>th]:px-3 [&>th]:py-2 [&>th]:font-medium [&>th]:whitespace-nowrap">
            <th scope="col">{t.requests.model}</th>
            <th scope="col">{t.live.phase}</th>
            <th scope="col" className="max-sm:hidden">
              {t.requests.key}
            </th>
            <th scope="col" className="max-md:hidden">
              {t.requests.account}
            </th>
            <th scope="col" className="text-right max-sm:hidden">
              {t.requests.tokens}
            </th>
            <th scope="col" className="text-right">
              {t.requests.speed}
            </th>
            <th scope="col" className="text-right">
              {t.live.age}
            </th>
          </tr>
        </thead>
        <tbody>
          {running.map((one) => (
            <Row key={one.id} one={one} now={now} onOpen={() => onOpen(one)} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ one, now, onOpen }: { one: Running; now: number; onOpen: () => void }) {
  const t = useText();
  const f = useFormats();
  return (
    <tr
      onClick={onOpen}
      className="lazy-row cursor-pointer border-b last:border-b-0 hover:bg-sunken [&>td]:h-10 [&>td]:px-3 [&>td]:py-1.5"
    >
      <td>
        <button type="button" className="text-left font-medium hover:underline">
          {one.model || t.common.unknown}
        </button>
      </td>
      <td>
        <Badge tone={one.phase === "running" ? "good" : "warn"} dot>
          {t.live.phases[one.phase]}
        </Badge>
      </td>
      <td className="max-sm:hidden">{one.key_name ?? "–"}</td>
      <td className="font-mono text-xs max-md:hidden">{one.account_token ?? "–"}</td>
      <td className="text-right max-sm:hidden">{f.number(one.tokens)}</td>
      <td className="text-right">{one.tokens_per_second === null ? "–" : f.number(one.tokens_per_second)}</td>
      <td className="text-right whitespace-nowrap">{f.duration(Math.max(0, now - one.started_at))}</td>
    </tr>
  );
}
