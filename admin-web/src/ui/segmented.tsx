import type { ReactNode } from "react";

interface Props<T extends string> {
  value: T;
  onChange: (value: T) => void;
  label: string;
  items: { value: T; label: ReactNode }[];
}

/** A few choices side by side, one of which holds. */
export function Segmented<T extends string>({ value, onChange, label, items }: Props<T>) {
  return (
    <fieldset
      aria-label={label}
      className="inline-flex max-w-full min-w-0 self-start overflow-x-auto rounded-md border bg-sunken p-0.5"
    >
      {items.map((item) => (
        <button
          key={item.value}
          type="button"
          aria-pressed={item.value === value}
          onClick={() => onChange(item.value)}
          className="h-6.5 rounded px-2.5 text-xs font-medium whitespace-nowrap text-soft -outline-offset-2 hover:text-ink aria-pressed:bg-surface aria-pressed:text-ink aria-pressed:shadow-xs"
        >
          {item.label}
        </button>
      ))}
    </fieldset>
  );
}
