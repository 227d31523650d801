import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { KeyRound, Plus } from "lucide-react";
import { useState } from "react";
import { keysQuery } from "@/api/queries";
import { useMay } from "@/app/session";
import { useText } from "@/i18n";
import { Button } from "@/ui/button";
import { CheckLine } from "@/ui/check";
import { Empty } from "@/ui/empty";
import { Page, Panel } from "@/ui/page";
import { Problem } from "@/ui/problem";
import { DataTable } from "@/ui/table";
import { useColumns } from "./columns";
import { CreateDialog } from "./create";
import { KeyDrawer } from "./drawer";

const EVERY = 15_000;

export function KeysPage() {
  const t = useText();
  const navigate = useNavigate({ from: "/manage/keys" });
  const { key, revoked = false } = useSearch({ from: "/guarded/shell/manage/keys" });
  const may = useMay("operator");
  const [creating, setCreating] = useState(false);
  const { data, error, refetch } = useQuery({ ...keysQuery(revoked), refetchInterval: EVERY });
  const open = (id: string | undefined) => void navigate({ search: (old) => ({ ...old, key: id }) });
  const columns = useColumns((row) => open(row.id));
  const create = may && (
    <Button look="primary" onClick={() => setCreating(true)}>
      <Plus />
      {t.keys.create}
    </Button>
  );
  return (
    <Page
      title={t.nav.keys}
      description={t.keys.text}
      actions={
        <>
          <CheckLine
            checked={revoked}
            onChange={(event) =>
              void navigate({ search: (old) => ({ ...old, revoked: event.target.checked || undefined }) })
            }
          >
            {t.keys.showRevoked}
          </CheckLine>
          {create}
        </>
      }
    >
      <Panel flush className="min-h-80">
        {error && !data ? (
          <Problem error={error} onRetry={() => void refetch()} />
        ) : (
          <DataTable
            label={t.nav.keys}
            columns={columns}
            rows={data?.items}
            rowId={(row) => row.id}
            onOpen={(row) => open(row.id)}
            empty={
              <Empty icon={<KeyRound aria-hidden />} title={t.keys.empty} action={create}>
                {t.keys.emptyText}
              </Empty>
            }
          />
        )}
      </Panel>
      <KeyDrawer id={key} onClose={() => open(undefined)} />
      <CreateDialog open={creating} onOpenChange={setCreating} />
    </Page>
  );
}
