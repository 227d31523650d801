import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { axe, shot } from "../browser.mjs";

const COUNT = 10_000;
const NOTE = "<img src=x onerror=alert(1)>";

/** Ten thousand tokens by file, followed to the end while another page is open; then the table that holds them. */
export async function accounts({ page }) {
  await page.goto("/manage/accounts");
  await page.getByRole("button", { name: "Add accounts" }).click();
  const lines = Array.from({ length: COUNT }, (_, n) =>
    n % 50 === 0 ? `sim-super-e2e-${n},super` : `sim-basic-e2e-${n}`,
  );
  lines.push("not a token at all !!", "sim-basic-first");
  await page.getByLabel("Choose a file").setInputFiles({
    name: "tokens.txt",
    mimeType: "text/plain",
    buffer: Buffer.from(lines.join("\n")),
  });
  await page.getByLabel("Tags", { exact: true }).fill("e2e, spring");
  await page.getByLabel("Note where none is given").fill(NOTE);
  await shot(page, "accounts-import-desktop-light-en");
  await page.getByRole("dialog").getByRole("button", { name: "Add accounts" }).click();
  // It can be left, and goes on.
  await page.getByRole("dialog").getByRole("progressbar").waitFor();
  await page
    .getByRole("dialog")
    .getByRole("button", { name: /Leave it running|Done/ })
    .click();
  await page.getByRole("link", { name: "Dashboard" }).click();
  await page.getByText(/10,000 added, 1 known already, 1 refused/).waitFor({ timeout: 300_000 });
  await page.getByRole("link", { name: "Accounts" }).click();
  await page.getByRole("button", { name: "Add accounts" }).click();
  await page.getByText("All entries are done").waitFor();
  const report = page.getByRole("list", { name: "What became of each entry" });
  await report.getByText("10,001").waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, "accounts-report-desktop-light-en");
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("navigation", { name: "Pages" }).getByText("of 10,002").waitFor();

  const took = await page.evaluate(async () => {
    const times = [];
    for (const query of [
      "",
      "&sort=remaining",
      "&sort=last_used&order=asc",
      "&status=active&tier=super",
      "&search=e2e",
    ]) {
      const started = performance.now();
      const answer = await fetch(`/api/accounts?limit=100${query}`);
      await answer.json();
      times.push(performance.now() - started);
    }
    return Math.max(...times);
  });
  console.log(`  the slowest page of ${COUNT + 2} accounts: ${took.toFixed(0)} ms`);

  // A note that is markup is shown as what it is.
  await page.getByText(NOTE).first().waitFor();
  assert.equal(await page.locator("img[src=x]").count(), 0);

  await page.getByRole("button", { name: "Next" }).click();
  await page.getByText("101–200 of 10,002").waitFor();
  await page.getByRole("button", { name: "Previous" }).click();
  await page.getByRole("button", { name: "Tier", exact: true }).first().click();
  await page.getByRole("menuitemcheckbox", { name: /Super/ }).click();
  await page.keyboard.press("Escape");
  await page.getByText("of 200", { exact: false }).waitFor();
  await page.waitForURL(/tier=/);
  await choice(page);
  await bulk(page);
  await deleted(page);
  await drawer(page);
  await explain(page);
  await exported(page);
  await dropped(page);
}

/** What was deleted is found again without the notice that offered to undo it. */
async function deleted(page) {
  const first = page.locator("tbody").getByRole("checkbox").first();
  await first.check();
  await page.getByRole("button", { name: "More", exact: true }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await page.getByText("of 199", { exact: false }).waitFor();
  await page.reload();
  await page.getByRole("button", { name: "Recently deleted" }).click();
  const list = page.getByRole("list", { name: "Recently deleted" });
  await list.getByRole("listitem").first().waitFor();
  assert.equal(await list.getByRole("listitem").count(), 1);
  assert.deepEqual(await axe(page), []);
  await shot(page, "accounts-deleted-desktop-light-en");
  await list.getByRole("button", { name: "Bring back" }).click();
  await page.getByText("1 brought back.").waitFor();
  await page.getByText("Nothing was deleted within a day").waitFor();
  await page.keyboard.press("Escape");
  await page.getByText("of 200", { exact: false }).waitFor();
}

/** Full tokens leave as a file, of what is chosen. */
async function exported(page) {
  await page.locator("tbody").getByRole("checkbox").first().check();
  await page.locator("tbody").getByRole("checkbox").nth(1).check();
  await page.getByRole("button", { name: "Export", exact: true }).click();
  const dialog = page.getByRole("alertdialog", { name: "Export 2 accounts?" });
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    dialog.getByRole("button", { name: "Export" }).click(),
  ]);
  const lines = readFileSync(await download.path(), "utf8")
    .trimEnd()
    .split("\n")
    .map(JSON.parse);
  assert.equal(lines.length, 2);
  assert.ok(lines.every(({ token }) => token.startsWith("sim-super-e2e-")));
}

