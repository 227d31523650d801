import { useQuery } from "@tanstack/react-query";
import { Plus, Trash2 } from "lucide-react";
import { budgetPeriods, budgetUnits, type KeyLimits } from "@/api/keys";
import { modelsQuery } from "@/api/queries";
import { useText } from "@/i18n";
import { Button, IconButton } from "@/ui/button";
import { CheckLine } from "@/ui/check";
import { Field, Input, Select, Textarea } from "@/ui/field";
import type { Draft } from "./spec";

interface Props {
  draft: Draft;
  onChange: (draft: Draft) => void;
  /** The field the server has refused, and why. */
  wrong?: { param: string | null; message: string };
}

const limits: (keyof KeyLimits)[] = ["requests_per_minute", "tokens_per_minute", "concurrency"];

export function KeyForm({ draft, onChange, wrong }: Props) {
  const t = useText();
  const models = useQuery(modelsQuery);
  const set = (change: Partial<Draft>) => onChange({ ...draft, ...change });
  const error = (name: string) => (wrong?.param?.startsWith(name) ? wrong.message : null);
  return (
    <div className="flex flex-col gap-5">
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label={t.keys.name} error={error("name")}>
          <Input
            required
            maxLength={128}
            placeholder={t.setup.key.example}
            value={draft.name}
            onChange={(event) => set({ name: event.target.value })}
          />
        </Field>
        <Field label={t.keys.expires} hint={t.keys.expiresHint} error={error("expires")}>
          <Input
            type="datetime-local"
            value={draft.expires}
            onChange={(event) => set({ expires: event.target.value })}
          />
        </Field>
      </div>
      <fieldset>
        <legend className="text-xs font-medium text-soft">{t.keys.models}</legend>
        <p className="mb-2 text-xs text-faint">{t.keys.modelsHint}</p>
        <div className="grid gap-1.5 sm:grid-cols-2">
          {models.data?.items.map(({ id }) => (
            <CheckLine
              key={id}
              checked={draft.models.includes(id)}
              onChange={(event) =>
                set({
                  models: event.target.checked
                    ? [...draft.models, id]
                    : draft.models.filter((model) => model !== id),
                })
              }
            >
              <span className="font-mono text-xs">{id}</span>
            </CheckLine>
          ))}
        </div>
      </fieldset>
      <fieldset>
        <legend className="mb-2 text-xs font-medium text-soft">{t.keys.limits}</legend>
        <div className="grid gap-4 sm:grid-cols-3">
          {limits.map((name) => (
            <Field key={name} label={t.keys.limitNames[name]} error={error(`limits.${name}`)}>
              <Input
                type="number"
                min={1}
                placeholder={t.common.unlimited}
                value={draft.limits[name]}
                onChange={(event) => set({ limits: { ...draft.limits, [name]: event.target.value } })}
              />
            </Field>
          ))}
        </div>
      </fieldset>
      <Budgets draft={draft} set={set} error={error("budgets")} />
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label={t.keys.addresses} hint={t.keys.addressesHint} error={error("addresses")}>
          <Textarea
            className="min-h-16 font-mono text-xs"
            placeholder={"192.0.2.0/24"}
            value={draft.addresses}
            onChange={(event) => set({ addresses: event.target.value })}
          />
        </Field>
        <Field label={t.keys.tags} hint={t.keys.tagsHint} error={error("account_tags")}>
          <Textarea
            className="min-h-16"
            value={draft.tags}
            onChange={(event) => set({ tags: event.target.value })}
          />
        </Field>
      </div>
      <Field label={t.accounts.note} error={error("note")}>
        <Input maxLength={2048} value={draft.note} onChange={(event) => set({ note: event.target.value })} />
      </Field>
      <CheckLine checked={draft.disabled} onChange={(event) => set({ disabled: event.target.checked })}>
        {t.keys.disabled}
      </CheckLine>
    </div>
  );
}

interface BudgetsProps {
  draft: Draft;
  set: (change: Partial<Draft>) => void;
  error: string | null;
}

function Budgets({ draft, set, error }: BudgetsProps) {
  const t = useText();
  const change = (id: number, part: Partial<Draft["budgets"][number]>) =>
    set({ budgets: draft.budgets.map((budget) => (budget.id === id ? { ...budget, ...part } : budget)) });
  const add = () => {
    const id = Math.max(0, ...draft.budgets.map((budget) => budget.id)) + 1;
    set({ budgets: [...draft.budgets, { id, unit: "units", period: "day", amount: "" }] });
  };
  return (
    <fieldset>
      <legend className="mb-2 text-xs font-medium text-soft">{t.keys.budgets}</legend>
      <div className="flex flex-col gap-2">
        {draft.budgets.map((budget) => (
          <div key={budget.id} className="flex items-center gap-2">
            <Input
              type="number"
              min={1}
              className="w-32"
              aria-label={t.keys.amount}
              placeholder={t.keys.amount}
              value={budget.amount}
              onChange={(event) => change(budget.id, { amount: event.target.value })}
            />
            <Select
              aria-label={t.keys.unit}
              value={budget.unit}
              onChange={(event) => change(budget.id, { unit: event.target.value as typeof budget.unit })}
            >
              {budgetUnits.map((unit) => (
                <option key={unit} value={unit}>
                  {t.keys.units[unit]}
                </option>
              ))}
            </Select>
            <Select
              aria-label={t.keys.period}
              value={budget.period}
              onChange={(event) => change(budget.id, { period: event.target.value as typeof budget.period })}
            >
              {budgetPeriods.map((period) => (
                <option key={period} value={period}>
                  {t.keys.periods[period]}
                </option>
              ))}
            </Select>
            <IconButton
              label={t.common.delete}
              icon={<Trash2 />}
              onClick={() => set({ budgets: draft.budgets.filter(({ id }) => id !== budget.id) })}
            />
          </div>
        ))}
        {error && (
          <p role="alert" className="text-xs text-bad">
            {error}
          </p>
        )}
        <div>
          <Button size="sm" onClick={add}>
            <Plus />
            {t.keys.addBudget}
          </Button>
        </div>
      </div>
    </fieldset>
  );
}
