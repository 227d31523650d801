import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queryClient } from "@/api/queries";
import { useText } from "@/i18n";
import { Button } from "@/ui/button";
import { CodeBlock } from "@/ui/code";
import { Dialog } from "@/ui/dialog";
import { explain, ProblemText } from "@/ui/problem";
import { Secret } from "@/ui/secret";
import { KeyForm } from "./form";
import { emptySpec, toDraft, toSpec } from "./spec";

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

/** A new key; afterwards its secret, this once. */
export function CreateDialog({ open, onOpenChange }: Props) {
  const t = useText();
  const [draft, setDraft] = useState(() => toDraft(emptySpec));
  const create = useMutation({
    mutationFn: () => keys.create(toSpec(draft)),
    onSuccess: () => {
      void queryClient.invalidateQueries({ queryKey: ["keys"] });
      void queryClient.invalidateQueries({ queryKey: ["system"] });
    },
  });
  const change = (next: boolean) => {
    onOpenChange(next);
    if (!next) {
      create.reset();
      setDraft(toDraft(emptySpec));
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  const made = create.data;
  const error = create.error && asApiError(create.error);
  return (
    <Dialog
      open={open}
      onOpenChange={change}
      title={made ? t.keys.made(made.key.spec.name) : t.keys.create}
      description={made ? t.keys.once : t.keys.createText}
      footer={
        made ? (
          <Button look="primary" onClick={() => change(false)}>
            {t.keys.kept}
          </Button>
        ) : (
          <>
            <Button onClick={() => change(false)}>{t.common.cancel}</Button>
            <Button look="primary" type="submit" form="create-key" busy={create.isPending}>
              {t.keys.create}
            </Button>
          </>
        )
      }
    >
      {made ? (
        <div className="flex flex-col gap-4">
          <Secret value={made.secret} />
          <CodeBlock
            title="curl"
            code={`curl ${location.origin}/v1/models \\\n  -H 'Authorization: Bearer ${made.secret}'`}
          />
        </div>
      ) : (
        <form id="create-key" onSubmit={submit} className="flex flex-col gap-4">
          <KeyForm
            draft={draft}
            onChange={setDraft}
            wrong={error ? { param: error.param, message: explain(error, t) } : undefined}
          />
          {error && <ProblemText error={error} />}
        </form>
      )}
    </Dialog>
  );
}