/** Files that are dropped are read; several go together only when their formats do. */
async function dropped(page) {
  await page.getByRole("button", { name: "Add accounts" }).click();
  const drop = async (...texts) => {
    const files = await page.evaluateHandle((texts) => {
      const transfer = new DataTransfer();
      for (const [place, text] of texts.entries()) transfer.items.add(new File([text], `${place}.json`));
      return transfer;
    }, texts);
    await page.getByLabel("Tokens", { exact: true }).dispatchEvent("drop", { dataTransfer: files });
  };
  const tokens = page.getByLabel("Tokens", { exact: true });
  await drop('["sim-basic-drop-1"]', '[{"token":"sim-basic-drop-2"}]');
  await page.waitForFunction(() => document.querySelector("[role=dialog] textarea").value.includes("drop-2"));
  assert.deepEqual(JSON.parse(await tokens.inputValue()), [
    "sim-basic-drop-1",
    { token: "sim-basic-drop-2" },
  ]);
  await drop('["sim-basic-drop-3"]', "sim-basic-drop-4");
  await page.getByRole("alert").getByText("These files have different formats.").waitFor();
  await page.getByLabel("Only check what would become of each entry").check();
  await page.getByRole("dialog").getByRole("button", { name: "Check", exact: true }).click();
  await page.getByText("Checked; nothing was changed").waitFor();
  await page.getByRole("button", { name: "Done" }).click();
}

async function bulk(page) {
  await page.getByRole("checkbox", { name: "Select all rows of this page" }).check();
  await page.getByRole("button", { name: "Choose all 200 that match" }).click();
  await page.getByRole("button", { name: "Disable", exact: true }).click();
  await page
    .getByRole("alertdialog", { name: "Disable 200 accounts?" })
    .getByRole("button", { name: "Disable" })
    .click();
  await page.getByText("200 done").waitFor();
  await page.locator("tbody").getByText("Disabled").first().waitFor();
  await page.getByRole("checkbox", { name: "Select all rows of this page" }).check();
  await shot(page, "accounts-selected-desktop-light-en");
  await page.getByRole("button", { name: "More", exact: true }).click();
  await page.getByRole("menuitem", { name: "Change tags, tier, priority" }).click();
  await page.getByLabel("Add tags").fill("vip");
  await page.getByLabel("Priority").fill("7");
  assert.deepEqual(await axe(page), []);
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByText("100 done").waitFor();

  await page.getByRole("checkbox", { name: "Select all rows of this page" }).check();
  await page.getByRole("button", { name: "More", exact: true }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await page.getByText("100 deleted.").waitFor();
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByText("100 brought back.").waitFor();
  await page.getByRole("navigation", { name: "Pages" }).getByText("of 200").waitFor();
}

/** "All that match" is said of one choice: another filter, another row, and it is taken back. */
async function choice(page) {
  const bar = page.getByRole("region", { name: /chosen/ });
  const all = page.getByRole("checkbox", { name: "Select all rows of this page" });
  await all.check();
  await page.getByRole("button", { name: "Choose all 200 that match" }).click();
  await bar.getByText("200 chosen").waitFor();
  // A row less.
  await page.locator("tbody").getByRole("checkbox").first().uncheck();
  await bar.getByText("99 chosen").waitFor();
  await all.check();
  await page.getByRole("button", { name: "Choose all 200 that match" }).click();
  await bar.getByText("200 chosen").waitFor();
  await all.uncheck();
  await bar.waitFor({ state: "detached" });
  await page.locator("tbody").getByRole("checkbox").first().check();
  await bar.getByText("1 chosen", { exact: true }).waitFor();
  // Another filter, and back.
  await all.check();
  await page.getByRole("button", { name: "Choose all 200 that match" }).click();
  await bar.getByText("200 chosen").waitFor();
  await page.getByRole("button", { name: "Clear filters" }).first().click();
  await bar.waitFor({ state: "detached" });
  await page.getByText("of 10,002", { exact: false }).waitFor();
  await page.locator("tbody").getByRole("checkbox").first().check();
  await bar.getByText("1 chosen", { exact: true }).waitFor();
  const [request] = await Promise.all([
    page.waitForRequest("**/api/accounts/bulk"),
    bar.getByRole("button", { name: "Enable", exact: true }).click(),
  ]);
  assert.equal(request.postDataJSON().ids.length, 1, "one row is one account");
  await page.goBack();
  await page.getByText("of 200", { exact: false }).waitFor();
}

async function drawer(page) {
  await page.locator("tbody tr").first().getByRole("button").first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Quota windows").waitFor();
  await dialog.getByRole("button", { name: "Enable", exact: true }).click();
  await dialog.getByRole("button", { name: "Disable", exact: true }).waitFor();
  await dialog.getByRole("button", { name: "Read quotas" }).click();
  // Readings have a budget a minute, and the pool has just grown by ten thousand.
  await dialog
    .getByText(/140 \/ 140|\d+ \/ \d+/)
    .first()
    .waitFor({ timeout: 300_000 });
  await dialog.getByLabel("Tags", { exact: true }).fill("vip, edited");
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.", { exact: true }).waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, "account-desktop-light-en");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
}

async function explain(page) {
  await page.getByRole("button", { name: "Explain" }).click();
  await page.getByRole("dialog").getByLabel("Model").selectOption("grok-4-heavy");
  await page
    .getByRole("dialog")
    .getByText(/accounts may serve/)
    .waitFor();
  await page
    .getByRole("dialog")
    .getByText(/tier too low|disabled/)
    .first()
    .waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, "explain-desktop-light-en");
  await page.keyboard.press("Escape");
}
