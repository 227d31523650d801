import { type ComponentProps, createContext, type ReactNode, useContext, useId } from "react";
import { cn } from "@/lib/cn";

interface FieldIds {
  id: string;
  describedBy: string | undefined;
  invalid: boolean;
}

const Context = createContext<FieldIds | null>(null);

interface Props {
  label: ReactNode;
  /** One line below that helps to fill it in. */
  hint?: ReactNode;
  /** What is wrong with the value. */
  error?: string | null;
  className?: string;
  children: ReactNode;
}

/** A labelled control; connects label, hint and error with the control inside. */
export function Field({ label, hint, error, className, children }: Props) {
  const id = useId();
  const describedBy = error ? `${id}-error` : hint ? `${id}-hint` : undefined;
  return (
    <div className={cn("flex min-w-0 flex-col gap-1", className)}>
      <label htmlFor={id} className="text-xs font-medium text-soft">
        {label}
      </label>
      <Context value={{ id, describedBy, invalid: !!error }}>{children}</Context>
      {error ? (
        <p id={`${id}-error`} role="alert" className="text-xs text-bad">
          {error}
        </p>
      ) : (
        hint && (
          <p id={`${id}-hint`} className="text-xs text-faint">
            {hint}
          </p>
        )
      )}
    </div>
  );
}

/** Attributes by which a control belongs to its field. */
export function useField() {
  const field = useContext(Context);
  return field
    ? { id: field.id, "aria-describedby": field.describedBy, "aria-invalid": field.invalid || undefined }
    : {};
}

const box =
  "w-full min-w-0 rounded-md border border-strong bg-surface px-2.5 text-sm text-ink hover:border-faint aria-invalid:border-bad disabled:bg-sunken disabled:text-faint";

export function Input({ className, ...rest }: ComponentProps<"input">) {
  return <input {...useField()} className={cn(box, "h-8", className)} {...rest} />;
}

export function Textarea({ className, ...rest }: ComponentProps<"textarea">) {
  return <textarea {...useField()} className={cn(box, "min-h-20 py-1.5", className)} {...rest} />;
}

/** The platform's own list of choices: right on phones and with the keyboard. */
export function Select({ className, children, ...rest }: ComponentProps<"select">) {
  return (
    <select {...useField()} className={cn(box, "h-8 pr-1", className)} {...rest}>
      {children}
    </select>
  );
}
