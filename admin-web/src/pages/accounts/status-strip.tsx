import { type AccountPage, type Status, statuses } from "@/api/accounts";
import { useFormats, useText } from "@/i18n";
import { cn } from "@/lib/cn";
import { Skeleton } from "@/ui/skeleton";
import { statusTones } from "@/ui/status";

interface Props {
  page: AccountPage | undefined;
  chosen: Status[] | undefined;
  onChoose: (status: Status[] | undefined) => void;
}

const dots = { good: "bg-good", warn: "bg-warn", bad: "bg-bad", accent: "bg-accent", neutral: "bg-faint" };

/** How many accounts are in which state; a click shows those. */
export function StatusStrip({ page, chosen, onChoose }: Props) {
  const t = useText();
  const f = useFormats();
  // As the states beside it: of all that match the other filters.
  const all = page && Object.values(page.statuses).reduce((sum, accounts) => sum + accounts, 0);
  return (
    <fieldset className="grid grid-cols-3 gap-2 sm:grid-cols-4 lg:grid-cols-7">
      <legend className="sr-only">{t.accounts.status}</legend>
      <Tile
        label={t.common.all}
        className="max-sm:col-span-full sm:max-lg:col-span-2"
        value={all === undefined ? undefined : f.number(all)}
        pressed={!chosen}
        onClick={() => onChoose(undefined)}
      />
      {statuses.map((status) => (
        <Tile
          key={status}
          label={t.status[status]}
          dot={dots[statusTones[status]]}
          value={page && f.number(page.statuses[status] ?? 0)}
          pressed={chosen?.length === 1 && chosen[0] === status}
          onClick={() => onChoose([status])}
        />
      ))}
      <dl className="col-span-full grid grid-cols-3 gap-x-6 gap-y-1 px-1 text-xs sm:flex">
        <Fact name={t.accounts.unused} value={page && f.number(page.unused)} />
        {["normal", "heavy"].map((name) => {
          const sum = page?.quotas.find((one) => one.class === name);
          return (
            <Fact
              key={name}
              name={t.accounts.remaining[name] ?? name}
              value={page && f.number(sum?.remaining ?? 0)}
              detail={page && t.accounts.knownOf(f.number(sum?.accounts ?? 0))}
            />
          );
        })}
      </dl>
    </fieldset>
  );
}

/** What the whole pool has, in a line below the states. */
function Fact({ name, value, detail }: { name: string; value: string | undefined; detail?: string }) {
  return (
    <div className="flex flex-wrap content-start items-baseline gap-x-1.5">
      <dt className="text-soft">{name}</dt>
      <dd className="num font-medium">{value ?? "…"}</dd>
      {detail && <dd className="num text-faint">{detail}</dd>}
    </div>
  );
}

interface TileProps {
  label: string;
  value: string | undefined;
  dot?: string;
  pressed: boolean;
  onClick: () => void;
  className?: string;
}

function Tile({ label, value, dot, pressed, onClick, className }: TileProps) {
  return (
    <button
      type="button"
      aria-pressed={pressed}
      onClick={onClick}
      className={cn(
        "flex flex-col items-start rounded-lg border bg-surface px-3 py-2 text-left hover:border-strong aria-pressed:border-accent aria-pressed:bg-accent-wash",
        className,
      )}
    >
      <span className="flex items-center gap-1.5 text-xs text-soft">
        {dot && <span aria-hidden className={cn("size-1.5 rounded-full", dot)} />}
        {label}
      </span>
      <span className="num text-base font-semibold">{value ?? <Skeleton className="my-1 w-10" />}</span>
    </button>
  );
}
