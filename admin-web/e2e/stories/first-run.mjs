import assert from "node:assert/strict";
import { axe, shot } from "../browser.mjs";

export const PASSWORD = "correct horse battery";

/** From the default password to the first streamed answer. */
export async function firstRun({ page, state }) {
  await page.goto("/");
  await page.waitForURL("**/login**");
  assert.deepEqual(await axe(page), []);
  await shot(page, "login-desktop-light-en");
  await page.getByLabel("Name").fill("admin");
  await page.getByLabel("Password").fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("Name or password is wrong.").waitFor();
  await page.getByLabel("Password").fill("admin");
  await page.getByRole("button", { name: "Sign in" }).click();

  // The default password opens nothing but this.
  await page.waitForURL("**/manage/setup");
  const refused = await page.evaluate(async () => (await fetch("/api/accounts")).status);
  assert.equal(refused, 403);
  await page.goto("/manage/accounts");
  await page.waitForURL("**/manage/setup");
  await page.getByRole("heading", { name: "Choose a password" }).waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, "setup-password-desktop-light-en");
  await page.getByLabel("Current password").fill("admin");
  await page.getByLabel("New password", { exact: true }).fill(PASSWORD);
  await page.getByLabel("New password again").fill("something else");
  await page.getByRole("button", { name: "Set the password" }).click();
  await page.getByText("The two are not the same.").waitFor();
  await page.getByLabel("New password again").fill(PASSWORD);
  await page.getByRole("button", { name: "Set the password" }).click();

  await page.getByRole("heading", { name: "Public address" }).waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, "setup-address-desktop-light-en");
  await page.getByRole("button", { name: "Save the address" }).click();

  await page.getByRole("heading", { name: "First key" }).waitFor();
  await page.getByLabel("Whose key it is").fill("Anna, laptop");
  await page.getByRole("button", { name: "Create the key" }).click();
  const secret = page.locator("[data-secret]");
  await secret.waitFor();
  state.secret = (await secret.innerText()).trim();
  assert.match(state.secret, /^sk-/);
  assert.deepEqual(await axe(page), []);
  await shot(page, "setup-key-desktop-light-en");
  await page.getByRole("button", { name: "Continue" }).click();

  await page.getByLabel("Tokens").fill("sim-basic-first\nsso=sim-basic-second");
  await page.getByRole("button", { name: "Add the accounts" }).click();
  await page.getByText("2 added, 0 known already, 0 refused").waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, "setup-accounts-desktop-light-en");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByRole("heading", { name: "Ready to serve" }).waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, "setup-ready-desktop-light-en");

  await page.getByRole("button", { name: "Ask something in the playground" }).click();
  await page.getByLabel("Message").fill("[[sim:say=The first answer.]]");
  await page.keyboard.press("Enter");
  await page.locator("[data-state=done]").waitFor();
  await page.getByText("The first answer.", { exact: true }).waitFor();
}
