import { expect, test } from "vitest";
import { curl, python, sdk, shellQuoted } from "./snippets";

const call = {
  path: "/chat/completions",
  body: {
    model: "grok-4-fast",
    stream: true,
    thinking_mode: "off",
    messages: [{ role: "user", content: "it's" }],
  },
};

test("a quote in a text does not end the shell's string", () => {
  expect(shellQuoted("it's; rm -rf /")).toBe(`'it'\\''s; rm -rf /'`);
  expect(curl("http://h", call)).toContain(`"content": "it'\\''s"`);
});

test("Python has its own words for true, false and null", () => {
  expect(python({ a: true, b: null, c: [] })).toBe('{\n    "a": True,\n    "b": None,\n    "c": [],\n}');
  expect(sdk("http://h", call)).toContain("stream=True,");
});

test("fields of ours go in extra_body, since the SDK does not know them", () => {
  const text = sdk("http://h", call);
  expect(text).toContain('extra_body={\n        "thinking_mode": "off",\n    }');
  expect(text).not.toContain("    thinking_mode=");
});

test("pictures are shortened", () => {
  const url = `data:image/png;base64,${"A".repeat(5000)}`;
  expect(
    curl("http://h", { path: "/videos", body: { input_reference: { image_url: url } } }).length,
  ).toBeLessThan(400);
});
