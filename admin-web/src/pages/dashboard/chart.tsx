import { lazy, Suspense, useState } from "react";
import type { Dashboard } from "@/api/dashboard";
import { useText } from "@/i18n";
import { Panel } from "@/ui/page";
import { Segmented } from "@/ui/segmented";
import { Skeleton } from "@/ui/skeleton";
import type { Metric } from "./charts";
import { fill } from "./fill";

// A hundred kilobytes that only pages with a chart need.
const UsageChart = lazy(() => import("./charts"));
const metrics: Metric[] = ["requests", "tokens", "units", "first", "speed"];

/** Usage over time, by one measure at a time. */
export function UsagePanel({ title, data }: { title: string; data: Dashboard | undefined }) {
  const t = useText();
  const [metric, setMetric] = useState<Metric>("requests");
  const items = metrics.map((value) => ({ value, label: t.dashboard.metrics[value] }));
  const place = <Skeleton className="h-[17.5rem] w-full" />;
  return (
    <Panel
      title={title}
      actions={<Segmented label={t.dashboard.metric} value={metric} onChange={setMetric} items={items} />}
    >
      <div className="min-h-[17.5rem]">
        {data ? (
          <Suspense fallback={place}>
            <UsageChart
              points={fill(data.series[0]?.buckets ?? [], data.from, data.to, data.width)}
              metric={metric}
              width={data.width}
            />
          </Suspense>
        ) : (
          place
        )}
      </div>
    </Panel>
  );
}
