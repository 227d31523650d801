import { AlertDialog as Radix } from "radix-ui";
import { type ReactNode, useState } from "react";
import { asApiError } from "@/api/error";
import { useText } from "@/i18n";
import { Button } from "./button";
import { ProblemText } from "./problem";
import { useOpener } from "./use-opener";

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  /** What will happen, and whether it can be undone. */
  children: ReactNode;
  /** The verb of the button. */
  action: string;
  danger?: boolean;
  onConfirm: () => Promise<unknown> | unknown;
}

/** Asks before something that cannot simply be taken back. Stays open while it runs, and when it fails. */
export function Confirm({ open, onOpenChange, title, children, action, danger, onConfirm }: Props) {
  const t = useText();
  const opener = useOpener();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const change = (next: boolean) => {
    if (!next) setError(null);
    onOpenChange(next);
  };
  const confirm = async () => {
    setBusy(true);
    setError(null);
    try {
      await onConfirm();
      change(false);
    } catch (thrown) {
      setError(asApiError(thrown));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Radix.Root open={open} onOpenChange={change}>
      <Radix.Portal>
        <div className="animate-appear fixed inset-0 z-50 bg-black/40 dark:bg-black/60" />
        <Radix.Content
          aria-modal
          onOpenAutoFocus={opener.keep}
          onCloseAutoFocus={opener.giveBack}
          className="animate-rise fixed inset-x-4 top-[20dvh] z-50 mx-auto flex max-w-md flex-col gap-3 rounded-xl border bg-surface p-5 shadow-xl outline-none"
        >
          <Radix.Title className="text-base font-semibold">{title}</Radix.Title>
          <Radix.Description asChild>
            <div className="text-sm text-soft">{children}</div>
          </Radix.Description>
          {error !== null && <ProblemText error={error} />}
          <div className="mt-2 flex justify-end gap-2">
            <Radix.Cancel asChild>
              <Button>{t.common.cancel}</Button>
            </Radix.Cancel>
            <Button look={danger ? "danger" : "primary"} busy={busy} onClick={confirm}>
              {action}
            </Button>
          </div>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
