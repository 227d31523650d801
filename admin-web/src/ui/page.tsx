import { type ReactNode, useEffect } from "react";
import { cn } from "@/lib/cn";

interface Props {
  title: string;
  description?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

/** A page of the console: its heading, what can be done, and the content. */
export function Page({ title, description, actions, children }: Props) {
  useEffect(() => {
    document.title = `${title} · grok2api`;
  }, [title]);
  return (
    <div className="mx-auto flex w-full max-w-[100rem] flex-col gap-4 p-4 pb-10 sm:p-6 sm:pb-12">
      <header className="flex flex-wrap items-center gap-x-4 gap-y-3">
        <div className="min-w-0 flex-1 max-sm:basis-full">
          <h1 className="text-lg font-semibold tracking-tight">{title}</h1>
          {description && <p className="text-sm text-soft">{description}</p>}
        </div>
        {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

interface PanelProps {
  title?: ReactNode;
  actions?: ReactNode;
  className?: string;
  /** Without space around: for tables. */
  flush?: boolean;
  children: ReactNode;
}

export function Panel({ title, actions, className, flush, children }: PanelProps) {
  return (
    <section className={cn("flex min-w-0 flex-col overflow-hidden rounded-lg border bg-surface", className)}>
      {title && (
        <header className="flex min-h-11 flex-wrap items-center justify-between gap-2 border-b px-4 py-1.5">
          <h2 className="text-sm font-semibold">{title}</h2>
          {actions}
        </header>
      )}
      {flush ? children : <div className="p-4">{children}</div>}
    </section>
  );
}

interface StatProps {
  label: string;
  value: ReactNode;
  /** A line below. */
  detail?: ReactNode;
  tone?: "bad" | "warn";
}

/** One number that matters. */
export function Stat({ label, value, detail, tone }: StatProps) {
  return (
    <div className="flex min-w-0 flex-col rounded-lg border bg-surface px-4 py-3">
      <dt className="truncate text-xs font-medium text-soft">{label}</dt>
      <dd
        className={cn(
          "num mt-1 truncate text-xl font-semibold tracking-tight",
          tone === "bad" && "text-bad",
          tone === "warn" && "text-warn",
        )}
      >
        {value}
      </dd>
      <dd className="min-h-4 truncate text-xs text-faint">{detail}</dd>
    </div>
  );
}

export const Stats = ({ children }: { children: ReactNode }) => (
  <dl className="grid grid-cols-2 gap-3 md:grid-cols-3 xl:grid-cols-6">{children}</dl>
);

/** Names and values below each other. */
export function Facts({ items }: { items: [string, ReactNode][] }) {
  return (
    <dl className="grid grid-cols-[minmax(6rem,auto)_1fr] items-baseline gap-x-6 gap-y-1.5 text-sm">
      {items.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-soft">{name}</dt>
          <dd className="min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
