import { X } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { useText } from "@/i18n";
import { cn } from "@/lib/cn";
import { IconButton } from "./button";
import { useOpener } from "./use-opener";

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: ReactNode;
  /** One sentence below the title. */
  description?: ReactNode;
  /** The buttons; the main one last. */
  footer?: ReactNode;
  size?: "sm" | "md" | "lg";
  /** From the side, for what belongs to a row of a list. */
  side?: boolean;
  children?: ReactNode;
}

const widths = { sm: "sm:max-w-md", md: "sm:max-w-xl", lg: "sm:max-w-3xl" };

/**
 * A dialog, or a drawer at the side. The veil is a plain element: Radix' own writes a style sheet into the page, which
 * the content security policy forbids. Nothing scrolls behind it, because only the page's main part scrolls.
 */
export function Dialog({
  open,
  onOpenChange,
  title,
  description,
  footer,
  size = "md",
  side,
  children,
}: Props) {
  const t = useText();
  const opener = useOpener();
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      <Radix.Portal>
        <div className="animate-appear fixed inset-0 z-40 bg-black/40 dark:bg-black/60" />
        <Radix.Content
          onOpenAutoFocus={(event) => {
            opener.keep();
            focusFirst(event);
          }}
          onCloseAutoFocus={opener.giveBack}
          {...(description ? {} : { "aria-describedby": undefined })}
          data-drawer={side || undefined}
          className={cn(
            "fixed z-40 flex flex-col bg-surface shadow-xl outline-none",
            side
              ? "animate-slide inset-y-0 right-0 w-full border-l sm:w-[min(94vw,40rem)]"
              : "animate-rise inset-x-0 bottom-0 mx-auto max-h-[94dvh] w-full rounded-t-xl border sm:inset-x-4 sm:top-[8dvh] sm:bottom-auto sm:max-h-[84dvh] sm:w-auto sm:rounded-xl",
            side || widths[size],
          )}
        >
          <header className="flex items-start gap-3 border-b px-4 py-3 sm:px-5">
            <div className="min-w-0 flex-1">
              <Radix.Title className="text-base font-semibold">{title}</Radix.Title>
              {description && (
                <Radix.Description className="mt-0.5 text-sm text-soft">{description}</Radix.Description>
              )}
            </div>
            <Radix.Close asChild>
              <IconButton label={t.common.close} icon={<X />} className="-mr-1.5" />
            </Radix.Close>
          </header>
          <div className="min-h-0 flex-1 overflow-y-auto px-4 py-4 sm:px-5">{children}</div>
          {footer && (
            <footer className="flex flex-wrap justify-end gap-2 border-t px-4 py-3 sm:px-5">{footer}</footer>
          )}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

/** The first field, or else the dialog itself: never the button that closes it. */
function focusFirst(event: Event): void {
  event.preventDefault();
  if (!(event.currentTarget instanceof HTMLElement)) return;
  const field = event.currentTarget.querySelector<HTMLElement>("input:not([type=hidden]), textarea, select");
  (field ?? event.currentTarget).focus();
}
