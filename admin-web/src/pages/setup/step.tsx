import type { FormEvent, ReactNode } from "react";
import { Button } from "@/ui/button";
import { ProblemText } from "@/ui/problem";

interface Props {
  title: string;
  text: string;
  submit: string;
  busy?: boolean;
  error?: unknown;
  onSubmit: () => void;
  children?: ReactNode;
}

/** One step: what it is for, its fields, one button. */
export function Step({ title, text, submit, busy, error, onSubmit, children }: Props) {
  const send = (event: FormEvent) => {
    event.preventDefault();
    onSubmit();
  };
  return (
    <form onSubmit={send} className="flex flex-col gap-4">
      <div>
        <h1 className="text-xl font-semibold tracking-tight">{title}</h1>
        <p className="mt-1 text-sm text-soft">{text}</p>
      </div>
      {children}
      {!!error && <ProblemText error={error} />}
      <div>
        <Button type="submit" look="primary" size="lg" busy={busy}>
          {submit}
        </Button>
      </div>
    </form>
  );
}
