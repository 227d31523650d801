import { Store } from "./store";

export interface Notice {
  id: number;
  text: string;
  bad?: boolean;
  action?: { label: string; run: () => void };
}

export const toasts = new Store<readonly Notice[]>([]);
let last = 0;

/** Tells the operator that something has happened; of what is shown at once only the newest four stay. */
export function toast(text: string, options: Omit<Notice, "id" | "text"> = {}): void {
  last += 1;
  toasts.set([...toasts.get(), { id: last, text, ...options }].slice(-4));
}

export function dismiss(id: number): void {
  toasts.set(toasts.get().filter((notice) => notice.id !== id));
}
