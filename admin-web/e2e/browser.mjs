// Debian's Chromium, and what every page is held to: no request to another host, no error in its log.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SHOTS = new URL("../../target/screenshots/", import.meta.url).pathname;
mkdirSync(SHOTS, { recursive: true });

export const DESKTOP = { width: 1440, height: 900 };
export const PHONE = { width: 390, height: 844 };

export async function openBrowser(origin) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox"],
  });
  /** What no page may do; looked at behind every test. */
  const faults = [];
  const origins = [origin];
  const watch = (page) => {
    page.on("request", (request) => {
      const url = request.url();
      if (!/^(blob|data):/.test(url) && !origins.some((own) => url.startsWith(own)))
        faults.push(`a request to ${url}`);
    });
    page.on("pageerror", (error) => faults.push(`an error on ${page.url()}: ${error.message}`));
    page.on("dialog", (dialog) => {
      faults.push(`a dialog on ${page.url()}: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("console", (message) => {
      const text = message.text();
      if (/Content Security Policy|Refused to/.test(text))
        faults.push(`against the policy on ${page.url()}: ${text}`);
    });
  };
  const context = async (options = {}) => {
    const made = await browser.newContext({
      baseURL: origin,
      viewport: DESKTOP,
      locale: "en-GB",
      colorScheme: "light",
      reducedMotion: "reduce",
      ...options,
    });
    // Generous: the machine may be busy with something else.
    made.setDefaultTimeout(60_000);
    made.on("page", watch);
    return made;
  };
  return { context, faults, alsoAt: (other) => origins.push(other), close: () => browser.close() };
}

/** What axe finds on the page, one line each. */
export async function axe(page) {
  // By the debugger and not by a script element, which the policy would refuse.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() =>
    window.axe.run(document, { resultTypes: ["violations"], rules: { "color-contrast": { enabled: true } } }),
  );
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)}`));
}

export async function shot(page, name) {
  await page.screenshot({ path: join(SHOTS, `${name}.png`) });
}
