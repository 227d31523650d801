import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { parametersQuery, queryClient } from "@/api/queries";
import { settings } from "@/api/settings";
import { useText } from "@/i18n";
import { Field, Input } from "@/ui/field";
import type { StepProps } from ".";
import { Step } from "./step";

export function BaseUrlStep({ onDone }: StepProps) {
  const t = useText();
  const { data } = useQuery(parametersQuery);
  const present = data?.parameters.find(({ name }) => name === "base_url")?.value;
  const [typed, setTyped] = useState<string | null>(null);
  const value = typed ?? (present ? String(present) : location.origin);
  const save = useMutation({
    mutationFn: async () => {
      const { revision } = data ?? (await queryClient.fetchQuery(parametersQuery));
      queryClient.setQueryData(
        parametersQuery.queryKey,
        await settings.change({ base_url: value }, revision),
      );
    },
    onSuccess: onDone,
  });
  return (
    <Step
      title={t.setup.baseUrl.title}
      text={t.setup.baseUrl.text}
      submit={t.setup.baseUrl.submit}
      busy={save.isPending}
      error={save.error}
      onSubmit={() => save.mutate()}
    >
      <Field label={t.setup.baseUrl.label} hint={t.setup.baseUrl.invalid}>
        <Input
          className="h-10 font-mono"
          type="url"
          spellCheck={false}
          value={value}
          onChange={(event) => setTyped(event.target.value)}
        />
      </Field>
    </Step>
  );
}
