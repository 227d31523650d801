import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Download, ListTree, RefreshCw } from "lucide-react";
import { useMemo } from "react";
import { type RequestFilter, requests } from "@/api/requests";
import type { RequestsSearch } from "@/app/search";
import { useFormats, useText } from "@/i18n";
import { rangeMs } from "@/lib/ranges";
import { useCursor } from "@/lib/use-cursor";
import { Button, IconButton } from "@/ui/button";
import { Empty } from "@/ui/empty";
import { Page, Panel } from "@/ui/page";
import { Pager } from "@/ui/pager";
import { Problem } from "@/ui/problem";
import { DataTable } from "@/ui/table";
import { useColumns } from "./columns";
import { RequestDetail } from "./detail";
import { RequestFilters } from "./filters";

const LIMIT = 100;
const WHILE_EMPTY = 3000;

export function RequestsPage() {
  const t = useText();
  const f = useFormats();
  const navigate = useNavigate({ from: "/manage/requests" });
  const search = useSearch({ from: "/guarded/shell/manage/requests" });
  const { request, range, ...rest } = search;
  const place = useCursor({ range, ...rest });
  // Fixed when the range is chosen: a cursor belongs to the very question it came from.
  const since = useMemo(() => (range ? Date.now() - rangeMs[range] : undefined), [range]);
  const filter: RequestFilter = { ...rest, ...(since ? { from: since } : {}) };
  const list = useQuery({
    queryKey: ["requests", "list", filter, place.cursor],
    queryFn: ({ signal }) => requests.list(filter, place.cursor, LIMIT, signal),
    placeholderData: keepPreviousData,
    // The first ones appear by themselves; rows that are being read stay where they are.
    refetchInterval: ({ state }) => (state.data?.items.length === 0 ? WHILE_EMPTY : false),
  });
  const { data } = list;
  const change = (part: Partial<RequestsSearch>) => void navigate({ search: (old) => ({ ...old, ...part }) });
  const columns = useColumns((entry) => change({ request: entry.id }));
  const filtered = !!range || Object.values(rest).some(Boolean);
  const from = place.page * LIMIT + 1;
  return (
    <Page
      title={t.nav.requests}
      description={t.requests.text}
      actions={
        <>
          <Button asChild>
            <a href={requests.csv(filter)} download>
              <Download />
              CSV
            </a>
          </Button>
          <IconButton
            label={t.common.refresh}
            look="plain"
            icon={<RefreshCw />}
            onClick={() => void list.refetch()}
          />
        </>
      }
    >
      <Panel flush className="min-h-[30rem]">
        <RequestFilters search={search} onChange={change} />
        {list.error && !data ? (
          <Problem error={list.error} onRetry={() => void list.refetch()} />
        ) : (
          <DataTable
            label={t.nav.requests}
            columns={columns}
            rows={data?.items}
            rowId={(row) => row.id}
            onOpen={(row) => change({ request: row.id })}
            refreshing={list.isPlaceholderData}
            empty={
              <Empty icon={<ListTree aria-hidden />} title={filtered ? t.requests.noMatch : t.requests.empty}>
                {filtered ? t.requests.noMatchText : t.requests.emptyText}
              </Empty>
            }
          />
        )}
        {!!data?.items.length && (
          <div className="mt-auto">
            <Pager onPrevious={place.previous} onNext={place.next(data.next_cursor)}>
              {t.common.rangeOpen(f.number(from), f.number(from + data.items.length - 1))}
            </Pager>
          </div>
        )}
      </Panel>
      <RequestDetail
        id={request}
        known={data?.items.find(({ id }) => id === request)}
        onClose={() => change({ request: undefined })}
      />
    </Page>
  );
}
