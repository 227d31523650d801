import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { keys } from "@/api/keys";
import { queryClient } from "@/api/queries";
import { useSession } from "@/app/session";
import { useText } from "@/i18n";
import { Field, Input } from "@/ui/field";
import { Secret } from "@/ui/secret";
import type { StepProps } from ".";
import { Step } from "./step";

interface Props extends StepProps {
  onSecret: (secret: string) => void;
}

export function KeyStep({ onDone, onSecret }: Props) {
  const t = useText();
  const exists = useSession()?.setup?.client_key;
  const [name, setName] = useState("");
  const create = useMutation({
    mutationFn: () => keys.create({ name }),
    onSuccess: ({ secret }) => {
      onSecret(secret);
      void queryClient.invalidateQueries({ queryKey: ["keys"] });
      void queryClient.invalidateQueries({ queryKey: ["system"] });
    },
  });
  if (create.data)
    return (
      <Step title={t.setup.key.title} text={t.setup.key.once} submit={t.setup.next} onSubmit={onDone}>
        <Secret value={create.data.secret} />
      </Step>
    );
  return (
    <Step
      title={t.setup.key.title}
      text={t.setup.key.text}
      submit={t.setup.key.submit}
      busy={create.isPending}
      error={create.error}
      onSubmit={() => create.mutate()}
    >
      <Field label={t.setup.key.label} hint={exists ? t.setup.key.isDone : undefined}>
        <Input
          className="h-10"
          required
          maxLength={128}
          placeholder={t.setup.key.example}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
      </Field>
    </Step>
  );
}
