import { cn } from "@/lib/cn";

/** Keeps the place of what is being loaded. */
export function Skeleton({ className }: { className?: string }) {
  return <span aria-hidden className={cn("animate-breathe block h-4 rounded bg-sunken", className)} />;
}
