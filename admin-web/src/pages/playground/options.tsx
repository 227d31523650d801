import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { modelsQuery } from "@/api/queries";
import { useText } from "@/i18n";
import { Field, Input, Select } from "@/ui/field";

export interface Asking {
  model: string;
  /** `null`: the session. */
  secret: string | null;
}

interface Props {
  asking: Asking;
  onChange: (asking: Asking) => void;
  video: boolean;
  children?: ReactNode;
}

/** Which model is asked, and as whom. */
export function Options({ asking, onChange, video, children }: Props) {
  const t = useText();
  const models = useQuery(modelsQuery);
  return (
    <div className="flex flex-col gap-4">
      <Field label={t.playground.model}>
        <Select value={asking.model} onChange={(event) => onChange({ ...asking, model: event.target.value })}>
          {models.data?.items
            .filter((model) => model.video === video)
            .map(({ id }) => (
              <option key={id}>{id}</option>
            ))}
        </Select>
      </Field>
      <Field label={t.playground.as}>
        <Select
          value={asking.secret === null ? "session" : "key"}
          onChange={(event) => onChange({ ...asking, secret: event.target.value === "key" ? "" : null })}
        >
          <option value="session">{t.playground.asSession}</option>
          <option value="key">{t.playground.asKey}</option>
        </Select>
      </Field>
      {asking.secret !== null && (
        <Field label={t.playground.keySecret} hint={t.playground.keyHint}>
          <Input
            type="password"
            autoComplete="off"
            className="font-mono"
            placeholder="sk-g2a-…"
            value={asking.secret}
            onChange={(event) => onChange({ ...asking, secret: event.target.value })}
          />
        </Field>
      )}
      {children}
    </div>
  );
}
