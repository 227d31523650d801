import { Tabs as Radix } from "radix-ui";
import type { ReactNode } from "react";

interface Props<T extends string> {
  value: T;
  onChange: (value: T) => void;
  label: string;
  items: { value: T; label: ReactNode }[];
  children?: ReactNode;
}

export function Tabs<T extends string>({ value, onChange, label, items, children }: Props<T>) {
  return (
    <Radix.Root value={value} onValueChange={(next) => onChange(next as T)} className="flex min-h-0 flex-col">
      <Radix.List aria-label={label} className="flex gap-3 overflow-x-auto shadow-[inset_0_-1px_var(--line)]">
        {items.map((item) => (
          <Radix.Trigger
            key={item.value}
            value={item.value}
            className="rounded-t-sm border-b-2 -outline-offset-2 border-transparent px-1 pt-1 pb-2 text-sm font-medium whitespace-nowrap text-soft hover:text-ink data-[state=active]:border-accent data-[state=active]:text-ink"
          >
            {item.label}
          </Radix.Trigger>
        ))}
      </Radix.List>
      {children}
    </Radix.Root>
  );
}

interface PanelProps {
  value: string;
  /** Stays alive while another one is shown, so that nothing typed is lost. */
  keep?: boolean;
  children: ReactNode;
}

export const TabPanel = ({ value, keep, children }: PanelProps) => (
  <Radix.Content
    value={value}
    forceMount={keep || undefined}
    className="pt-4 outline-none data-[state=inactive]:hidden"
  >
    {children}
  </Radix.Content>
);
