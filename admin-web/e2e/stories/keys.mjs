import assert from "node:assert/strict";
import { axe, shot } from "../browser.mjs";

/** A key made with limits, used, disabled, revoked. */
export async function keys({ page, origin }) {
  await page.goto("/manage/keys");
  await page.getByRole("button", { name: "Create a key" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("ci <b>runner</b>");
  await dialog.getByRole("checkbox", { name: "grok-4-fast", exact: true }).check();
  await dialog.getByLabel("Only from these addresses").fill("127.0.0.0/8");
  assert.deepEqual(await axe(page), []);
  await shot(page, "keys-create-desktop-light-en");
  await dialog.getByRole("button", { name: "Create a key" }).click();
  const secret = (await dialog.locator("[data-secret]").innerText()).trim();
  await shot(page, "keys-secret-desktop-light-en");
  await dialog.getByRole("button", { name: "I have copied it" }).click();
  const ask = (model) =>
    fetch(`${origin}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
      body: JSON.stringify({ model, messages: [{ role: "user", content: "[[sim:say=yes]]" }] }),
    }).then(({ status }) => status);
  await until(async () => (await ask("grok-4-fast")) === 200, "the new key is known");
  assert.equal(await ask("grok-3-fast"), 403, "the model is not among the key's");

  await page.locator("tbody").getByRole("button", { name: /ci/ }).click();
  await dialog.getByText("127.0.0.0/8").waitFor();
  await page
    .getByText("Over time")
    .or(dialog.getByRole("img", { name: "Requests" }))
    .first()
    .waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, "key-desktop-light-en");
  await dialog.getByRole("tab", { name: "What it may do" }).click();
  await limits(page, dialog);
  // A budget of three counts from when it was made.
  for (let asked = 0; asked < 3; asked += 1) assert.equal(await ask("grok-4-fast"), 200);
  assert.equal(await ask("grok-4-fast"), 429, "the budget is used up");
  await page.reload();
  await dialog.getByText("3 / 3 requests").waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, "key-limits-desktop-light-en");
  await dialog.getByRole("tab", { name: "What it may do" }).click();
  await dialog.getByLabel("Refuse this key for now").check();
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.", { exact: true }).last().waitFor();
  await until(async () => (await ask("grok-4-fast")) === 401, "the key is refused");
  await dialog.getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Revoke" }).click();
  await dialog.getByText("This key is revoked").waitFor();
  await until(async () => (await ask("grok-4-fast")) === 401, "the revoked key is refused");
  await page.keyboard.press("Escape");
  await page.getByText("Show revoked ones").click();
  await page.locator("tbody").getByText("Revoked").waitFor();
}

/** A limit and a budget of three requests a day. */
async function limits(page, dialog) {
  await dialog.getByLabel("Requests a minute").fill("60");
  await dialog.getByRole("button", { name: "Add a budget" }).click();
  await dialog.getByLabel("Amount").fill("3");
  await dialog.getByLabel("Of what").selectOption("requests");
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.", { exact: true }).waitFor();
}

export async function until(holds, what, ms = 60_000) {
  const end = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > end) assert.fail(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
