import { expect, test } from "vitest";
import type { Parameter } from "@/api/settings";
import { en } from "@/i18n/en";
import { change, shown, wrong } from "./draft";

const parameter = (part: Partial<Parameter>): Parameter => ({
  name: "p",
  scope: "grok",
  group: "g",
  kind: "string",
  default: "",
  value: "",
  overridden: false,
  secret: false,
  is_set: false,
  required: false,
  choices: [],
  format: "text",
  min: null,
  max: null,
  description: "",
  ...part,
});
const words = en.settings.wrong;

test("what is again as it was is no change", () => {
  const number = parameter({ kind: "integer", default: 3, value: 5, overridden: true });
  expect(change({}, number, 7)).toEqual({ p: 7 });
  expect(change({ p: 7 }, number, 5)).toEqual({});
  expect(change({}, number, null)).toEqual({ p: null });
  expect(change({}, parameter({ value: "", overridden: false }), null)).toEqual({});
});

test("a default that is about to return is shown, a secret never is", () => {
  expect(shown(parameter({ kind: "integer", default: 3, value: 5 }), { p: null })).toBe(3);
  expect(shown(parameter({ secret: true, value: null, is_set: true }), {})).toBe("");
  expect(shown(parameter({ secret: true, value: null, is_set: true }), { p: "new" })).toBe("new");
});

test.each([
  [{ kind: "integer" as const, min: 1, max: 10 }, 0, words.least("1")],
  [{ kind: "integer" as const, min: 1, max: 10 }, 11, words.most("10")],
  [{ kind: "integer" as const }, "1.5", words.integer],
  [{ format: "url" as const }, "grok.example.com", words.url],
  [{ format: "url" as const }, "javascript:alert(1)", words.url],
  [{ format: "url" as const }, "https://grok.example.com", null],
  [{ format: "proxy-url" as const }, "socks5h://127.0.0.1:1080", null],
  [{ format: "proxy-url" as const }, "ftp://x", words.proxy],
  [{ format: "header" as const }, " a", words.header],
  [{ format: "header" as const }, "令牌", words.header],
  [{ format: "header" as const }, "en-US,en;q=0.9", null],
  [{ required: true }, "", words.required],
  [{ choices: ["url", "base64"] }, "file", words.choice],
])("%j of %j", (part, value, expected) => {
  expect(wrong(parameter(part), value, words)).toBe(expected);
});
