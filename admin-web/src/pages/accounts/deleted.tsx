import { useMutation, useQuery } from "@tanstack/react-query";
import { Trash2, Undo2 } from "lucide-react";
import { accounts } from "@/api/accounts";
import { queryClient } from "@/api/queries";
import { useFormats, useText } from "@/i18n";
import { toast } from "@/lib/toasts";
import { useNow } from "@/lib/use-now";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Empty } from "@/ui/empty";
import { Problem, ProblemText } from "@/ui/problem";
import { Skeleton } from "@/ui/skeleton";
import { TierBadge } from "@/ui/status";

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

/** Accounts that were deleted within the last day, to bring them back. */
export function DeletedDialog({ open, onOpenChange }: Props) {
  const t = useText();
  const f = useFormats();
  const now = useNow(10_000);
  const { data, error, refetch } = useQuery({
    queryKey: ["accounts", "deleted"],
    queryFn: ({ signal }) => accounts.deleted(signal),
    enabled: open,
  });
  const restore = useMutation({
    mutationFn: (ids: string[]) => accounts.restore(ids),
    onSuccess: ({ restored }) => {
      toast(t.accounts.restored(f.number(restored)));
      void queryClient.invalidateQueries({ queryKey: ["accounts"] });
    },
  });
  const items = data?.items;
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      size="lg"
      title={t.accounts.deletedTitle}
      description={t.accounts.deletedText}
      footer={
        !!items?.length && (
          <Button
            look="primary"
            busy={restore.isPending}
            onClick={() => restore.mutate(items.map(({ id }) => id))}
          >
            <Undo2 />
            {t.accounts.restoreAll(f.number(items.length))}
          </Button>
        )
      }
    >
      {restore.error && <ProblemText error={restore.error} />}
      {error && !data ? (
        <Problem error={error} onRetry={() => void refetch()} />
      ) : !items ? (
        <div className="flex flex-col gap-3">
          <Skeleton />
          <Skeleton />
          <Skeleton />
        </div>
      ) : items.length === 0 ? (
        <Empty icon={<Trash2 aria-hidden />} title={t.accounts.noneDeleted} />
      ) : (
        <ul className="divide-y rounded-lg border" aria-label={t.accounts.deletedTitle}>
          {items.map((account) => (
            <li key={account.id} className="lazy-row flex items-center gap-3 px-3 py-2 text-sm">
              <div className="min-w-0 flex-1">
                <p className="truncate font-medium">{account.note || account.token}</p>
                <p className="truncate text-xs text-faint">
                  <span className="font-mono">{account.token}</span> · {f.ago(account.deleted_at, now)}
                </p>
              </div>
              <TierBadge tier={account.tier} />
              <Button size="sm" disabled={restore.isPending} onClick={() => restore.mutate([account.id])}>
                {t.accounts.restore}
              </Button>
            </li>
          ))}
        </ul>
      )}
      {data && data.total > data.items.length && (
        <p className="mt-2 text-xs text-faint">{t.accounts.moreDeleted(f.number(data.total))}</p>
      )}
    </Dialog>
  );
}
