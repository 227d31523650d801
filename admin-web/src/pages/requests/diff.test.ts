import { describe, expect, it } from "vitest";
import { compare, type Piece } from "./diff";

const marked = (pieces: Piece[]) =>
  pieces.map(({ text, changed }) => (changed ? `[${text}]` : text)).join("");

describe("compare", () => {
  it.each([
    ["one two three", "one two three", "one two three", "one two three"],
    ["one two three", "one 2 three", "one [two ]three", "one [2 ]three"],
    ["one two", "one two three", "one [two]", "one [two three]"],
    ["", "new", "", "[new]"],
    ["月亮升起", "太阳升起", "[月亮]升起", "[太阳]升起"],
    ["a\nb\n", "a\nc\n", "a\n[b\n]", "a\n[c\n]"],
  ])("marks what differs between %j and %j", (before, after, left, right) => {
    const compared = compare(before, after);
    expect([marked(compared.before), marked(compared.after)]).toEqual([left, right]);
    expect(compared.same).toBe(before === after);
  });

  it("loses nothing, whatever it is given", () => {
    const long = Array.from({ length: 4000 }, (_, n) => `word ${n}\n`).join("");
    for (const [before, after] of [
      [long, `${long}end`],
      ["  leading\t\ttabs ", "leading tabs"],
      [long.replaceAll("\n", " "), "short"],
    ] as const) {
      const compared = compare(before, after);
      expect(compared.before.map(({ text }) => text).join("")).toBe(before);
      expect(compared.after.map(({ text }) => text).join("")).toBe(after);
    }
  });
});
