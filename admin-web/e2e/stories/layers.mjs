import assert from "node:assert/strict";
import { inEachVariant } from "../variants.mjs";
import { keptRequest } from "./replay.mjs";

/** Every drawer and dialog, wide and narrow, light and dark, in both languages. */
export async function layers({ browser, origin, page: signedIn, state }) {
  const cookies = await signedIn.context().cookies();
  await signedIn.goto("/manage/accounts");
  const ask = (path) => signedIn.evaluate(async (path) => (await fetch(path)).json(), path);
  const account = (await ask("/api/accounts?sort=last_used&limit=1")).items[0].id;
  const key = (await ask("/api/keys")).items[0].id;
  const request = await keptRequest(signedIn, origin, state.secret, "[[sim:say=The moon is up.]]");
  const problems = await inEachVariant(browser, async ({ context, page, look, t }) => {
    await context.addCookies(cookies);
    const dialog = page.getByRole("dialog");
    const press = (name, within = page) => within.getByRole("button", { name, exact: true }).first().click();

    await page.goto(`/manage/accounts?account=${account}`);
    await dialog.getByText(t.accounts.windows).waitFor();
    await look("account");

    await page.goto("/manage/accounts");
    await page.locator("tbody tr").first().waitFor();
    for (const [name, label] of [
      ["accounts-import", t.accounts.import],
      ["accounts-explain", t.accounts.explain],
      ["accounts-deleted", t.accounts.deletedTitle],
    ]) {
      await press(label);
      await dialog.waitFor();
      await look(name);
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "detached" });
    }
    await press(t.accounts.export);
    await page.getByRole("alertdialog").waitFor();
    await look("accounts-export");
    await page.keyboard.press("Escape");
    await page.locator("tbody").getByRole("checkbox").first().check();
    await press(t.accounts.more);
    await page.getByRole("menuitem", { name: t.accounts.actions.change }).click();
    await dialog.waitFor();
    await look("accounts-change");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await press(t.accounts.more);
    await page.getByRole("menuitem", { name: t.accounts.actions.delete }).click();
    await page.getByRole("alertdialog").waitFor();
    await look("accounts-delete");

    await page.goto(`/manage/keys?key=${key}`);
    await dialog.getByRole("tab", { name: t.keys.edit }).waitFor();
    await look("key");
    await dialog.getByRole("tab", { name: t.keys.edit }).click();
    await look("key-edit");
    await page.goto("/manage/keys");
    await press(t.keys.create);
    await dialog.waitFor();
    await look("keys-create");

    await page.goto(`/manage/requests?request=${request}`);
    await press(t.requests.showBodies, dialog);
    await press(t.requests.replayNow, dialog);
    await dialog.locator("[data-replayed]").waitFor();
    await dialog.locator("[data-replayed]").scrollIntoViewIfNeeded();
    await look("request-replay");

    await page.goto("/manage/media");
    await page.locator("main ul li button").first().click();
    await dialog.getByRole("img").waitFor();
    await page.waitForFunction(() => document.querySelector("[role=dialog] img")?.naturalWidth > 0);
    await look("media-preview");

    await page.goto("/manage/system?tab=admins");
    await press(t.system.addAdmin);
    await dialog.waitFor();
    await look("admin-add");

    await page.goto("/manage/settings?tab=history");
    await page.locator("[data-revision='0']").getByRole("button").click();
    await page.getByRole("alertdialog").waitFor();
    await look("settings-rollback");
  });
  assert.deepEqual(problems, []);
}
