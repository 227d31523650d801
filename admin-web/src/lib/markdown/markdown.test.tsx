import { cleanup, render } from "@testing-library/react";
import { afterEach, describe, expect, test } from "vitest";
import { Translations } from "@/i18n";
import { en } from "@/i18n/en";
import { Markdown } from "./markdown";
import { parse } from "./parse";

const show = (text: string) =>
  render(
    <Translations first={{ language: "en", t: en }}>
      <Markdown text={text} />
    </Translations>,
  ).container;

afterEach(cleanup);

describe("what models write", () => {
  test("headings, emphasis, code, lists, quotes, tables", () => {
    const page = show(
      "# Title\n\nSome **bold**, *soft*, ~~old~~ and `code_1`.\n\n- one\n- two\n  - inner\n\n3. three\n4. four\n\n> said\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```rust\nfn main() {}\n```",
    );
    expect(page.querySelector("[role=heading]")?.textContent).toBe("Title");
    expect(page.querySelector("strong")?.textContent).toBe("bold");
    expect(page.querySelector("em")?.textContent).toBe("soft");
    expect(page.querySelector("del")?.textContent).toBe("old");
    expect(page.querySelector("ul ul")?.textContent).toBe("inner");
    expect(page.querySelector("ol")?.getAttribute("start")).toBe("3");
    expect(page.querySelector("blockquote")?.textContent).toBe("said");
    expect([...page.querySelectorAll("td")].map((cell) => cell.textContent)).toEqual(["1", "2"]);
    expect(page.querySelector("pre")?.textContent).toBe("fn main() {}");
  });

  test("a text that is still arriving is shown as far as it is there", () => {
    expect(show("```js\nlet a").querySelector("pre")?.textContent).toBe("let a");
    expect(show("so **bo").textContent).toBe("so **bo");
    expect(show("see [the pa").textContent).toBe("see [the pa");
  });

  test("names with underscores stay as they are", () => {
    expect(show("use max_attempts and a_b_c").textContent).toBe("use max_attempts and a_b_c");
  });

  test("our own pictures and videos come from this host, whatever address they were written with", () => {
    const page = show(
      '![Generated Image](https://grok.example.com/images/a.jpg)\n\n<video src="http://other:8000/videos/b.mp4" controls="controls"></video>',
    );
    expect(page.querySelector("img")?.getAttribute("src")).toBe("/images/a.jpg");
    expect(page.querySelector("video")?.getAttribute("src")).toBe("/videos/b.mp4");
  });
});

describe("nothing of a text becomes markup, script or a request to another host", () => {
  const attacks = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<video src="javascript:alert(1)" controls="controls"></video>',
    '<video src="https://evil.example/v.mp4" controls="controls"></video>',
    '<iframe src="https://evil.example"></iframe>',
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a](\u0001javascript:alert(1))",
    "[a](data:text/html;base64,PHNjcmlwdD4=)",
    "[a](vbscript:x)",
    "![a](javascript:alert(1))",
    "![a](https://evil.example/pixel.png)",
    "![a](data:image/svg+xml;base64,PHN2Zz4=)",
    "![a](data:text/html,<script>alert(1)</script>)",
    '![a" onerror="alert(1)](/images/a.jpg" onerror="alert(1))',
    "| <img src=x onerror=alert(1)> | b |\n|---|---|\n| [x](javascript:1) | y |",
    "```<script>\n</script><script>alert(1)</script>\n```",
    '> <a href="javascript:alert(1)">x</a>',
    "&lt;script&gt;alert(1)&lt;/script&gt;",
  ];
  test.each(attacks)("%s", (text) => {
    const page = show(text);
    expect(page.querySelector("script, iframe, object, embed, style, svg[onload], base, form")).toBeNull();
    for (const element of page.querySelectorAll("*")) {
      for (const { name, value } of element.attributes) {
        expect(name.startsWith("on"), `${name} of ${element.tagName}`).toBe(false);
        if (name === "href") expect(value).toMatch(/^(https?|mailto):/);
        if (name === "src")
          expect(value).toMatch(/^(\/images\/|\/videos\/|data:image\/(png|jpeg|gif|webp);base64,)/);
      }
    }
  });

  test("links open elsewhere and tell nothing of this page", () => {
    const link = show("[docs](https://x.ai/a?b=c)").querySelector("a");
    expect(link?.href).toBe("https://x.ai/a?b=c");
    expect(link?.rel).toContain("noopener");
    expect(link?.rel).toContain("noreferrer");
  });
});

test("long and hostile texts take no time", () => {
  const started = performance.now();
  for (const text of [
    "*".repeat(20_000),
    "[".repeat(20_000),
    "`".repeat(20_000),
    "> ".repeat(3_000),
    "- ".repeat(3_000),
    "_a ".repeat(9_000),
    "![](".repeat(5_000),
  ])
    parse(text);
  expect(performance.now() - started).toBeLessThan(2_000);
});
