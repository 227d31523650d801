import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { type Range, ranges } from "@/api/dashboard";
import { keysQuery, modelsQuery } from "@/api/queries";
import { type Outcome, outcomes } from "@/api/requests";
import type { RequestsSearch } from "@/app/search";
import { useText } from "@/i18n";
import { Button } from "@/ui/button";
import { Input, Select } from "@/ui/field";

interface Props {
  search: RequestsSearch;
  onChange: (change: Partial<RequestsSearch>) => void;
}

export function RequestFilters({ search, onChange }: Props) {
  const t = useText();
  const models = useQuery(modelsQuery);
  const keys = useQuery(keysQuery(true));
  const some = search.range || search.model || search.key || search.account || search.outcome;
  const known = models.data?.items.map(({ id }) => id) ?? [];
  return (
    <div className="flex flex-wrap items-center gap-2 border-b px-4 py-2.5">
      <Select
        className="w-auto"
        aria-label={t.dashboard.range}
        value={search.range ?? ""}
        onChange={(event) => onChange({ range: (event.target.value || undefined) as Range | undefined })}
      >
        <option value="">{t.requests.anyTime}</option>
        {ranges.map((range) => (
          <option key={range} value={range}>
            {t.requests.last(t.dashboard.ranges[range])}
          </option>
        ))}
      </Select>
      <Select
        className="w-auto"
        aria-label={t.requests.model}
        value={search.model ?? ""}
        onChange={(event) => onChange({ model: event.target.value || undefined })}
      >
        <option value="">{t.requests.anyModel}</option>
        {[...new Set([...known, ...(search.model ? [search.model] : [])])].map((model) => (
          <option key={model}>{model}</option>
        ))}
      </Select>
      <Select
        className="w-auto max-w-44"
        aria-label={t.requests.key}
        value={search.key ?? ""}
        onChange={(event) => onChange({ key: event.target.value || undefined })}
      >
        <option value="">{t.accounts.anyKey}</option>
        {keys.data?.items.map(({ id, spec }) => (
          <option key={id} value={id}>
            {spec.name}
          </option>
        ))}
      </Select>
      <Select
        className="w-auto"
        aria-label={t.requests.outcome}
        value={search.outcome ?? ""}
        onChange={(event) => onChange({ outcome: (event.target.value || undefined) as Outcome | undefined })}
      >
        <option value="">{t.requests.anyOutcome}</option>
        {outcomes.map((outcome) => (
          <option key={outcome} value={outcome}>
            {t.outcome[outcome]}
          </option>
        ))}
      </Select>
      <Input
        key={search.account}
        className="w-44 font-mono text-xs"
        aria-label={t.requests.accountId}
        placeholder={t.requests.accountId}
        defaultValue={search.account ?? ""}
        onBlur={(event) => {
          const account = event.target.value.trim() || undefined;
          if (account !== search.account) onChange({ account });
        }}
        onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
      />
      {some && (
        <Button
          look="quiet"
          onClick={() =>
            onChange({
              range: undefined,
              model: undefined,
              key: undefined,
              account: undefined,
              outcome: undefined,
            })
          }
        >
          <X />
          {t.common.clearFilters}
        </Button>
      )}
    </div>
  );
}
