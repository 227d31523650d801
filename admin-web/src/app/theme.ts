import { recall, remember } from "@/lib/remember";
import { Store } from "@/lib/store";

export type Theme = "system" | "light" | "dark";

const dark = matchMedia("(prefers-color-scheme: dark)");
const chosen = recall("theme");

/** What was chosen; `public/boot.js` applies it before the first paint. */
export const theme = new Store<Theme>(chosen === "light" || chosen === "dark" ? chosen : "system");

function apply(): void {
  const value = theme.get();
  document.documentElement.dataset.theme = value === "system" ? (dark.matches ? "dark" : "light") : value;
}

export function setTheme(value: Theme): void {
  remember("theme", value);
  theme.set(value);
  apply();
}

dark.addEventListener("change", apply);
