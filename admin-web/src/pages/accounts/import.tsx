import { useSyncExternalStore } from "react";
import { useText } from "@/i18n";
import { Dialog } from "@/ui/dialog";
import { ImportForm } from "./import-form";
import { ImportReportView } from "./import-report";
import { importRun } from "./import-run";

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

/** Adds accounts: first what and how, then what became of every entry. */
export function ImportDialog({ open, onOpenChange }: Props) {
  const t = useText();
  const run = useSyncExternalStore(importRun.subscribe, importRun.get);
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      size="lg"
      title={t.accounts.importTitle}
      description={t.accounts.importText}
    >
      {run ? (
        <ImportReportView run={run} onAgain={() => importRun.set(null)} onClose={() => onOpenChange(false)} />
      ) : (
        <ImportForm />
      )}
    </Dialog>
  );
}
