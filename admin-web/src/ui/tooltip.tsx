import { Slot } from "radix-ui";
import { type ReactNode, useEffect, useLayoutEffect, useRef, useState } from "react";
import { createPortal } from "react-dom";

interface Props {
  text: string;
  children: ReactNode;
}

const DELAY = 350;
const GAP = 6;

/**
 * Names what it wraps, on hover and on focus by keyboard; Escape takes it away. The child has to say the same to
 * assistive technology by its label. Radix' own would cost every page ten kilobytes.
 */
export function Tooltip({ text, children }: Props) {
  const [target, setTarget] = useState<HTMLElement | null>(null);
  const timer = useRef(0);
  const show = (element: HTMLElement, delay: number) => {
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setTarget(element), delay);
  };
  const hide = () => {
    clearTimeout(timer.current);
    setTarget(null);
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  return (
    <>
      <Slot.Root
        onPointerEnter={(event) =>
          event.pointerType === "mouse" && show(event.currentTarget as HTMLElement, DELAY)
        }
        onPointerLeave={hide}
        onPointerDown={hide}
        onFocus={(event) =>
          event.currentTarget.matches(":focus-visible") && show(event.currentTarget as HTMLElement, 0)
        }
        onBlur={hide}
        onKeyDown={(event) => event.key === "Escape" && hide()}
      >
        {children}
      </Slot.Root>
      {target?.isConnected && createPortal(<Bubble text={text} target={target} />, document.body)}
    </>
  );
}

function Bubble({ text, target }: { text: string; target: HTMLElement }) {
  const bubble = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (!bubble.current) return;
    const { style, offsetWidth, offsetHeight } = bubble.current;
    const { left, top, bottom, width } = target.getBoundingClientRect();
    const above = top - offsetHeight - GAP;
    style.top = `${above > GAP ? above : bottom + GAP}px`;
    const centred = left + width / 2 - offsetWidth / 2;
    style.left = `${Math.max(GAP, Math.min(centred, innerWidth - offsetWidth - GAP))}px`;
  }, [target]);
  return (
    <div
      ref={bubble}
      aria-hidden
      className="animate-appear pointer-events-none fixed top-0 left-0 z-[60] max-w-xs rounded-md bg-ink px-2 py-1 text-xs text-canvas shadow-md"
    >
      {text}
    </div>
  );
}
