import { expect, test } from "vitest";
import { en } from "@/i18n/en";
import { zh } from "@/i18n/zh";
import { Formats } from "./format";

const f = new Formats("en", en.time);
const HOUR = 3_600_000;

test.each([
  [f.number(-0.2), "0"],
  [f.compact(9_999), "9,999"],
  [f.bytes(0), "0 B"],
  [f.bytes(1536), "1.5 KB"],
  [f.bytes(512 * 1024 * 1024), "512 MB"],
  [f.duration(840), "840 ms"],
  [f.duration(3_240), "3.2 s"],
  [f.duration(245_000), "4:05 min"],
  [f.percent(1), "100%"],
  [f.percent(0.9996), "100.0%"],
  [f.percent(0.57), "57%"],
  [f.ago(null, 10), "never"],
  [f.ago(10, 10), "now"],
  [f.ago(0 + HOUR, 3 * HOUR), "2 h ago"],
  [f.until(3 * 24 * HOUR, 0), "in 3 d"],
  [f.until(5, 10), "now"],
])("%s is %s", (shown, expected) => expect(shown).toBe(expected));

test("the other language has words of its own", () => {
  expect(new Formats("zh", zh.time).ago(HOUR, 3 * HOUR)).toBe("2 小时前");
});
