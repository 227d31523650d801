import { accounts, type ImportReport, type ImportRequest, type ImportResult } from "@/api/accounts";
import { type ApiError, asApiError } from "@/api/error";
import type { Progress } from "@/api/ndjson";
import { queryClient } from "@/api/queries";
import { Store } from "@/lib/store";

/** An import, kept outside of the page so that it can be left and looked at again. */
export interface ImportRun {
  state: "running" | "done" | "failed";
  dryRun: boolean;
  progress: Progress;
  reports: readonly ImportReport[];
  result: ImportResult | null;
  error: ApiError | null;
}

export const importRun = new Store<ImportRun | null>(null);

function update(change: Partial<ImportRun>): void {
  const run = importRun.get();
  if (run) importRun.set({ ...run, ...change });
}

export async function startImport(request: ImportRequest): Promise<ImportResult> {
  importRun.set({
    state: "running",
    dryRun: !!request.dry_run,
    progress: { done: 0, total: 0 },
    reports: [],
    result: null,
    error: null,
  });
  const reports: ImportReport[] = [];
  try {
    const result = await accounts.import(request, ({ done, total, reports: more }) => {
      reports.push(...more);
      update({ progress: { done, total }, reports: [...reports] });
    });
    update({ state: "done", result, progress: { done: result.done, total: result.total } });
    return result;
  } catch (thrown) {
    update({ state: "failed", error: asApiError(thrown) });
    throw thrown;
  } finally {
    if (!request.dry_run) {
      void queryClient.invalidateQueries({ queryKey: ["accounts"] });
      void queryClient.invalidateQueries({ queryKey: ["session"] });
    }
  }
}
