import { Activity } from "lucide-react";
import type { LiveReplica, Running } from "@/api/live";
import { useFormats, useText } from "@/i18n";
import { Empty } from "@/ui/empty";
import { Skeleton } from "@/ui/skeleton";
import { type By, type Group, group } from "./group";

interface Props {
  running: readonly Running[] | undefined;
  by: By;
  replicas: readonly LiveReplica[] | undefined;
  now: number;
  /** Shows the streams of a group. */
  onOpen: (group: Group) => void;
}

export function Groups({ running, by, replicas, now, onOpen }: Props) {
  const t = useText();
  const f = useFormats();
  if (!running)
    return (
      <div className="flex flex-col gap-3 p-4">
        <Skeleton />
        <Skeleton />
      </div>
    );
  const groups = group(running, by, replicas);
  if (groups.length === 0)
    return (
      <Empty icon={<Activity aria-hidden />} title={t.live.nothing}>
        {t.live.nothingText}
      </Empty>
    );
  return (
    <table className="w-full text-sm" aria-label={t.live.inFlight}>
      <thead>
        <tr className="border-b text-left text-xs text-soft [&>th]:px-4 [&>th]:py-2 [&>th]:font-medium">
          <th scope="col">{t.live.by[by]}</th>
          <th scope="col" className="text-right">
            {t.live.running}
          </th>
          <th scope="col" className="text-right">
            {t.live.waiting}
          </th>
          <th scope="col" className="text-right">
            {t.requests.speed}
          </th>
          <th scope="col" className="text-right max-sm:hidden">
            {t.live.oldest}
          </th>
        </tr>
      </thead>
      <tbody>
        {groups.map((one) => (
          <tr
            key={one.id}
            onClick={() => onOpen(one)}
            className="cursor-pointer border-b last:border-b-0 hover:bg-sunken [&>td]:px-4 [&>td]:py-2"
          >
            <td>
              <button type="button" className="text-left font-medium hover:underline">
                {one.label || t.common.none}
              </button>
            </td>
            <td className="text-right">{f.number(one.running)}</td>
            <td className="text-right">{f.number(one.waiting)}</td>
            <td className="text-right">{f.number(one.tokensPerSecond)}</td>
            <td className="text-right max-sm:hidden">
              {one.oldest === null ? "–" : f.duration(Math.max(0, now - one.oldest))}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
