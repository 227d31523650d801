import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { asApiError } from "@/api/error";
import { type Key, keys } from "@/api/keys";
import { queryClient } from "@/api/queries";
import { useMay } from "@/app/session";
import { useFormats, useText } from "@/i18n";
import { toast } from "@/lib/toasts";
import { useNow } from "@/lib/use-now";
import { Button } from "@/ui/button";
import { Confirm } from "@/ui/confirm";
import { CopyButton } from "@/ui/copy";
import { Dialog } from "@/ui/dialog";
import { Facts } from "@/ui/page";
import { explain, Problem, ProblemText } from "@/ui/problem";
import { Skeleton } from "@/ui/skeleton";
import { KeyBadge } from "@/ui/status";
import { TabPanel, Tabs } from "@/ui/tabs";
import { BudgetBars, limitsLine } from "./budgets";
import { KeyForm } from "./form";
import { toDraft, toSpec } from "./spec";
import { KeyUsage } from "./usage";

const RENEWED_EVERY = 5000;

interface Props {
  id: string | undefined;
  onClose: () => void;
}

/** One key: how it is used, what it may do, its end. */
export function KeyDrawer({ id, onClose }: Props) {
  const t = useText();
  const { data, error, refetch } = useQuery({
    queryKey: ["keys", "one", id],
    queryFn: () => keys.get(id ?? ""),
    enabled: !!id,
    // What is spent of the budgets moves while it is looked at.
    refetchInterval: RENEWED_EVERY,
  });
  const key = data?.id === id ? data : undefined;
  const [tab, setTab] = useState<"usage" | "edit">("usage");
  return (
    <Dialog
      side
      open={!!id}
      onOpenChange={(open) => open || onClose()}
      title={key?.spec.name ?? t.requests.key}
      description={key?.masked}
    >
      {error && !key ? (
        <Problem error={error} onRetry={() => void refetch()} />
      ) : !key ? (
        <Skeleton className="h-40" />
      ) : (
        <Tabs
          label={key.spec.name}
          value={tab}
          onChange={setTab}
          items={[
            { value: "usage", label: t.keys.usage },
            { value: "edit", label: t.keys.edit },
          ]}
        >
          <TabPanel value="usage">
            <Overview record={key} />
          </TabPanel>
          <TabPanel value="edit">
            <Edit key={key.version} record={key} />
          </TabPanel>
        </Tabs>
      )}
    </Dialog>
  );
}

function Overview({ record }: { record: Key }) {
  const t = useText();
  const f = useFormats();
  const now = useNow(5000);
  return (
    <div className="flex flex-col gap-6">
      <Facts
        items={[
          [t.accounts.status, <KeyBadge key="status" status={record.status} />],
          [t.keys.limits, limitsLine(record.spec.limits, t, f)],
          [
            t.keys.budgets,
            record.spec.budgets.length ? <BudgetBars key="budgets" record={record} /> : t.common.unlimited,
          ],
          [t.keys.models, record.spec.models.join(", ") || t.common.all],
          [t.keys.addresses, record.spec.addresses.join(", ") || t.keys.everywhere],
          [t.keys.tags, record.spec.account_tags.join(", ") || t.common.all],
          [t.accounts.lastUsed, f.ago(record.last_used_at, now)],
          [t.keys.createdAt, f.moment(record.created_at)],
          ...(record.revoked_at
            ? ([[t.keys.revokedAt, f.moment(record.revoked_at)]] as [string, string][])
            : []),
          [
            t.requests.id,
            <span key="id" className="flex items-center gap-1 font-mono text-xs break-all">
              {record.id} <CopyButton text={record.id} />
            </span>,
          ],
        ]}
      />
      <KeyUsage id={record.id} />
      <Link
        to="/manage/requests"
        search={{ key: record.id }}
        className="text-sm text-accent-ink hover:underline"
      >
        {t.keys.seeRequests}
      </Link>
    </div>
  );
}

function Edit({ record }: { record: Key }) {
  const t = useText();
  const may = useMay("operator");
  const [draft, setDraft] = useState(() => toDraft(record.spec));
  const [revoking, setRevoking] = useState(false);
  const renew = () => queryClient.invalidateQueries({ queryKey: ["keys"] });
  const save = useMutation({
    mutationFn: () => keys.update(record.id, toSpec(draft), record.version),
    onSuccess: () => {
      toast(t.accounts.saved);
      void renew();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  const error = save.error && asApiError(save.error);
  if (record.status === "revoked") return <p className="text-sm text-soft">{t.keys.isRevoked}</p>;
  if (!may) return <p className="text-sm text-soft">{t.common.readOnly}</p>;
  return (
    <form onSubmit={submit} className="flex flex-col gap-5">
      <KeyForm
        draft={draft}
        onChange={setDraft}
        wrong={error ? { param: error.param, message: explain(error, t) } : undefined}
      />
      {error && <ProblemText error={error} />}
      <div className="flex flex-wrap justify-between gap-2 border-t pt-4">
        <Button look="danger" onClick={() => setRevoking(true)}>
          {t.keys.revoke}
        </Button>
        <Button type="submit" look="primary" busy={save.isPending}>
          {t.common.save}
        </Button>
      </div>
      <Confirm
        open={revoking}
        onOpenChange={setRevoking}
        title={t.keys.revokeTitle(record.spec.name)}
        action={t.keys.revoke}
        danger
        onConfirm={async () => {
          await keys.revoke(record.id);
          toast(t.keys.wasRevoked(record.spec.name));
          await renew();
        }}
      >
        {t.keys.revokeText}
      </Confirm>
    </form>
  );
}
