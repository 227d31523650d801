import assert from "node:assert/strict";
import { shot } from "../browser.mjs";
import { inEachVariant } from "../variants.mjs";

const PAGES = {
  live: ["/manage/live", "Live", "实时"],
  dashboard: ["/manage/dashboard?range=1h", "Dashboard", "仪表盘"],
  requests: ["/manage/requests", "Requests", "请求"],
  accounts: ["/manage/accounts", "Accounts", "账号"],
  keys: ["/manage/keys", "Keys", "密钥"],
  media: ["/manage/media", "Media", "媒体"],
  playground: ["/manage/playground", "Playground", "试验场"],
  settings: ["/manage/settings", "Settings", "设置"],
  history: ["/manage/settings?tab=history", "Settings", "设置"],
  system: ["/manage/system", "System", "系统"],
  admins: ["/manage/system?tab=admins", "System", "系统"],
  actions: ["/manage/system?tab=actions", "System", "系统"],
  you: ["/manage/system?tab=you", "System", "系统"],
};

/** Every page, wide and narrow, light and dark, in both languages: axe finds nothing, nothing is wider than the screen. */
export async function gallery({ browser, page: signedIn }) {
  const cookies = await signedIn.context().cookies();
  const problems = await inEachVariant(
    browser,
    async ({ context, page, look, device, colorScheme, language }) => {
      await context.addCookies(cookies);
      for (const [name, [path, english, chinese]] of Object.entries(PAGES)) {
        await page.goto(path);
        await page.getByRole("heading", { level: 1, name: language === "zh" ? chinese : english }).waitFor();
        await look(name);
      }
      if (device === "phone" && language === "en") await phoneMenu(page, colorScheme);
    },
  );
  assert.deepEqual(problems, []);
}

async function phoneMenu(page, colorScheme) {
  await page.getByRole("button", { name: "Open the menu" }).click();
  await page.getByRole("link", { name: "Accounts" }).waitFor();
  await shot(page, `menu-phone-${colorScheme}-en`);
  await page.getByRole("link", { name: "Accounts" }).click();
  await page.getByRole("heading", { name: "Accounts" }).waitFor();
}

/** The language and the theme are switched in place, and remembered. */
export async function switches({ page }) {
  await page.goto("/manage/keys");
  await page.getByRole("button", { name: "中文" }).click();
  await page.getByRole("heading", { level: 1, name: "密钥" }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), "zh-CN");
  await page.reload();
  await page.getByRole("heading", { level: 1, name: "密钥" }).waitFor();
  await page.getByRole("button", { name: "EN, English" }).click();
  await page.getByRole("heading", { level: 1, name: "Keys" }).waitFor();
  for (const theme of ["light", "dark"]) {
    await page.getByRole("button", { name: /^Theme/ }).click();
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), theme);
  }
  await page.reload();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await page.getByRole("button", { name: /^Theme/ }).click();
}

/** Without a mouse: into the content, through the menu, a dialog opened and closed with the focus where it belongs. */
export async function keyboard({ page }) {
  await page.goto("/manage/keys");
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "main");
  const create = page.getByRole("button", { name: "Create a key" }).first();
  await create.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement?.tagName), "INPUT");
  for (let press = 0; press < 40; press += 1) await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => !!document.activeElement?.closest("[role=dialog]")), true);
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(await create.evaluate((button) => button === document.activeElement), true);
}
