import assert from "node:assert/strict";
import { axe, shot } from "../browser.mjs";

/** A running stream is seen, looked at and cancelled; its client is told. */
export async function live({ page, origin, state }) {
  await page.goto("/manage/live");
  await page.getByText("live", { exact: true }).waitFor();
  const client = fetch(`${origin}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${state.secret}`, "content-type": "application/json" },
    body: JSON.stringify({
      model: "grok-3-fast",
      stream: true,
      messages: [{ role: "user", content: "Tell me a very long story [[sim:delay_ms=1500]]" }],
    }),
  }).then((answer) => answer.text());
  const row = page.getByRole("table", { name: "In flight" }).getByRole("button", { name: "grok-3-fast" });
  await row.waitFor();
  await page.getByText("Anna, laptop").first().waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, "live-running-desktop-light-en");
  for (const by of ["Replica", "Key", "Model", "Account"]) {
    await page.getByRole("button", { name: by, exact: true }).click();
    await page.getByRole("table", { name: "In flight" }).locator("tbody tr").first().waitFor();
  }
  // A group shows its streams.
  await page.getByRole("button", { name: "Key", exact: true }).click();
  await page.getByRole("table", { name: "In flight" }).getByRole("button", { name: "Anna, laptop" }).click();
  await page.getByText("Key: Anna, laptop").waitFor();
  await row.waitFor();
  await page.getByRole("button", { name: "All streams" }).click();
  await row.click();
  await page.getByRole("dialog").getByText("Running for").waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, "live-stream-desktop-light-en");
  await page.getByRole("button", { name: "Cancel this request" }).click();
  await page.getByText(/Cancelled\. The client was told/).waitFor();
  assert.match(await client, /cancelled_by_operator/);
  await row.waitFor({ state: "detached" });
}
