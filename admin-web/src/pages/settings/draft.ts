import type { Parameter, Value } from "@/api/settings";
import type { Dictionary } from "@/i18n";

/** Changes that are not saved yet: parameter to its value as typed, or `null` for the default. */
export type Draft = Record<string, Value | null>;

/** What the field shows. Secrets show nothing until a new one is typed. */
export function shown(parameter: Parameter, draft: Draft): Value {
  const changed = draft[parameter.name];
  if (changed === null) return parameter.secret ? "" : parameter.default;
  return changed ?? parameter.value ?? (parameter.secret ? "" : parameter.default);
}

/** The draft with one change; what is again as it was is no change. */
export function change(draft: Draft, parameter: Parameter, value: Value | null): Draft {
  const { [parameter.name]: _, ...rest } = draft;
  const same = parameter.secret
    ? value === null && !parameter.is_set
    : value === null
      ? !parameter.overridden
      : value === parameter.value;
  return same ? rest : { ...rest, [parameter.name]: value };
}

type Words = Dictionary["settings"]["wrong"];

/** Why a value cannot be; the server has the last word. */
export function wrong(parameter: Parameter, value: Value | null | undefined, words: Words): string | null {
  if (value === null || value === undefined) return null;
  if (parameter.kind === "integer") return wrongNumber(parameter, value, words);
  if (parameter.kind !== "string") return null;
  const text = String(value);
  if (!text) return parameter.required ? words.required : null;
  if (parameter.choices.length && !parameter.choices.includes(text)) return words.choice;
  if (parameter.format === "url" && !fits(text, ["http:", "https:"])) return words.url;
  if (parameter.format === "proxy-url" && !fits(text, proxies)) return words.proxy;
  if (parameter.format === "header" && !/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text))
    return words.header;
  return null;
}

const proxies = ["http:", "https:", "socks4:", "socks4a:", "socks5:", "socks5h:"];

function fits(text: string, schemes: string[]): boolean {
  try {
    const url = new URL(text);
    return schemes.includes(url.protocol) && !!(url.host || url.pathname.replaceAll("/", ""));
  } catch {
    return false;
  }
}

function wrongNumber({ min, max }: Parameter, value: Value, words: Words): string | null {
  const number = typeof value === "number" ? value : Number.NaN;
  if (!Number.isSafeInteger(number)) return words.integer;
  if (min !== null && number < min) return words.least(String(min));
  if (max !== null && number > max) return words.most(String(max));
  return null;
}
