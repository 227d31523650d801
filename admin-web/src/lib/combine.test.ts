import { expect, it } from "vitest";
import { combine } from "./combine";

it.each([
  [["a\nb"], "a\nb"],
  [["a\n", "b\n"], "a\nb"],
  [
    ['{"token":"a"}\n{"token":"b"}\n', '{"token":"c"}\n{"token":"d"}'],
    '{"token":"a"}\n{"token":"b"}\n{"token":"c"}\n{"token":"d"}',
  ],
  [['["a"]', '[{"token":"b"}]'], '["a",{"token":"b"}]'],
  [
    ['{"ssoNormal":{"a":{}}}', '{"ssoNormal":{"b":{}},"ssoSuper":{"c":{}}}'],
    '{"ssoNormal":{"a":{},"b":{}},"ssoSuper":{"c":{}}}',
  ],
  [['["a"]', "b"], null],
  [['["a"]', '{"ssoNormal":{}}'], null],
])("makes of %j one text", (texts, expected) => {
  expect(combine(texts)).toBe(expected);
});
