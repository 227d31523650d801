import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { accounts, type Tier, tiers } from "@/api/accounts";
import type { Progress } from "@/api/ndjson";
import { queryClient } from "@/api/queries";
import { useSession } from "@/app/session";
import { useFormats, useText } from "@/i18n";
import { Field, Select, Textarea } from "@/ui/field";
import { Meter } from "@/ui/meter";
import type { StepProps } from ".";
import { Step } from "./step";

export function AccountsStep({ onDone }: StepProps) {
  const t = useText();
  const f = useFormats();
  const exist = useSession()?.setup?.accounts;
  const [text, setText] = useState("");
  const [tier, setTier] = useState<Tier>("basic");
  const [progress, setProgress] = useState<Progress | null>(null);
  const add = useMutation({
    mutationFn: () => accounts.import({ text, tier }, setProgress),
    onSuccess: () => void queryClient.invalidateQueries({ queryKey: ["accounts"] }),
  });
  const result = add.data;
  const took = result && result.added + result.merged > 0;
  return (
    <Step
      title={t.setup.accounts.title}
      text={t.setup.accounts.text}
      submit={took ? t.setup.next : t.setup.accounts.submit}
      busy={add.isPending}
      error={add.error}
      onSubmit={() => (took ? onDone() : add.mutate())}
    >
      <Field label={t.setup.accounts.label} hint={exist ? t.setup.accounts.isDone : undefined}>
        <Textarea
          className="min-h-36 font-mono text-xs"
          required
          spellCheck={false}
          placeholder={"sso=eyJ0eXAiOiJKV1Qi…"}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </Field>
      <Field label={t.setup.accounts.tier} className="max-w-40">
        <Select value={tier} onChange={(event) => setTier(event.target.value as Tier)}>
          {tiers.map((name) => (
            <option key={name} value={name}>
              {t.tier[name]}
            </option>
          ))}
        </Select>
      </Field>
      {add.isPending && (
        <Meter share={progress ? progress.done / progress.total : null} label={t.setup.accounts.submit} />
      )}
      {result && (
        <p role="status" className="text-sm">
          {t.setup.accounts.result(f.number(result.added), f.number(result.merged), f.number(result.refused))}
        </p>
      )}
    </Step>
  );
}
