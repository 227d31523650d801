import { useRef } from "react";

/**
 * Gives the focus back to what had it when a dialog was opened. Radix does so only for triggers of its own; these
 * dialogs are opened by state.
 */
export function useOpener() {
  const opener = useRef<Element | null>(null);
  return {
    keep: () => {
      opener.current = document.activeElement;
    },
    giveBack: (event: Event) => {
      event.preventDefault();
      const { current } = opener;
      const target =
        current instanceof HTMLElement && current.isConnected ? current : document.getElementById("main");
      target?.focus();
    },
  };
}
