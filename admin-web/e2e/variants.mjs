// What every page is looked at in: wide and narrow, light and dark, in both languages.
import { axe, DESKTOP, PHONE, shot } from "./browser.mjs";
import { textsOf } from "./texts.mjs";

/** Runs a walk in each variant, on a context of its own; `options` are more of the context's. Gives what was found wrong. */
export async function inEachVariant(browser, walk, options = {}) {
  const problems = [];
  for (const [device, viewport] of [
    ["desktop", DESKTOP],
    ["phone", PHONE],
  ])
    for (const colorScheme of ["light", "dark"])
      for (const language of ["en", "zh"]) {
        const context = await browser.context({
          viewport,
          colorScheme,
          locale: language === "zh" ? "zh-CN" : "en-GB",
          hasTouch: device === "phone",
          ...options,
        });
        const page = await context.newPage();
        const look = (name) => judge(page, `${name}-${device}-${colorScheme}-${language}`, problems);
        await walk({ context, page, look, device, colorScheme, language, t: await textsOf(language) });
        await context.close();
      }
  return problems;
}

/** Waits until nothing is loading, keeps a picture, and writes down what is wrong with what is seen. */
async function judge(page, label, problems) {
  await page.waitForLoadState("load");
  const busy = "[aria-busy=true], .animate-breathe";
  await page
    .waitForFunction((what) => !document.querySelector(what), busy)
    .catch(() => problems.push(`${label}: it does not come to an end with loading`));
  // Charts and pictures come in after their data.
  await page.waitForTimeout(400);
  await shot(page, label);
  for (const found of await axe(page)) problems.push(`${label}: ${found}`);
  const over = await page.evaluate(() => {
    const boxes = [document.querySelector("main"), document.querySelector("[role=dialog]")];
    const wider = (box) => (box ? box.scrollWidth - box.clientWidth : 0);
    return Math.max(...boxes.map(wider), document.documentElement.scrollWidth - innerWidth);
  });
  if (over > 0) problems.push(`${label}: ${over} px wider than its place`);
}
