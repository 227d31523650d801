import type { Inline } from "./types";

// Deeper nesting than any text of a person has; beyond it marks are shown as they are.
const DEEPEST = 8;

/** Parts of a paragraph. Linear in the text: nothing is scanned twice on the same level. */
export function inline(text: string, depth = 0): Inline[] {
  const parts: Inline[] = [];
  let plain = "";
  const flush = () => {
    if (plain) parts.push({ kind: "text", text: plain });
    plain = "";
  };
  let at = 0;
  // Where a search for an end has failed once, it need not be repeated further on.
  const missing = new Set<string>();
  while (at < text.length) {
    const found = depth < DEEPEST ? mark(text, at, depth, missing) : null;
    if (found) {
      flush();
      parts.push(found.part);
      at = found.end;
    } else {
      const char = text[at] ?? "";
      if (char === "\\" && /[\\`*_~[\]()!#>|]/.test(text[at + 1] ?? "")) {
        plain += text[at + 1];
        at += 2;
      } else {
        plain += char;
        at += 1;
      }
    }
  }
  flush();
  return parts;
}

interface Found {
  part: Inline;
  end: number;
}

function mark(text: string, at: number, depth: number, missing: Set<string>): Found | null {
  switch (text[at]) {
    case "\n":
      return { part: { kind: "break" }, end: at + 1 };
    case "`":
      return code(text, at, missing);
    case "!":
      return text[at + 1] === "[" ? image(text, at) : null;
    case "[":
      return link(text, at, depth);
    case "h":
      return autolink(text, at);
    case "*":
    case "_":
    case "~":
      return emphasis(text, at, depth, missing);
    default:
      return null;
  }
}

function endOf(text: string, what: string, from: number, missing: Set<string>): number {
  if (missing.has(what)) return -1;
  const end = text.indexOf(what, from);
  if (end < 0) missing.add(what);
  return end;
}

function code(text: string, at: number, missing: Set<string>): Found | null {
  const ticks = /^`+/.exec(text.slice(at, at + 8))?.[0] ?? "`";
  const end = endOf(text, ticks, at + ticks.length, missing);
  if (end < 0) return null;
  const inner = text.slice(at + ticks.length, end).replace(/^ (.+) $/, "$1");
  return { part: { kind: "code", text: inner }, end: end + ticks.length };
}

/** `](address "title")`, from the bracket on. */
function target(text: string, at: number): { address: string; end: number } | null {
  if (text[at] !== "]" || text[at + 1] !== "(") return null;
  let nested = 0;
  for (let end = at + 2; end < text.length; end += 1) {
    const char = text[end];
    if (char === "\n") return null;
    if (char === "(") nested += 1;
    else if (char === ")" && nested > 0) nested -= 1;
    else if (char === ")") {
      const address = text
        .slice(at + 2, end)
        .trim()
        .replace(/\s+".*"$/, "")
        .replace(/^<(.*)>$/, "$1");
      return { address, end: end + 1 };
    }
  }
  return null;
}

/** Where the bracket that opens at `at` is closed. */
function closing(text: string, at: number): number {
  let open = 0;
  for (let end = at; end < text.length && end - at < 2000; end += 1) {
    const char = text[end];
    if (char === "\\") end += 1;
    else if (char === "[") open += 1;
    else if (char === "]") {
      open -= 1;
      if (open === 0) return end;
    }
  }
  return -1;
}

function image(text: string, at: number): Found | null {
  const close = closing(text, at + 1);
  const found = close > 0 ? target(text, close) : null;
  return (
    found && { part: { kind: "image", alt: text.slice(at + 2, close), src: found.address }, end: found.end }
  );
}

function link(text: string, at: number, depth: number): Found | null {
  const close = closing(text, at);
  const found = close > 0 ? target(text, close) : null;
  if (!found) return null;
  return {
    part: { kind: "link", href: found.address, parts: inline(text.slice(at + 1, close), depth + 1) },
    end: found.end,
  };
}

function autolink(text: string, at: number): Found | null {
  const before = text[at - 1];
  if (before && /[\w/]/.test(before)) return null;
  const match = /^https?:\/\/[^\s<>"'`]+[^\s<>"'`.,;:!?)\]*_]/.exec(text.slice(at, at + 2048));
  if (!match) return null;
  const href = match[0];
  return { part: { kind: "link", href, parts: [{ kind: "text", text: href }] }, end: at + href.length };
}

function emphasis(text: string, at: number, depth: number, missing: Set<string>): Found | null {
  const char = text[at] ?? "";
  const double = text[at + 1] === char;
  if (char === "~" && !double) return null;
  // snake_case is a name, not emphasis.
  if (char === "_" && /\w/.test(text[at - 1] ?? "")) return null;
  const sign = double ? char + char : char;
  const from = at + sign.length;
  if (!text[from] || /\s/.test(text[from] ?? "")) return null;
  const end = endOf(text, sign, from + 1, missing);
  if (end < 0 || /\s/.test(text[end - 1] ?? "")) return null;
  const kind = char === "~" ? "del" : double ? "strong" : "em";
  return { part: { kind, parts: inline(text.slice(from, end), depth + 1) }, end: end + sign.length };
}
