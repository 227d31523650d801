import { type FormEvent, useState } from "react";
import { type AccountChange, type Tier, tiers } from "@/api/accounts";
import { useFormats, useText } from "@/i18n";
import { splitList } from "@/lib/split-list";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, Input, Select } from "@/ui/field";

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  count: number;
  onChange: (change: AccountChange) => void;
}

/** One change for many accounts; what is left empty stays as it is. */
export function ChangeDialog({ open, onOpenChange, count, onChange }: Props) {
  const t = useText();
  const f = useFormats();
  const [tier, setTier] = useState<Tier | "">("");
  const [add, setAdd] = useState("");
  const [remove, setRemove] = useState("");
  const [priority, setPriority] = useState("");
  const [note, setNote] = useState("");
  const change: AccountChange = {
    ...(tier ? { tier } : {}),
    ...(add.trim() ? { add_tags: splitList(add) } : {}),
    ...(remove.trim() ? { remove_tags: splitList(remove) } : {}),
    ...(priority ? { priority: Number(priority) } : {}),
    ...(note ? { note } : {}),
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onChange(change);
    onOpenChange(false);
  };
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      size="sm"
      title={t.accounts.changeTitle(f.number(count))}
      description={t.accounts.changeText}
      footer={
        <>
          <Button onClick={() => onOpenChange(false)}>{t.common.cancel}</Button>
          <Button
            look="primary"
            type="submit"
            form="change-accounts"
            disabled={Object.keys(change).length === 0}
          >
            {t.accounts.apply}
          </Button>
        </>
      }
    >
      <form id="change-accounts" onSubmit={submit} className="flex flex-col gap-4">
        <Field label={t.accounts.addTags} hint={t.accounts.listHint}>
          <Input value={add} onChange={(event) => setAdd(event.target.value)} />
        </Field>
        <Field label={t.accounts.removeTags}>
          <Input value={remove} onChange={(event) => setRemove(event.target.value)} />
        </Field>
        <div className="grid grid-cols-2 gap-4">
          <Field label={t.accounts.tier}>
            <Select value={tier} onChange={(event) => setTier(event.target.value as Tier | "")}>
              <option value="">{t.accounts.asIs}</option>
              {tiers.map((name) => (
                <option key={name} value={name}>
                  {t.tier[name]}
                </option>
              ))}
            </Select>
          </Field>
          <Field label={t.accounts.priority}>
            <Input
              type="number"
              value={priority}
              placeholder={t.accounts.asIs}
              onChange={(event) => setPriority(event.target.value)}
            />
          </Field>
        </div>
        <Field label={t.accounts.note}>
          <Input
            value={note}
            placeholder={t.accounts.asIs}
            onChange={(event) => setNote(event.target.value)}
          />
        </Field>
      </form>
    </Dialog>
  );
}
