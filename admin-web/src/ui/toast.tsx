import { X } from "lucide-react";
import { useEffect, useSyncExternalStore } from "react";
import { useText } from "@/i18n";
import { dismiss, type Notice, toasts } from "@/lib/toasts";
import { Button, IconButton } from "./button";

const SHOWN = 6000;
const SHOWN_WITH_ACTION = 15_000;

/** Shows what `toast()` is given, and tells it to assistive technology; beside a drawer, whose title it would hide. */
export function Toasts() {
  const t = useText();
  const list = useSyncExternalStore(toasts.subscribe, toasts.get);
  return (
    <section
      aria-label={t.common.notice}
      aria-live="polite"
      className="pointer-events-none fixed top-3 left-1/2 z-50 flex w-[min(26rem,calc(100vw-2rem))] -translate-x-1/2 flex-col gap-2 sm:[body:has([data-drawer])_&]:left-4 sm:[body:has([data-drawer])_&]:translate-x-0"
    >
      {list.map((notice) => (
        <Line key={notice.id} notice={notice} />
      ))}
    </section>
  );
}

function Line({ notice }: { notice: Notice }) {
  const t = useText();
  const { id, action } = notice;
  useEffect(() => {
    const timer = setTimeout(() => dismiss(id), action ? SHOWN_WITH_ACTION : SHOWN);
    return () => clearTimeout(timer);
  }, [id, action]);
  return (
    <div
      role={notice.bad ? "alert" : undefined}
      data-bad={!!notice.bad}
      className="animate-rise pointer-events-auto flex items-center gap-2 rounded-lg border bg-surface py-2 pr-2 pl-4 shadow-lg data-[bad=true]:border-bad"
    >
      <p className="min-w-0 flex-1 text-sm break-words">{notice.text}</p>
      {action && (
        <Button
          size="sm"
          onClick={() => {
            dismiss(id);
            action.run();
          }}
        >
          {action.label}
        </Button>
      )}
      <IconButton size="sm" label={t.common.close} icon={<X />} onClick={() => dismiss(id)} />
    </div>
  );
}
