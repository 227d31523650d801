import { cva, type VariantProps } from "class-variance-authority";
import { Slot } from "radix-ui";
import type { ComponentProps, ReactNode } from "react";
import { cn } from "@/lib/cn";
import { Tooltip } from "./tooltip";

const looks = cva(
  "inline-flex shrink-0 items-center justify-center gap-1.5 whitespace-nowrap rounded-md font-medium transition-colors select-none disabled:opacity-50 [&_svg]:size-4 [&_svg]:shrink-0",
  {
    variants: {
      look: {
        primary: "bg-accent text-on-accent hover:not-disabled:bg-accent-ink",
        plain:
          "border border-line bg-surface text-ink hover:not-disabled:border-strong hover:not-disabled:bg-sunken",
        quiet: "text-soft hover:not-disabled:bg-sunken hover:not-disabled:text-ink",
        danger: "bg-bad-fill text-white hover:not-disabled:brightness-110",
      },
      size: { sm: "h-7 px-2 text-xs", md: "h-8 px-3 text-sm", lg: "h-10 px-4 text-sm" },
    },
    defaultVariants: { look: "plain", size: "md" },
  },
);

interface Props extends ComponentProps<"button">, VariantProps<typeof looks> {
  /** Renders the child with the button's looks: for links. */
  asChild?: boolean;
  /** Work is under way; the width stays. */
  busy?: boolean;
}

export function Button({ look, size, asChild, busy, className, disabled, children, ...rest }: Props) {
  if (asChild)
    return (
      <Slot.Root className={cn(looks({ look, size }), className)} {...rest}>
        {children}
      </Slot.Root>
    );
  return (
    <button
      type="button"
      className={cn(looks({ look, size }), busy && "animate-breathe", className)}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      {...rest}
    >
      {children}
    </button>
  );
}

interface IconProps extends Omit<Props, "children"> {
  /** What it does: its name for assistive technology and its tooltip. */
  label: string;
  icon: ReactNode;
}

export function IconButton({ label, icon, className, size = "md", look = "quiet", ...rest }: IconProps) {
  return (
    <Tooltip text={label}>
      <Button
        aria-label={label}
        look={look}
        size={size}
        className={cn("aspect-square px-0", className)}
        {...rest}
      >
        {icon}
      </Button>
    </Tooltip>
  );
}
