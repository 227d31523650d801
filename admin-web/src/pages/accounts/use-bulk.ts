import { type AccountChange, accounts, type BulkAction, type BulkResult, type Target } from "@/api/accounts";
import { asApiError } from "@/api/error";
import { queryClient } from "@/api/queries";
import { type Dictionary, useFormats, useText } from "@/i18n";
import { startJob } from "@/lib/jobs";
import { toast } from "@/lib/toasts";
import { explain } from "@/ui/problem";

/** Starts work on many accounts; it is followed in the tray, and a deletion can be undone for a while. */
export function useBulk() {
  const t = useText();
  const f = useFormats();
  return async (action: BulkAction, target: Target, change?: AccountChange): Promise<void> => {
    // Told step by step: what was deleted can be brought back also when the rest fails.
    const steps: string[] = [];
    const result = await startJob<BulkResult>({
      title: t.accounts.actions[action],
      run: (onProgress) =>
        accounts.bulk(
          action,
          target,
          (progress) => {
            steps.push(...(progress.deleted ?? []));
            onProgress(progress);
          },
          change,
        ),
      done: ({ changed, failed }) =>
        t.accounts.bulkResult(f.number(changed), failed.length ? f.number(failed.length) : null),
    });
    const deleted = result?.deleted ?? steps;
    void queryClient.invalidateQueries({ queryKey: ["accounts"] });
    if (deleted.length > 0)
      toast(t.accounts.deleted(f.number(deleted.length)), {
        action: { label: t.common.undo, run: () => void restore(deleted, t, f.number.bind(f)) },
      });
  };
}

async function restore(ids: string[], t: Dictionary, number: (value: number) => string): Promise<void> {
  try {
    const { restored } = await accounts.restore(ids);
    toast(t.accounts.restored(number(restored)));
  } catch (thrown) {
    toast(explain(asApiError(thrown), t), { bad: true });
  }
  void queryClient.invalidateQueries({ queryKey: ["accounts"] });
}
