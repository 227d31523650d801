import { ChevronDown, Search, X } from "lucide-react";
import { useEffect, useState } from "react";
import { type AccountFilter, type AccountPage, statuses, tiers } from "@/api/accounts";
import { useFormats, useText } from "@/i18n";
import { useDebounced } from "@/lib/use-debounced";
import { Button } from "@/ui/button";
import { Input } from "@/ui/field";
import { Menu, MenuCheck } from "@/ui/menu";

interface Props {
  filter: AccountFilter;
  page: AccountPage | undefined;
  onChange: (filter: AccountFilter) => void;
}

/** Search and filters; they stand in the address, so a view can be sent to a colleague. */
export function Filters({ filter, page, onChange }: Props) {
  const t = useText();
  const f = useFormats();
  const [text, setText] = useState(filter.search ?? "");
  const rested = useDebounced(text.trim());
  useEffect(() => setText(filter.search ?? ""), [filter.search]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only what was typed starts a search
  useEffect(() => {
    if (rested === text.trim() && rested !== (filter.search ?? "")) onChange({ search: rested || undefined });
  }, [rested]);
  const some = filter.search || filter.tier || filter.status || filter.tag;
  return (
    <div className="flex flex-wrap items-center gap-2 border-b px-4 py-2.5">
      <label className="relative min-w-48 flex-1 sm:max-w-72">
        <span className="sr-only">{t.accounts.search}</span>
        <Search aria-hidden className="absolute top-2 left-2.5 size-4 text-faint" />
        <Input
          type="search"
          className="pl-8"
          placeholder={t.accounts.search}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </label>
      <Several
        label={t.accounts.tier}
        chosen={filter.tier ?? []}
        choices={tiers.map((tier) => ({ value: tier, label: t.tier[tier], count: page?.tiers[tier] }))}
        onChange={(tier) => onChange({ tier: tier.length ? tier : undefined })}
        number={f.number.bind(f)}
      />
      <Several
        label={t.accounts.status}
        chosen={filter.status ?? []}
        choices={statuses.map((status) => ({
          value: status,
          label: t.status[status],
          count: page?.statuses[status],
        }))}
        onChange={(status) => onChange({ status: status.length ? status : undefined })}
        number={f.number.bind(f)}
      />
      {!!page?.tags.length && (
        <Several
          label={t.accounts.tags}
          chosen={filter.tag ?? []}
          choices={page.tags.map((tag) => ({ value: tag.name, label: tag.name, count: tag.accounts }))}
          onChange={(tag) => onChange({ tag: tag.length ? tag : undefined })}
          number={f.number.bind(f)}
        />
      )}
      {some && (
        <Button
          look="quiet"
          onClick={() => onChange({ search: undefined, tier: undefined, status: undefined, tag: undefined })}
        >
          <X />
          {t.common.clearFilters}
        </Button>
      )}
    </div>
  );
}

interface SeveralProps<T extends string> {
  label: string;
  chosen: readonly T[];
  choices: { value: T; label: string; count: number | undefined }[];
  onChange: (chosen: T[]) => void;
  number: (value: number) => string;
}

/** A filter of which several values may be chosen. */
function Several<T extends string>({ label, chosen, choices, onChange, number }: SeveralProps<T>) {
  return (
    <Menu
      align="start"
      trigger={
        <Button>
          {label}
          {chosen.length > 0 && (
            <span className="num rounded bg-accent-wash px-1 text-accent-ink">{chosen.length}</span>
          )}
          <ChevronDown className="text-faint" />
        </Button>
      }
    >
      {choices.map(({ value, label: name, count }) => (
        <MenuCheck
          key={value}
          checked={chosen.includes(value)}
          onChange={(on) => onChange(on ? [...chosen, value] : chosen.filter((one) => one !== value))}
        >
          <span className="flex-1">{name}</span>
          {count !== undefined && <span className="num pl-4 text-xs text-faint">{number(count)}</span>}
        </MenuCheck>
      ))}
    </Menu>
  );
}
