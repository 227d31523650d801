import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { accounts, type Verdict } from "@/api/accounts";
import { keysQuery, modelsQuery } from "@/api/queries";
import { useFormats, useText } from "@/i18n";
import { useNow } from "@/lib/use-now";
import { Badge } from "@/ui/badge";
import { Dialog } from "@/ui/dialog";
import { Field, Select } from "@/ui/field";
import { Problem } from "@/ui/problem";
import { Skeleton } from "@/ui/skeleton";
import { TierBadge } from "@/ui/status";

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

const SHOWN = 50;

/** Which account would serve a model and key now, and why not the others. */
export function ExplainDialog({ open, onOpenChange }: Props) {
  const t = useText();
  const f = useFormats();
  const models = useQuery({ ...modelsQuery, enabled: open });
  const keys = useQuery({ ...keysQuery(false), enabled: open });
  const [chosen, setModel] = useState("");
  const [key, setKey] = useState("");
  const model = chosen || models.data?.items[0]?.id || "";
  const { data, error, refetch } = useQuery({
    queryKey: ["explain", model, key],
    queryFn: ({ signal }) => accounts.explain(model, key || undefined, SHOWN, signal),
    enabled: open && !!model,
    refetchInterval: 3000,
    placeholderData: keepPreviousData,
  });
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      size="lg"
      title={t.accounts.explainTitle}
      description={t.accounts.explainText}
    >
      <div className="grid grid-cols-2 gap-3">
        <Field label={t.requests.model}>
          <Select value={model} onChange={(event) => setModel(event.target.value)}>
            {models.data?.items.map(({ id }) => (
              <option key={id} value={id}>
                {id}
              </option>
            ))}
          </Select>
        </Field>
        <Field label={t.requests.key}>
          <Select value={key} onChange={(event) => setKey(event.target.value)}>
            <option value="">{t.accounts.anyKey}</option>
            {keys.data?.items.map(({ id, spec }) => (
              <option key={id} value={id}>
                {spec.name}
              </option>
            ))}
          </Select>
        </Field>
      </div>
      <div className="mt-4 min-h-72">
        {error && !data ? (
          <Problem error={error} onRetry={() => void refetch()} />
        ) : !data ? (
          <Skeleton className="h-40" />
        ) : (
          <>
            <p className="text-sm">
              {t.accounts.eligible(
                f.number(data.eligible),
                f.number(data.accounts),
                f.number(data.cost),
                data.class,
              )}
            </p>
            {data.key_refusal && (
              <p className="mt-2 rounded-md bg-bad-wash px-3 py-2 text-sm text-bad">{data.key_refusal}</p>
            )}
            {data.refusal && (
              <p className="mt-2 rounded-md bg-warn-wash px-3 py-2 text-sm text-warn">
                {data.refusal.message} <code className="font-mono text-xs">{data.refusal.code}</code>
              </p>
            )}
            {data.reasons.length > 0 && (
              <p className="mt-3 flex flex-wrap gap-1.5">
                {data.reasons.map(({ reason, accounts: count }) => (
                  <Badge key={reason}>
                    {t.accounts.reasons[reason]} <span className="num">{f.number(count)}</span>
                  </Badge>
                ))}
              </p>
            )}
            <ol className="mt-3 divide-y rounded-lg border">
              {data.verdicts.map((verdict, index) => (
                <VerdictLine key={verdict.account_id} verdict={verdict} place={index + 1} />
              ))}
            </ol>
          </>
        )}
      </div>
    </Dialog>
  );
}

function VerdictLine({ verdict, place }: { verdict: Verdict; place: number }) {
  const t = useText();
  const f = useFormats();
  const now = useNow();
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-1 px-3 py-2 text-sm">
      <span className="num w-6 text-right text-xs text-faint">{verdict.reason === null ? place : "–"}</span>
      <span className="font-mono text-xs">{verdict.token}</span>
      <TierBadge tier={verdict.tier} />
      {verdict.reason === null ? (
        <Badge tone="good">{place === 1 ? t.accounts.wouldServe : t.accounts.mayServe}</Badge>
      ) : (
        <Badge tone="warn">{t.accounts.reasons[verdict.reason]}</Badge>
      )}
      <span className="num ml-auto text-xs text-soft">
        {verdict.until !== null && verdict.reason !== null
          ? t.accounts.ends(f.until(verdict.until, now))
          : verdict.reason !== "tier_too_low" &&
            t.accounts.canGive(
              verdict.available === null ? null : f.number(verdict.available),
              f.number(verdict.in_flight),
            )}
      </span>
      {verdict.cause && <span className="w-full pl-9 text-xs break-words text-faint">{verdict.cause}</span>}
    </li>
  );
}
