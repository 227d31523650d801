import { Switch as Radix } from "radix-ui";
import { type ComponentProps, type ReactNode, useEffect, useRef } from "react";
import { cn } from "@/lib/cn";
import { useField } from "./field";

interface CheckboxProps extends Omit<ComponentProps<"input">, "type"> {
  /** Some of what it stands for is chosen. */
  partly?: boolean;
}

export function Checkbox({ partly, className, ...rest }: CheckboxProps) {
  const ref = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (ref.current) ref.current.indeterminate = !!partly;
  }, [partly]);
  return (
    <input
      ref={ref}
      type="checkbox"
      className={cn("size-4 cursor-pointer align-middle accent-accent", className)}
      {...rest}
    />
  );
}

interface SwitchProps {
  checked: boolean;
  onChange: (checked: boolean) => void;
  disabled?: boolean;
  label?: string;
}

export function Switch({ checked, onChange, disabled, label }: SwitchProps) {
  return (
    <Radix.Root
      {...useField()}
      aria-label={label}
      checked={checked}
      onCheckedChange={onChange}
      disabled={disabled}
      className="inline-flex h-5 w-9 shrink-0 items-center rounded-full bg-strong p-0.5 transition-colors data-[state=checked]:bg-accent disabled:opacity-50"
    >
      <Radix.Thumb className="size-4 rounded-full bg-white shadow transition-transform data-[state=checked]:translate-x-4" />
    </Radix.Root>
  );
}

interface LabelledProps extends CheckboxProps {
  children: ReactNode;
}

/** A checkbox with its words beside it. */
export function CheckLine({ children, className, ...rest }: LabelledProps) {
  return (
    <label className={cn("flex cursor-pointer items-center gap-2 text-sm", className)}>
      <Checkbox {...rest} />
      <span className="min-w-0">{children}</span>
    </label>
  );
}
