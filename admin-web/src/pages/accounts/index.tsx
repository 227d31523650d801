import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Download, HelpCircle, Plus, Undo2, Users } from "lucide-react";
import { useState } from "react";
import { type AccountFilter, type AccountSort, accounts } from "@/api/accounts";
import { useMay } from "@/app/session";
import { useFormats, useText } from "@/i18n";
import { useCursor } from "@/lib/use-cursor";
import { Button } from "@/ui/button";
import { Empty } from "@/ui/empty";
import { Page, Panel } from "@/ui/page";
import { Pager } from "@/ui/pager";
import { Problem } from "@/ui/problem";
import { DataTable, type RowSelectionState } from "@/ui/table";
import { BulkBar } from "./bulk-bar";
import { useColumns } from "./columns";
import { DeletedDialog } from "./deleted";
import { AccountDrawer } from "./drawer";
import { ExplainDialog } from "./explain";
import { ExportDialog } from "./export";
import { Filters } from "./filters";
import { ImportDialog } from "./import";
import { StatusStrip } from "./status-strip";

const LIMIT = 100;
const RENEWED_EVERY = 10_000;
const none: RowSelectionState = {};

export function AccountsPage() {
  const t = useText();
  const f = useFormats();
  const navigate = useNavigate({ from: "/manage/accounts" });
  const {
    account,
    sort = "created",
    order = "desc",
    ...filter
  } = useSearch({ from: "/guarded/shell/manage/accounts" });
  const mayChange = useMay("operator");
  const mayExport = useMay("owner");
  const [dialog, setDialog] = useState<"import" | "explain" | "export" | "deleted" | null>(null);
  const [chosen, setChosen] = useState<{ of: string; rows: RowSelectionState }>({ of: "", rows: {} });
  // Rows are chosen among those of one filter, however it is changed: here, by a link, by going back.
  const shown = JSON.stringify(filter);
  const selection = chosen.of === shown ? chosen.rows : none;
  const setSelection = (rows: RowSelectionState) => setChosen({ of: shown, rows });
  const place = useCursor({ ...filter, sort, order });
  const list = useQuery({
    queryKey: ["accounts", "list", filter, sort, order, place.cursor],
    queryFn: ({ signal }) =>
      accounts.list({ ...filter, sort, order, cursor: place.cursor, limit: LIMIT }, signal),
    placeholderData: keepPreviousData,
    refetchInterval: RENEWED_EVERY,
  });
  const { data } = list;
  const columns = useColumns((id) => void navigate({ search: (old) => ({ ...old, account: id }) }));
  const filtered = Object.values(filter).some(Boolean);
  const setFilter = (next: AccountFilter) => void navigate({ search: (old) => ({ ...old, ...next }) });
  const open = (id: string | undefined) => void navigate({ search: (old) => ({ ...old, account: id }) });
  const from = place.page * LIMIT + 1;
  return (
    <Page
      title={t.nav.accounts}
      description={t.accounts.text}
      actions={
        <>
          <Button onClick={() => setDialog("explain")}>
            <HelpCircle />
            {t.accounts.explain}
          </Button>
          {mayChange && (
            <Button onClick={() => setDialog("deleted")}>
              <Undo2 />
              {t.accounts.deletedTitle}
            </Button>
          )}
          {mayExport && (
            <Button onClick={() => setDialog("export")}>
              <Download />
              {t.accounts.export}
            </Button>
          )}
          {mayChange && (
            <Button look="primary" onClick={() => setDialog("import")}>
              <Plus />
              {t.accounts.import}
            </Button>
          )}
        </>
      }
    >
      <StatusStrip
        page={data}
        chosen={filter.status}
        onChoose={(status) => setFilter({ ...filter, status })}
      />
      <Panel flush className="min-h-[30rem]">
        <Filters filter={filter} page={data} onChange={setFilter} />
        {mayChange && (
          <BulkBar
            selected={Object.keys(selection)}
            filter={filter}
            matching={data?.matching ?? 0}
            onDone={() => setSelection({})}
          />
        )}
        {list.error && !data ? (
          <Problem error={list.error} onRetry={() => void list.refetch()} />
        ) : (
          <DataTable
            label={t.nav.accounts}
            columns={columns}
            rows={data?.items}
            rowId={(row) => row.id}
            rowName={(row) => row.note || row.token}
            onOpen={(row) => open(row.id)}
            sorting={[{ id: sort, desc: order === "desc" }]}
            onSorting={([by]) =>
              void navigate({
                search: (old) => ({ ...old, sort: by?.id as AccountSort, order: by?.desc ? "desc" : "asc" }),
              })
            }
            selection={selection}
            onSelection={mayChange ? setSelection : undefined}
            refreshing={list.isPlaceholderData}
            empty={
              filtered ? (
                <Empty
                  icon={<Users aria-hidden />}
                  title={t.accounts.noMatch}
                  action={
                    <Button
                      onClick={() =>
                        setFilter({ search: undefined, tier: undefined, status: undefined, tag: undefined })
                      }
                    >
                      {t.common.clearFilters}
                    </Button>
                  }
                />
              ) : (
                <Empty
                  icon={<Users aria-hidden />}
                  title={t.accounts.empty}
                  action={
                    mayChange && (
                      <Button look="primary" onClick={() => setDialog("import")}>
                        {t.accounts.import}
                      </Button>
                    )
                  }
                >
                  {t.accounts.emptyText}
                </Empty>
              )
            }
          />
        )}
        {!!data?.items.length && (
          <div className="mt-auto">
            <Pager onPrevious={place.previous} onNext={place.next(data.next_cursor)}>
              {t.common.range(
                f.number(from),
                f.number(from + data.items.length - 1),
                f.number(data.matching),
              )}
            </Pager>
          </div>
        )}
      </Panel>
      <AccountDrawer id={account} onClose={() => open(undefined)} />
      <ImportDialog open={dialog === "import"} onOpenChange={(next) => setDialog(next ? "import" : null)} />
      <ExplainDialog
        open={dialog === "explain"}
        onOpenChange={(next) => setDialog(next ? "explain" : null)}
      />
      <DeletedDialog
        open={dialog === "deleted"}
        onOpenChange={(next) => setDialog(next ? "deleted" : null)}
      />
      <ExportDialog
        open={dialog === "export"}
        onOpenChange={(next) => setDialog(next ? "export" : null)}
        selected={Object.keys(selection)}
        filter={filter}
        matching={data?.matching ?? 0}
      />
    </Page>
  );
}
