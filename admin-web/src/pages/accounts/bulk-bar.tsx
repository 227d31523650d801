import { Ban, CircleCheck, Eraser, MoreHorizontal, Pencil, RefreshCw, Trash2 } from "lucide-react";
import { useState } from "react";
import type { AccountFilter, BulkAction, Target } from "@/api/accounts";
import { useFormats, useText } from "@/i18n";
import { Button } from "@/ui/button";
import { Confirm } from "@/ui/confirm";
import { Menu, MenuItem, MenuLine } from "@/ui/menu";
import { ChangeDialog } from "./change";
import { useBulk } from "./use-bulk";

interface Props {
  selected: string[];
  filter: AccountFilter;
  /** How many accounts match the filter. */
  matching: number;
  onDone: () => void;
}

/** What can be done with the chosen rows, or with everything that matches. */
export function BulkBar({ selected, filter, matching, onDone }: Props) {
  const t = useText();
  const f = useFormats();
  const bulk = useBulk();
  // "Everything" is said of this very choice: another filter or another row takes it back.
  const choice = JSON.stringify([filter, selected]);
  const [everythingOf, setEverythingOf] = useState<string | null>(null);
  const everything = everythingOf === choice;
  const [asking, setAsking] = useState<"delete" | "disable" | "change" | null>(null);
  const count = everything ? matching : selected.length;
  const target: Target = everything ? { filter } : { ids: selected };
  const finish = () => {
    setEverythingOf(null);
    onDone();
  };
  const start = (action: BulkAction) => {
    void bulk(action, target);
    finish();
  };
  if (selected.length === 0) return null;
  return (
    <section
      aria-label={t.accounts.chosen(f.number(count))}
      className="flex flex-wrap items-center gap-2 border-b bg-accent-wash px-4 py-2"
    >
      <p className="num text-sm font-medium" role="status">
        {t.accounts.chosen(f.number(count))}
      </p>
      {matching > selected.length && (
        <Button
          size="sm"
          look="quiet"
          className="text-accent-ink"
          onClick={() => setEverythingOf(everything ? null : choice)}
        >
          {everything
            ? t.accounts.onlyChosen(f.number(selected.length))
            : t.accounts.everything(f.number(matching))}
        </Button>
      )}
      <span className="ml-auto flex flex-wrap gap-1.5">
        <Button size="sm" onClick={() => start("enable")}>
          <CircleCheck />
          {t.accounts.actions.enable}
        </Button>
        <Button size="sm" onClick={() => (count > 1 ? setAsking("disable") : start("disable"))}>
          <Ban />
          {t.accounts.actions.disable}
        </Button>
        <Button size="sm" onClick={() => start("refresh")}>
          <RefreshCw />
          {t.accounts.actions.refresh}
        </Button>
        <Menu
          trigger={
            <Button size="sm">
              <MoreHorizontal />
              {t.accounts.more}
            </Button>
          }
        >
          <MenuItem onSelect={() => setAsking("change")}>
            <Pencil />
            {t.accounts.actions.change}
          </MenuItem>
          <MenuItem onSelect={() => start("clear")}>
            <Eraser />
            {t.accounts.actions.clear}
          </MenuItem>
          <MenuLine />
          <MenuItem danger onSelect={() => setAsking("delete")}>
            <Trash2 />
            {t.accounts.actions.delete}
          </MenuItem>
        </Menu>
      </span>
      <Confirm
        open={asking === "delete"}
        onOpenChange={() => setAsking(null)}
        title={t.accounts.deleteTitle(f.number(count))}
        action={t.accounts.actions.delete}
        danger
        onConfirm={() => start("delete")}
      >
        {t.accounts.deleteText}
      </Confirm>
      <Confirm
        open={asking === "disable"}
        onOpenChange={() => setAsking(null)}
        title={t.accounts.disableTitle(f.number(count))}
        action={t.accounts.actions.disable}
        onConfirm={() => start("disable")}
      >
        {t.accounts.disableText}
      </Confirm>
      <ChangeDialog
        open={asking === "change"}
        onOpenChange={() => setAsking(null)}
        count={count}
        onChange={(change) => {
          void bulk("change", target, change);
          finish();
        }}
      />
    </section>
  );
}
