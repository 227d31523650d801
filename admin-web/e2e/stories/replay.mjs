import assert from "node:assert/strict";
import { axe, shot } from "../browser.mjs";
import { until } from "./keys.mjs";

/** Sets parameters as the one who is signed in. */
export const change = (page, changes) =>
  page.evaluate(async (changes) => {
    const { revision } = await (await fetch("/api/settings/parameters")).json();
    const body = JSON.stringify({ changes, expected_revision: revision });
    const answer = await fetch("/api/settings/parameters", { method: "PATCH", body });
    if (!answer.ok) throw new Error(await answer.text());
  }, changes);

/** A request of a client whose bodies are kept, by its id in the log. */
export async function keptRequest(page, origin, secret, content) {
  await change(page, { capture_share_percent: 100 });
  let found;
  await until(
    async () => {
      const answer = await fetch(`${origin}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
        body: JSON.stringify({ model: "grok-3-fast", messages: [{ role: "user", content }] }),
      });
      const id = answer.headers.get("x-request-id");
      await answer.text();
      await until(async () => {
        const ask = (path) => page.evaluate(async (path) => (await fetch(path)).json(), path);
        found = (await ask("/api/requests?limit=20")).items.find((one) => one.request_id === id)?.id;
        return found;
      }, "the request is in the log");
      // The first ones may have come before the change was known.
      const { status } = await page.request
        .get(`/api/requests/${found}/bodies`)
        .then((answer) => ({ status: answer.status() }));
      return status === 200;
    },
    "the bodies are kept",
    120_000,
  );
  await change(page, { capture_share_percent: null });
  return found;
}

/** What was sent and answered, and the same asked once more: of the simulator, of the pool, of one account. */
export async function replay({ page, origin, state }) {
  await page.goto("/manage/requests");
  const id = await keptRequest(
    page,
    origin,
    state.secret,
    "[[sim:say=<img src=x onerror=alert(1)> once more]]",
  );
  await page.goto(`/manage/requests?request=${id}`);
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Show the bodies" }).click();
  await dialog.getByText('"model": "grok-3-fast"').first().waitFor();
  for (const target of ["The simulator", "Whoever the pool chooses", "One account"]) {
    await dialog.getByLabel("Ask", { exact: true }).selectOption({ label: target });
    const answered = page.waitForResponse("**/replay");
    await dialog.getByRole("button", { name: "Replay", exact: true }).click();
    assert.equal((await (await answered).json()).status, 200, target);
    await dialog.locator("[data-replayed=same]").waitFor();
  }
  assert.equal(await page.locator("img[src=x]").count(), 0);
  assert.deepEqual(await axe(page), []);
  await shot(page, "request-replayed-desktop-light-en");

  // An account that cannot serve says why, side by side with what was answered then.
  const account = await dialog.getByLabel("Account id").inputValue();
  const enable = (enabled) =>
    page.evaluate(
      ([id, enabled]) => fetch(`/api/accounts/${id}`, { method: "PATCH", body: JSON.stringify({ enabled }) }),
      [account, enabled],
    );
  await enable(false);
  await dialog.getByRole("button", { name: "Replay", exact: true }).click();
  await dialog
    .locator("[data-replayed=different]")
    .getByText(/it is disabled/)
    .waitFor();
  await shot(page, "request-differs-desktop-light-en");
  await enable(true);

  await page.goto("/manage/system?tab=actions");
  await page.getByText("replayed a request").first().waitFor();
  await page.getByText("read kept bodies").first().waitFor();
}
