import { expect, it } from "vitest";
import { shown } from "./shown";

it("indents JSON, shortens pictures and leaves other texts alone", () => {
  expect(shown('{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}');
  expect(shown("data: {}\n\n")).toBe("data: {}\n\n");
  expect(shown('{"cut')).toBe('{"cut');
  const picture = `data:image/png;base64,${"A".repeat(5000)}`;
  const text = shown(JSON.stringify({ url: picture, words: "a long text ".repeat(60) }));
  expect(text).toContain("…(4958 more)");
  expect(text.length).toBeLessThan(1200);
});
