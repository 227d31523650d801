import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { axe, shot } from "../browser.mjs";
import { until } from "./keys.mjs";

/** The request log with its filters, a request's attempts, the CSV; and the sums of the dashboard. */
export async function requests({ page, origin, state }) {
  // Refused by the first account, served by the second: two attempts.
  await fetch(`${origin}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${state.secret}`, "content-type": "application/json" },
    body: JSON.stringify({
      model: "grok-4-expert",
      messages: [{ role: "user", content: "[[sim:fault=429:1]] hi" }],
    }),
  }).then((answer) => answer.text());
  const logged = "/api/requests?model=grok-4-expert";
  await until(
    () => page.evaluate(async (path) => (await (await fetch(path)).json()).items.length > 0, logged),
    "it is in the log",
  );
  await page.goto("/manage/requests?model=grok-4-expert");
  await page.locator("tbody").getByText("grok-4-expert").first().waitFor();
  await page.locator("tbody tr").first().getByRole("button").first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Rate limited").waitFor();
  await dialog.getByText("Success").first().waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, "request-desktop-light-en");
  await page.keyboard.press("Escape");
  await page.getByLabel("Outcome").selectOption("success");
  await page.waitForURL(/outcome=success/);
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "CSV" }).click(),
  ]);
  assert.match(download.suggestedFilename(), /\.csv$/);
  const rows = readFileSync(await download.path(), "utf8")
    .trimEnd()
    .split("\r\n");
  const head = rows[0].split(",");
  assert.ok(
    ["id", "model", "outcome", "error_message"].every((name) => head.includes(name)),
    rows[0],
  );
  const listed = await page.evaluate(async () =>
    (await fetch("/api/requests?model=grok-4-expert&outcome=success&limit=500")).json(),
  );
  assert.deepEqual(
    rows.slice(1).map((row) => row.split(",")[0]),
    listed.items.map(({ id }) => id),
    "the rows are those of the filter",
  );
  assert.ok(rows.slice(1).every((row) => row.split(",")[head.indexOf("model")] === "grok-4-expert"));
  await paging({ page, origin, state });
}

/** More than a page: to the next one and back, without a row twice. */
async function paging({ page, origin, state }) {
  const count = 105;
  const one = () =>
    fetch(`${origin}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${state.secret}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "no-such-model", messages: [{ role: "user", content: "hi" }] }),
    }).then((answer) => answer.text());
  for (let begun = 0; begun < count; begun += 15) await Promise.all(Array.from({ length: 15 }, one));
  const refused = "/api/requests?outcome=invalid_request&limit=500";
  await until(
    async () =>
      (await page.evaluate(async (path) => (await fetch(path)).json(), refused)).items.length >= count,
    "all of them are in the log",
  );
  await page.goto("/manage/requests?outcome=invalid_request");
  const times = page.locator("tbody tr");
  await times.nth(99).waitFor();
  assert.equal(await times.count(), 100);
  await page.getByText("1–100", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByText(/^101–/).waitFor();
  // The rows before stay until the next ones are there.
  await until(async () => (await times.count()) < 100, "the rest of the rows");
  assert.ok((await times.count()) >= 5);
  await page.getByRole("button", { name: "Previous" }).click();
  await page.getByText("1–100", { exact: true }).waitFor();
}

export async function dashboard({ page }) {
  await page.goto("/manage/dashboard?range=1h");
  await page.getByText("Requests").first().waitFor();
  await page.locator(".recharts-bar-rectangle, .recharts-rectangle").first().waitFor();
  await page.locator("tbody").getByText("grok-3-fast").first().waitFor();
  for (const metric of ["Tokens", "Units", "First output", "Speed"])
    await page.getByRole("button", { name: metric, exact: true }).click();
  for (const by of ["Key", "Account"]) {
    await page.getByRole("button", { name: by, exact: true }).click();
    await page.locator("tbody tr").first().waitFor();
  }
}

/** Another admin, whose role is held; the action log that tells of it. */
export async function system({ page, browser }) {
  await page.goto("/manage/system?tab=admins");
  await page.getByRole("button", { name: "Add an admin" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("mei");
  await dialog.getByLabel("Role").selectOption("viewer");
  await dialog.getByLabel("First password").fill("first password");
  assert.deepEqual(await axe(page), []);
  await dialog.getByRole("button", { name: "Add an admin" }).click();
  await page.getByText("mei may sign in now.").waitFor();
  await page.getByRole("tab", { name: "Action log" }).click();
  await page.getByText("added an admin").first().waitFor();
  await page.getByRole("tab", { name: "You" }).click();
  await page.getByText("this one").waitFor();
  await page.getByRole("tab", { name: "Overview" }).click();
  await page.getByText("Simulated upstream").waitFor();

  const context = await browser.context();
  const other = await context.newPage();
  await other.goto("/login");
  await other.getByLabel("Name").fill("mei");
  await other.getByLabel("Password").fill("first password");
  await other.getByRole("button", { name: "Sign in" }).click();
  await other.getByLabel("New password", { exact: true }).fill("a password of mei");
  await other.getByLabel("New password again").fill("a password of mei");
  await other.getByRole("button", { name: "Set the password" }).click();
  await other.getByRole("heading", { level: 1, name: "Live" }).waitFor();
  await other.goto("/manage/accounts");
  await other.locator("tbody tr").first().waitFor();
  assert.equal(await other.getByRole("button", { name: "Add accounts" }).count(), 0);
  assert.equal(await other.evaluate(async () => (await fetch("/api/admins")).status), 403);
  await context.close();
}
