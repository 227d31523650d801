import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { RefreshCw } from "lucide-react";
import { dashboard, ranges } from "@/api/dashboard";
import { queryClient } from "@/api/queries";
import { useText } from "@/i18n";
import { IconButton } from "@/ui/button";
import { Page, Panel } from "@/ui/page";
import { Problem } from "@/ui/problem";
import { Segmented } from "@/ui/segmented";
import { UsagePanel } from "./chart";
import { GroupTable } from "./groups";
import { Totals } from "./totals";

const EVERY_MINUTE = 60_000;

export function DashboardPage() {
  const t = useText();
  const navigate = useNavigate({ from: "/manage/dashboard" });
  const { range = "24h", by = "model" } = useSearch({ from: "/guarded/shell/manage/dashboard" });
  const group = by === "none" ? "model" : by;
  const line = useQuery({
    queryKey: ["dashboard", range],
    queryFn: ({ signal }) => dashboard.get({ range, group_by: "none" }, signal),
    placeholderData: keepPreviousData,
    refetchInterval: EVERY_MINUTE,
  });
  const groups = useQuery({
    queryKey: ["dashboard", range, group],
    queryFn: ({ signal }) => dashboard.get({ range, group_by: group, top: 20, width: 0 }, signal),
    placeholderData: keepPreviousData,
    refetchInterval: EVERY_MINUTE,
  });
  const renew = () => void queryClient.invalidateQueries({ queryKey: ["dashboard"] });
  return (
    <Page
      title={t.nav.dashboard}
      description={t.dashboard.text}
      actions={
        <>
          <Segmented
            label={t.dashboard.range}
            value={range}
            onChange={(value) => void navigate({ search: (old) => ({ ...old, range: value }) })}
            items={ranges.map((value) => ({ value, label: t.dashboard.ranges[value] }))}
          />
          <IconButton label={t.common.refresh} icon={<RefreshCw />} look="plain" onClick={renew} />
        </>
      }
    >
      {line.error && !line.data ? (
        <Problem error={line.error} onRetry={renew} />
      ) : (
        <>
          <Totals totals={line.data?.totals} />
          <UsagePanel title={t.dashboard.over} data={line.data} />
          <Panel
            flush
            className="min-h-72"
            title={t.dashboard.who}
            actions={
              <Segmented
                label={t.live.groupBy}
                value={group}
                onChange={(value) => void navigate({ search: (old) => ({ ...old, by: value }) })}
                items={(["model", "key", "account"] as const).map((value) => ({
                  value,
                  label: t.dashboard.by[value],
                }))}
              />
            }
          >
            {groups.error && groups.data?.group_by !== group ? (
              <Problem error={groups.error} onRetry={() => void groups.refetch()} />
            ) : (
              <GroupTable
                data={groups.data?.group_by === group ? groups.data : undefined}
                by={group}
                range={range}
                refreshing={groups.isPlaceholderData}
              />
            )}
          </Panel>
        </>
      )}
    </Page>
  );
}
