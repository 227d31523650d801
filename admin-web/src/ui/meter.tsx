import { cn } from "@/lib/cn";

interface Props {
  /** From 0 to 1; `null` while unknown. */
  share: number | null;
  label: string;
  tone?: "accent" | "good" | "warn" | "bad";
  className?: string;
}

const fills = { accent: "bg-accent", good: "bg-good", warn: "bg-warn", bad: "bg-bad" };

/** A bar that is filled by a share: progress, quota, budget. */
export function Meter({ share, label, tone = "accent", className }: Props) {
  const percent = share === null ? null : Math.round(Math.min(1, Math.max(0, share)) * 100);
  return (
    <span
      role="progressbar"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent ?? undefined}
      aria-label={label}
      className={cn("block h-1.5 w-full overflow-hidden rounded-full bg-line", className)}
    >
      <span
        className={cn(
          "block h-full rounded-full transition-[width] duration-200",
          fills[tone],
          percent === null && "animate-breathe w-full opacity-30",
        )}
        style={percent === null ? undefined : { width: `${percent}%` }}
      />
    </span>
  );
}
