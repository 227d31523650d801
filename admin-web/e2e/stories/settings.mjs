import assert from "node:assert/strict";
import { axe, shot } from "../browser.mjs";

/** A parameter changed, refused when it cannot be, guarded while unsaved, and rolled back. */
export async function settings({ page }) {
  await page.goto("/manage/settings");
  const row = page.locator("[data-parameter=account_concurrency]");
  await row.getByLabel("account_concurrency").fill("4000");
  await row.getByText("At most 64.").waitFor();
  assert.equal(await page.getByRole("button", { name: "Save" }).isDisabled(), true);
  await row.getByLabel("account_concurrency").fill("4");
  await page.locator("[data-parameter=thinking_mode]").getByRole("combobox").selectOption("think");
  await page.getByText("2 not saved").waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, "settings-unsaved-desktop-light-en");

  await page.getByRole("link", { name: "Keys" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Cancel" }).click();
  assert.match(page.url(), /settings/);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText(/Saved as revision \d+/).waitFor();
  await page.reload();
  assert.equal(await row.getByLabel("account_concurrency").inputValue(), "4");

  await page.getByRole("tab", { name: "History" }).click();
  await page.locator("[data-revision]").first().getByText("account_concurrency").waitFor();
  await page.locator("[data-revision]").first().getByText("in force").waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, "settings-history-desktop-light-en");
  // The replica that runs tells that it runs the newest.
  const { revision } = await page.evaluate(async () => (await fetch("/api/settings/parameters")).json());
  await page.getByText(new RegExp(`: revision ${revision}$`)).waitFor();
  await page.locator("[data-revision='0']").getByText("all defaults").waitFor();
  await page.locator("[data-revision]").nth(1).getByRole("button", { name: "Go back to this" }).click();
  // What it would change is told before it is done.
  const asked = page.getByRole("alertdialog");
  await asked.getByRole("listitem").filter({ hasText: "account_concurrency" }).getByText("4").waitFor();
  await asked.getByRole("listitem").filter({ hasText: "thinking_mode" }).waitFor();
  await page.getByRole("alertdialog").getByRole("button", { name: "Go back to this" }).click();
  await page.getByText(/Back to revision \d+, as revision \d+/).waitFor();
  await page.getByRole("tab", { name: "Parameters" }).click();
  await page.waitForFunction(
    () => document.querySelector("[data-parameter=account_concurrency] input")?.value === "8",
  );
}
