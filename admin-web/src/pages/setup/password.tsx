import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { queryClient, sessionQuery } from "@/api/queries";
import { session } from "@/api/session";
import { typedPassword, useSession } from "@/app/session";
import { useText } from "@/i18n";
import { Field, Input } from "@/ui/field";
import type { StepProps } from ".";
import { Step } from "./step";

export function PasswordStep({ onDone }: StepProps) {
  const t = useText();
  const known = typedPassword.take();
  const current = useSession();
  const [old, setOld] = useState(known);
  const [fresh, setFresh] = useState("");
  const [repeat, setRepeat] = useState("");
  const [wrong, setWrong] = useState<string | null>(null);
  const save = useMutation({
    mutationFn: () => session.setPassword(old, fresh),
    onSuccess: async () => {
      typedPassword.forget();
      await queryClient.fetchQuery({ ...sessionQuery, staleTime: 0 });
      onDone();
    },
  });
  const submit = () => {
    if (fresh.length < 8) setWrong(t.setup.password.short);
    else if (fresh !== repeat) setWrong(t.setup.password.differ);
    else {
      setWrong(null);
      save.mutate();
    }
  };
  return (
    <Step
      title={t.setup.password.title}
      text={t.setup.password.text}
      submit={t.setup.password.submit}
      busy={save.isPending}
      error={save.error}
      onSubmit={submit}
    >
      <input type="hidden" autoComplete="username" value={current?.admin.name ?? ""} readOnly />
      {!known && (
        <Field label={t.setup.password.current}>
          <Input
            className="h-10"
            type="password"
            autoComplete="current-password"
            required
            value={old}
            onChange={(event) => setOld(event.target.value)}
          />
        </Field>
      )}
      <Field label={t.setup.password.fresh}>
        <Input
          className="h-10"
          type="password"
          autoComplete="new-password"
          required
          value={fresh}
          onChange={(event) => setFresh(event.target.value)}
        />
      </Field>
      <Field label={t.setup.password.repeat} error={wrong}>
        <Input
          className="h-10"
          type="password"
          autoComplete="new-password"
          required
          value={repeat}
          onChange={(event) => setRepeat(event.target.value)}
        />
      </Field>
    </Step>
  );
}
