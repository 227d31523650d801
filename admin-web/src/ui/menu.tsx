import { DropdownMenu as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { cn } from "@/lib/cn";

interface Props {
  trigger: ReactNode;
  align?: "start" | "end";
  children: ReactNode;
}

/** Not modal: the modal kind writes a style sheet into the page, which the content security policy forbids. */
export function Menu({ trigger, align = "end", children }: Props) {
  return (
    <Radix.Root modal={false}>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content
          align={align}
          sideOffset={4}
          collisionPadding={8}
          className="animate-appear z-50 max-h-[70dvh] min-w-44 overflow-y-auto rounded-lg border bg-surface p-1 shadow-lg"
        >
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

interface ItemProps {
  onSelect: () => void;
  disabled?: boolean;
  danger?: boolean;
  children: ReactNode;
}

const row =
  "flex cursor-pointer items-center gap-2 rounded-md px-2 py-1.5 text-sm outline-none select-none data-[disabled]:cursor-default data-[disabled]:opacity-50 data-[highlighted]:bg-sunken [&_svg]:size-4 [&_svg]:text-faint";

export function MenuItem({ onSelect, disabled, danger, children }: ItemProps) {
  return (
    <Radix.Item
      onSelect={onSelect}
      disabled={disabled}
      className={cn(row, danger && "text-bad [&_svg]:text-bad")}
    >
      {children}
    </Radix.Item>
  );
}

interface CheckProps {
  checked: boolean;
  onChange: (checked: boolean) => void;
  children: ReactNode;
}

/** Stays open, so that several can be chosen. */
export function MenuCheck({ checked, onChange, children }: CheckProps) {
  return (
    <Radix.CheckboxItem
      checked={checked}
      onCheckedChange={onChange}
      onSelect={(event) => event.preventDefault()}
      className={row}
    >
      <span
        aria-hidden
        className="grid size-4 place-items-center rounded border border-strong text-xs leading-none text-on-accent [[data-state=checked]>&]:border-accent [[data-state=checked]>&]:bg-accent"
      >
        <Radix.ItemIndicator>✓</Radix.ItemIndicator>
      </span>
      {children}
    </Radix.CheckboxItem>
  );
}

export const MenuLabel = ({ children }: { children: ReactNode }) => (
  <Radix.Label className="px-2 pt-1.5 pb-1 text-2xs font-medium tracking-wide text-faint uppercase">
    {children}
  </Radix.Label>
);
export const MenuLine = () => <Radix.Separator className="my-1 h-px bg-line" />;
