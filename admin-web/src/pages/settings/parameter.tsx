import { RotateCcw } from "lucide-react";
import type { Parameter, Value } from "@/api/settings";
import { useText } from "@/i18n";
import { Badge } from "@/ui/badge";
import { IconButton } from "@/ui/button";
import { Switch } from "@/ui/check";
import { Field, Input, Select } from "@/ui/field";
import { type Draft, shown } from "./draft";

interface Props {
  parameter: Parameter;
  draft: Draft;
  error: string | null;
  disabled: boolean;
  onChange: (value: Value | null) => void;
}

/** One parameter: what it means, its value, the way back to its default. */
export function ParameterRow({ parameter, draft, error, disabled, onChange }: Props) {
  const t = useText();
  const { name, secret, min, max } = parameter;
  const changed = name in draft;
  const returns = draft[name] === null;
  const away = changed ? !returns : secret ? parameter.is_set : parameter.overridden;
  const texts: Record<string, string> = t.parameters;
  return (
    <div
      className="grid gap-x-8 gap-y-2 px-4 py-3.5 md:grid-cols-[minmax(0,1fr)_20rem]"
      data-parameter={name}
    >
      <div className="min-w-0">
        <p className="flex flex-wrap items-center gap-2">
          <span className="font-mono text-sm font-medium">{name}</span>
          {changed && <Badge tone="accent">{t.settings.changed}</Badge>}
        </p>
        <p className="mt-0.5 text-sm text-soft">
          {texts[name] ?? parameter.description}
          {texts[name] && min !== null && max !== null && ` ${t.settings.between(min, max)}`}
        </p>
        {!secret && (
          <p className="mt-0.5 text-xs break-all text-faint">
            {t.settings.defaultIs(shortened(parameter.default, t.settings.nothing))}
          </p>
        )}
      </div>
      <div className="flex items-start gap-1">
        <div className="min-w-0 flex-1">
          <Field
            label={<span className="sr-only">{name}</span>}
            error={error}
            hint={secret ? hintOf(parameter, t.settings) : undefined}
          >
            <Control parameter={parameter} draft={draft} disabled={disabled} onChange={onChange} />
          </Field>
        </div>
        <IconButton
          label={t.settings.toDefault}
          icon={<RotateCcw />}
          className="mt-1"
          disabled={disabled || !away}
          onClick={() => onChange(null)}
        />
      </div>
    </div>
  );
}

interface ControlProps extends Omit<Props, "error"> {}

function Control({ parameter, draft, disabled, onChange }: ControlProps) {
  const t = useText();
  const value = shown(parameter, draft);
  if (parameter.kind === "boolean")
    return (
      <span className="flex h-8 items-center">
        <Switch checked={value === true} onChange={onChange} disabled={disabled} />
      </span>
    );
  if (parameter.choices.length)
    return (
      <Select disabled={disabled} value={String(value)} onChange={(event) => onChange(event.target.value)}>
        {parameter.choices.map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </Select>
    );
  if (parameter.kind === "integer")
    return (
      <Input
        type="number"
        step={1}
        min={parameter.min ?? undefined}
        max={parameter.max ?? undefined}
        disabled={disabled}
        value={String(value)}
        onChange={(event) => onChange(event.target.value === "" ? "" : Number(event.target.value))}
      />
    );
  return (
    <Input
      type={parameter.secret ? "password" : "text"}
      autoComplete={parameter.secret ? "new-password" : "off"}
      spellCheck={false}
      className="font-mono text-xs"
      placeholder={parameter.secret && parameter.is_set ? t.settings.secretSet : undefined}
      disabled={disabled}
      value={String(value)}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

function hintOf({ is_set }: Parameter, words: { secretIsSet: string; secretIsUnset: string }): string {
  return is_set ? words.secretIsSet : words.secretIsUnset;
}

const LONG = 60;
function shortened(value: Value, nothing: string): string {
  const text = String(value);
  if (!text) return nothing;
  return text.length > LONG ? `${text.slice(0, LONG)}…` : text;
}
