import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { type Account, accounts, type Tier, tiers } from "@/api/accounts";
import { queryClient } from "@/api/queries";
import { useText } from "@/i18n";
import { splitList } from "@/lib/split-list";
import { toast } from "@/lib/toasts";
import { Button } from "@/ui/button";
import { Field, Input, Select } from "@/ui/field";
import { ProblemText } from "@/ui/problem";

/** What the operator says of an account. */
export function EditAccount({ account }: { account: Account }) {
  const t = useText();
  const [note, setNote] = useState(account.note);
  const [tags, setTags] = useState(account.tags.join(", "));
  const [tier, setTier] = useState(account.tier);
  const [priority, setPriority] = useState(String(account.priority));
  const save = useMutation({
    mutationFn: () => {
      const wanted = splitList(tags);
      return accounts.change(account.id, {
        note,
        tier,
        priority: Number(priority) || 0,
        add_tags: wanted.filter((tag) => !account.tags.includes(tag)),
        remove_tags: account.tags.filter((tag) => !wanted.includes(tag)),
      });
    },
    onSuccess: () => {
      toast(t.accounts.saved);
      void queryClient.invalidateQueries({ queryKey: ["accounts"] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <section>
      <h3 className="mb-2 text-sm font-semibold">{t.accounts.edit}</h3>
      <form onSubmit={submit} className="grid grid-cols-2 gap-3">
        <Field label={t.accounts.note} className="col-span-2">
          <Input value={note} onChange={(event) => setNote(event.target.value)} />
        </Field>
        <Field label={t.accounts.tags} hint={t.accounts.listHint} className="col-span-2">
          <Input value={tags} onChange={(event) => setTags(event.target.value)} />
        </Field>
        <Field label={t.accounts.tier}>
          <Select value={tier} onChange={(event) => setTier(event.target.value as Tier)}>
            {tiers.map((name) => (
              <option key={name} value={name}>
                {t.tier[name]}
              </option>
            ))}
          </Select>
        </Field>
        <Field label={t.accounts.priority} hint={t.accounts.priorityHint}>
          <Input type="number" value={priority} onChange={(event) => setPriority(event.target.value)} />
        </Field>
        <div className="col-span-2 flex flex-col items-start gap-3">
          {save.error && <ProblemText error={save.error} />}
          <Button type="submit" busy={save.isPending}>
            {t.common.save}
          </Button>
        </div>
      </form>
    </section>
  );
}
