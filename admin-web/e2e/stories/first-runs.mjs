import assert from "node:assert/strict";
import { startProduct } from "../product.mjs";
import { inEachVariant } from "../variants.mjs";
import { PASSWORD } from "./first-run.mjs";

/** The sign-in and each step of the set-up, on a fresh product for each: wide and narrow, light and dark, in both languages. */
export async function firstRuns({ browser }) {
  const problems = await inEachVariant(browser, async (variant) => {
    const product = await startProduct();
    browser.alsoAt(product.origin);
    try {
      await walk(variant, product.origin);
    } finally {
      await product.stop();
    }
  });
  assert.deepEqual(problems, []);
}

async function walk({ page, look, t, device, language }, origin) {
  const press = (name) => page.getByRole("button", { name, exact: true }).click();
  const title = (name) => page.getByRole("heading", { name }).waitFor();
  await page.goto(`${origin}/`);
  await title(t.login.title);
  assert.equal(await page.getByText(t.login.again).count(), 0, "there was no session that could have ended");
  await look("login");
  await page.getByLabel(t.login.name).fill("admin");
  await page.getByLabel(t.login.password).fill("wrong");
  await press(t.login.submit);
  await page.getByText(t.login.wrong).waitFor();
  await look("login-refused");
  await page.getByLabel(t.login.password).fill("admin");
  await press(t.login.submit);

  await title(t.setup.password.title);
  await look("setup-password");
  // What was typed to sign in need not be typed again.
  const current = page.getByLabel(t.setup.password.current, { exact: true });
  if (await current.count()) await current.fill("admin");
  await page.getByLabel(t.setup.password.fresh, { exact: true }).fill(PASSWORD);
  await page.getByLabel(t.setup.password.repeat).fill(PASSWORD);
  await press(t.setup.password.submit);
  await title(t.setup.baseUrl.title);
  await look("setup-address");
  if (device === "phone" && language === "en") return skips({ page, t, press, title, look });
  await press(t.setup.baseUrl.submit);
  await title(t.setup.key.title);
  await look("setup-key");
  await page.getByLabel(t.setup.key.label).fill(t.setup.key.example);
  await press(t.setup.key.submit);
  const secret = page.locator("[data-secret]");
  await secret.waitFor();
  assert.match(await secret.innerText(), /^sk-/);
  await look("setup-key-made");
  await press(t.setup.next);
  await title(t.setup.accounts.title);
  await page.getByLabel(t.setup.accounts.label).fill("sim-basic-first\nsso=sim-basic-second");
  await press(t.setup.accounts.submit);
  await page.getByText(t.setup.accounts.result("2", "0", "0")).waitFor();
  await look("setup-accounts");
  await press(t.setup.next);
  await title(t.setup.end.title);
  await look("setup-ready");
  await press(t.setup.end.playground);
  await page.getByLabel(t.playground.message).fill("[[sim:say=The first answer. 第一个回答。]]");
  // Keyboards on glass begin a line with it.
  if (device === "phone") await press(t.playground.send);
  else await page.keyboard.press("Enter");
  await page.locator("[data-state=done]").getByText("第一个回答。").first().waitFor();
  await keyStory({ page, t, press, origin });
}

/** A key made, and revoked for ever. */
async function keyStory({ page, t, press, origin }) {
  await page.goto(`${origin}/manage/keys`);
  await press(t.keys.create);
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(t.keys.name).first().fill("runner");
  await dialog.getByRole("button", { name: t.keys.create, exact: true }).click();
  await dialog.locator("[data-secret]").waitFor();
  await dialog.getByRole("button", { name: t.keys.kept }).click();
  await page.locator("tbody").getByRole("button", { name: "runner" }).first().click();
  await dialog.getByRole("tab", { name: t.keys.edit }).click();
  await dialog.getByRole("button", { name: t.keys.revoke }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: t.keys.revoke }).click();
  await dialog.getByText(t.keys.isRevoked).waitFor();
}

/** What need not be done at once is skipped, and the set-up can be gone on with. */
async function skips({ page, t, press, title, look }) {
  await press(t.setup.skip);
  await title(t.setup.key.title);
  await look("setup-key");
  await press(t.setup.skip);
  await title(t.setup.accounts.title);
  await look("setup-accounts");
  await press(t.setup.skip);
  await title(t.setup.end.title);
  await look("setup-ready");
  await press(t.setup.end.live);
  await page.getByRole("heading", { level: 1, name: t.nav.live }).waitFor();
}
