import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type Range, ranges } from "@/api/dashboard";
import { keys } from "@/api/keys";
import { useText } from "@/i18n";
import { Problem } from "@/ui/problem";
import { Segmented } from "@/ui/segmented";
import { UsagePanel } from "../dashboard/chart";

/** What a key was used for over time. */
export function KeyUsage({ id }: { id: string }) {
  const t = useText();
  const [range, setRange] = useState<Range>("24h");
  const { data, error, refetch } = useQuery({
    queryKey: ["keys", "usage", id, range],
    queryFn: ({ signal }) => keys.usage(id, range, signal),
    placeholderData: keepPreviousData,
  });
  return (
    <div className="flex flex-col gap-3">
      <Segmented
        label={t.dashboard.range}
        value={range}
        onChange={setRange}
        items={ranges.map((value) => ({ value, label: t.dashboard.ranges[value] }))}
      />
      {error && !data ? (
        <Problem error={error} onRetry={() => void refetch()} />
      ) : (
        <UsagePanel title={t.keys.usage} data={data} />
      )}
    </div>
  );
}
