import assert from "node:assert/strict";

const MARKUP = "<img src=x onerror=alert(1)>";

/** What the upstream says when it fails is text wherever it is shown, whatever it looks like. */
export async function markup({ page }) {
  const inert = async (where) => {
    assert.equal(
      await page.locator("img[src=x], [onerror], main script, [role=dialog] script").count(),
      0,
      where,
    );
    assert.equal(await page.evaluate(() => window.hacked), undefined, where);
  };
  await page.goto("/manage/playground");
  await page.getByLabel("Message").fill("[[sim:fault=500-markup]] hello");
  await page.keyboard.press("Enter");
  await page.locator("[data-state=failed] [role=alert]").getByText(MARKUP).first().waitFor();
  await inert("playground");

  await page.getByRole("link", { name: "Live" }).click();
  await page.locator("main").getByText(MARKUP).first().waitFor();
  await inert("live");
  await page.getByRole("link", { name: "Details" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText(MARKUP).first().waitFor();
  await inert("request");
  // The attempts name the accounts that were tried, each with the cause of its failure.
  await dialog.getByRole("listitem").getByText(MARKUP).first().waitFor();
  await dialog.getByRole("listitem").getByRole("link").first().click();
  await page.waitForURL(/manage\/accounts/);
  await dialog.getByText("Last failures").waitFor();
  await dialog.getByText(MARKUP).first().waitFor();
  await inert("account");
  await page.keyboard.press("Escape");
}
