import { type AccountFilter, accounts, type Target } from "@/api/accounts";
import { useFormats, useText } from "@/i18n";
import { saveFile } from "@/lib/save-file";
import { Confirm } from "@/ui/confirm";

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  selected: string[];
  filter: AccountFilter;
  matching: number;
}

/** Full tokens as a file; asked for once more, because whoever has the file has the accounts. */
export function ExportDialog({ open, onOpenChange, selected, filter, matching }: Props) {
  const t = useText();
  const f = useFormats();
  const target: Target = selected.length > 0 ? { ids: selected } : { filter };
  const count = selected.length || matching;
  return (
    <Confirm
      open={open}
      onOpenChange={onOpenChange}
      title={t.accounts.exportTitle(f.number(count))}
      action={t.accounts.export}
      onConfirm={async () => saveFile(await accounts.export(target), "accounts.jsonl")}
    >
      {t.accounts.exportText}
    </Confirm>
  );
}
