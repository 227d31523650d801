import type { ReactNode } from "react";
import { cn } from "@/lib/cn";

export type Tone = "good" | "warn" | "bad" | "accent" | "neutral";

const tones: Record<Tone, string> = {
  good: "bg-good-wash text-good",
  warn: "bg-warn-wash text-warn",
  bad: "bg-bad-wash text-bad",
  // Seen on a row that is selected, too.
  accent: "bg-accent-wash text-accent-ink inset-ring inset-ring-accent/25",
  neutral: "bg-sunken text-soft",
};

interface Props {
  tone?: Tone;
  /** A dot before the text: for a state rather than a property. */
  dot?: boolean;
  className?: string;
  children: ReactNode;
}

export function Badge({ tone = "neutral", dot, className, children }: Props) {
  return (
    <span
      className={cn(
        "inline-flex items-center gap-1.5 rounded px-1.5 py-px text-xs font-medium whitespace-nowrap",
        tones[tone],
        className,
      )}
    >
      {dot && <span aria-hidden className="size-1.5 rounded-full bg-current" />}
      {children}
    </span>
  );
}
