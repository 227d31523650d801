import { inline } from "./inline";
import type { Block } from "./types";

const DEEPEST = 8;
const FENCE = /^\s{0,3}(`{3,}|~{3,})\s*([\w+#.-]*)/;
const HEADING = /^\s{0,3}(#{1,6})\s+(.*?)\s*#*$/;
const RULE = /^\s{0,3}([-*_])(\s*\1){2,}\s*$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const TABLE_LINE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)+\|?\s*$|^\s*\|\s*:?-+:?\s*\|\s*$/;
// How the product writes a video; HTML of any other kind is text.
const VIDEO = /^\s*<video src="([^"<>]+)" controls="controls"><\/video>\s*$/;

/**
 * The blocks of a Markdown text: what models write, not all of CommonMark. There is no HTML in it, only text: nothing a
 * model writes can become markup of the page.
 */
export function parse(text: string, depth = 0): Block[] {
  return blocks(text.replace(/\r\n?/g, "\n").split("\n"), depth);
}

function blocks(lines: string[], depth: number): Block[] {
  const found: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at] ?? "";
    if (!line.trim()) {
      at += 1;
      continue;
    }
    const { block, next } = (depth < DEEPEST ? special(lines, at, depth) : null) ?? paragraph(lines, at);
    found.push(block);
    at = next;
  }
  return found;
}

interface Found {
  block: Block;
  next: number;
}

function special(lines: string[], at: number, depth: number): Found | null {
  const line = lines[at] ?? "";
  const heading = HEADING.exec(line);
  if (heading?.[1])
    return {
      block: { kind: "heading", level: heading[1].length, parts: inline(heading[2] ?? "") },
      next: at + 1,
    };
  if (RULE.test(line)) return { block: { kind: "rule" }, next: at + 1 };
  const video = VIDEO.exec(line);
  if (video?.[1]) return { block: { kind: "video", src: video[1] }, next: at + 1 };
  return fence(lines, at) ?? quote(lines, at, depth) ?? list(lines, at, depth) ?? table(lines, at);
}

/** A fence that is not closed yet, as in a stream, reaches to the end. */
function fence(lines: string[], at: number): Found | null {
  const open = FENCE.exec(lines[at] ?? "");
  const mark = open?.[1];
  if (!mark) return null;
  let end = at + 1;
  while (end < lines.length && !(lines[end] ?? "").trim().startsWith(mark)) end += 1;
  return {
    block: { kind: "code", language: open[2] ?? "", text: lines.slice(at + 1, end).join("\n") },
    next: end + 1,
  };
}

function quote(lines: string[], at: number, depth: number): Found | null {
  let end = at;
  while (end < lines.length && /^\s{0,3}>/.test(lines[end] ?? "")) end += 1;
  if (end === at) return null;
  const inner = lines.slice(at, end).map((line) => line.replace(/^\s{0,3}> ?/, ""));
  return { block: { kind: "quote", blocks: blocks(inner, depth + 1) }, next: end };
}

function list(lines: string[], at: number, depth: number): Found | null {
  const first = ITEM.exec(lines[at] ?? "");
  if (!first) return null;
  const indent = first[1]?.length ?? 0;
  const ordered = /\d/.test(first[2] ?? "");
  const items: string[][] = [];
  let end = at;
  while (end < lines.length) {
    const line = lines[end] ?? "";
    const item = ITEM.exec(line);
    const depthOf = /^\s*/.exec(line)?.[0].length ?? 0;
    if (item && (item[1]?.length ?? 0) <= indent + 1) {
      if (/\d/.test(item[2] ?? "") !== ordered || (item[1]?.length ?? 0) < indent) break;
      items.push([item[3] ?? ""]);
    } else if (!line.trim()) {
      const after = lines[end + 1] ?? "";
      if (!(after.trim() && (/^\s{2,}/.test(after) || ITEM.test(after)))) break;
      items.at(-1)?.push("");
    } else if (depthOf > indent || item) items.at(-1)?.push(line.slice(Math.min(depthOf, indent + 2)));
    else break;
    end += 1;
  }
  return {
    block: {
      kind: "list",
      start: ordered ? Number.parseInt(first[2] ?? "1", 10) : null,
      items: items.map((item) => blocks(item, depth + 1)),
    },
    next: end,
  };
}

function cells(line: string): string[] {
  return line
    .trim()
    .replace(/^\||\|$/g, "")
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());
}

function table(lines: string[], at: number): Found | null {
  if (!(lines[at] ?? "").includes("|") || !TABLE_LINE.test(lines[at + 1] ?? "")) return null;
  let end = at + 2;
  while (end < lines.length && (lines[end] ?? "").includes("|")) end += 1;
  const head = cells(lines[at] ?? "");
  const rows = lines.slice(at + 2, end).map((line) => {
    const row = cells(line);
    return head.map((_, column) => inline(row[column] ?? ""));
  });
  return { block: { kind: "table", head: head.map((cell) => inline(cell)), rows }, next: end };
}

function paragraph(lines: string[], at: number): Found {
  let end = at + 1;
  while (end < lines.length && (lines[end] ?? "").trim() && !begins(lines, end)) end += 1;
  const text = lines.slice(at, end).join("\n").trim();
  return { block: { kind: "paragraph", parts: inline(text) }, next: end };
}

function begins(lines: string[], at: number): boolean {
  const line = lines[at] ?? "";
  return (
    FENCE.test(line) ||
    HEADING.test(line) ||
    RULE.test(line) ||
    ITEM.test(line) ||
    VIDEO.test(line) ||
    /^\s{0,3}>/.test(line)
  );
}
