import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Ban, CircleCheck, Eraser, RefreshCw, Trash2 } from "lucide-react";
import { accounts, type BulkAction } from "@/api/accounts";
import { queryClient } from "@/api/queries";
import { useMay } from "@/app/session";
import { useFormats, useText } from "@/i18n";
import { useNow } from "@/lib/use-now";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { CopyButton } from "@/ui/copy";
import { Dialog } from "@/ui/dialog";
import { Facts } from "@/ui/page";
import { Problem } from "@/ui/problem";
import { Skeleton } from "@/ui/skeleton";
import { OutcomeBadge, StatusBadge, TierBadge } from "@/ui/status";
import { EditAccount } from "./edit";
import { useBulk } from "./use-bulk";
import { WindowDetails } from "./window-details";

interface Props {
  id: string | undefined;
  onClose: () => void;
}

/** One account: state and cause, windows, what it served, what failed, what can be done. */
export function AccountDrawer({ id, onClose }: Props) {
  const t = useText();
  const f = useFormats();
  const now = useNow();
  const may = useMay("operator");
  const bulk = useBulk();
  const { data, error, refetch } = useQuery({
    queryKey: ["accounts", "one", id],
    queryFn: () => accounts.get(id ?? ""),
    enabled: !!id,
    refetchInterval: 5000,
  });
  const act = useMutation({
    mutationFn: (action: BulkAction) => bulk(action, { ids: [id ?? ""] }),
    onSuccess: (_, action) =>
      action === "delete" ? onClose() : void queryClient.invalidateQueries({ queryKey: ["accounts"] }),
  });
  const account = data?.id === id ? data : undefined;
  const blocked = account && ["cooling", "invalid", "banned", "exhausted"].includes(account.status);
  return (
    <Dialog
      side
      open={!!id}
      onOpenChange={(open) => open || onClose()}
      title={account ? account.note || account.token : t.accounts.account}
      description={account?.note ? account.token : undefined}
      footer={
        may &&
        account && (
          <>
            <Button look="danger" className="mr-auto" onClick={() => act.mutate("delete")}>
              <Trash2 />
              {t.accounts.actions.delete}
            </Button>
            {blocked && (
              <Button onClick={() => act.mutate("clear")} busy={act.isPending}>
                <Eraser />
                {t.accounts.actions.clear}
              </Button>
            )}
            <Button onClick={() => act.mutate("refresh")} busy={act.isPending}>
              <RefreshCw />
              {t.accounts.actions.refresh}
            </Button>
            <Button onClick={() => act.mutate(account.enabled ? "disable" : "enable")} busy={act.isPending}>
              {account.enabled ? <Ban /> : <CircleCheck />}
              {account.enabled ? t.accounts.actions.disable : t.accounts.actions.enable}
            </Button>
          </>
        )
      }
    >
      {error && !account ? (
        <Problem error={error} onRetry={() => void refetch()} />
      ) : !account ? (
        <div className="flex flex-col gap-3">
          <Skeleton className="w-1/2" />
          <Skeleton className="h-24" />
          <Skeleton className="h-24" />
        </div>
      ) : (
        <div className="flex flex-col gap-6">
          <div className="flex flex-wrap items-center gap-2">
            <StatusBadge status={account.status} />
            <TierBadge tier={account.tier} />
            {account.tags.map((tag) => (
              <Badge key={tag}>{tag}</Badge>
            ))}
          </div>
          {account.cause && (
            <p className="rounded-md bg-warn-wash px-3 py-2 text-sm break-words text-warn">
              {account.cause}
              {account.until !== null && (
                <span className="num mt-0.5 block text-xs">
                  {t.accounts.ends(f.until(account.until, now))}
                </span>
              )}
            </p>
          )}
          <WindowDetails windows={account.windows} now={now} />
          <section>
            <h3 className="mb-2 text-sm font-semibold">{t.accounts.today}</h3>
            <Facts
              items={[
                [t.dashboard.requests, f.number(account.usage.requests)],
                [
                  t.dashboard.success,
                  account.usage.requests ? f.percent(account.usage.success / account.usage.requests) : "–",
                ],
                [t.dashboard.tokens, f.compact(account.usage.tokens)],
                [t.dashboard.units, f.number(account.usage.units)],
              ]}
            />
            <Link
              to="/manage/requests"
              search={{ account: account.id }}
              className="mt-2 inline-block text-sm text-accent-ink hover:underline"
            >
              {t.accounts.seeRequests}
            </Link>
          </section>
          <section>
            <h3 className="mb-2 text-sm font-semibold">{t.accounts.failures}</h3>
            {account.failures.length === 0 ? (
              <p className="text-sm text-soft">{t.accounts.noFailures}</p>
            ) : (
              <ul className="divide-y rounded-lg border">
                {account.failures.map((failure) => (
                  <li
                    key={`${failure.at} ${failure.cause}`}
                    className="flex flex-col gap-0.5 px-3 py-2 text-sm"
                  >
                    <span className="flex items-center gap-2">
                      <OutcomeBadge outcome={failure.outcome} />
                      {!failure.penalised && <Badge>{t.accounts.spared}</Badge>}
                      <span className="num ml-auto text-xs text-faint">{f.ago(failure.at, now)}</span>
                    </span>
                    <span className="text-xs break-words text-soft">{failure.cause}</span>
                  </li>
                ))}
              </ul>
            )}
          </section>
          <section>
            <h3 className="mb-2 text-sm font-semibold">{t.accounts.facts}</h3>
            <Facts
              items={[
                [t.accounts.inFlight, f.number(account.in_flight)],
                [t.accounts.lastUsed, f.ago(account.last_used_at, now)],
                [t.accounts.added, f.moment(account.created_at)],
                [t.accounts.user, account.user_id ?? t.common.unknown],
                [
                  t.requests.id,
                  <span key="id" className="flex items-center gap-1 font-mono text-xs break-all">
                    {account.id} <CopyButton text={account.id} />
                  </span>,
                ],
              ]}
            />
          </section>
          {may && <EditAccount key={account.id} account={account} />}
        </div>
      )}
    </Dialog>
  );
}
