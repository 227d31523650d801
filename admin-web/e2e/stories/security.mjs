import assert from "node:assert/strict";
import { PASSWORD } from "./first-run.mjs";

const cookieOf = async (context) => (await context.cookies()).find(({ name }) => name === "g2a_session");

/** Session fixation, CSRF, clickjacking, an ended session, brute force. The last one shuts the door, so it is last. */
export async function security({ browser, origin }) {
  const context = await browser.context();
  const page = await context.newPage();
  await context.addCookies([
    { name: "g2a_session", value: "chosen-by-somebody-else", url: origin, sameSite: "Strict" },
  ]);
  await page.goto("/manage/keys");
  await page.waitForURL("**/login**");
  await page.getByLabel("Name").fill("admin");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  // Back to where one was.
  await page.waitForURL("**/manage/keys");
  const cookie = await cookieOf(context);
  assert.notEqual(
    cookie.value,
    "chosen-by-somebody-else",
    "a session is never taken over from before the sign-in",
  );
  assert.equal(cookie.httpOnly, true);
  assert.equal(cookie.sameSite, "Strict");
  assert.equal(await page.evaluate(() => document.cookie), "");

  const forged = await fetch(`${origin}/api/keys`, {
    method: "POST",
    headers: {
      cookie: `g2a_session=${cookie.value}`,
      "content-type": "application/json",
      origin: "https://evil.example",
      "sec-fetch-site": "cross-site",
    },
    body: JSON.stringify({ spec: { name: "forged" } }),
  });
  assert.equal(forged.status, 403);
  assert.equal((await forged.json()).error.code, "CSRF_REFUSED");

  const html = await fetch(`${origin}/manage/keys`);
  assert.match(html.headers.get("content-security-policy"), /frame-ancestors 'none'/);
  assert.equal(html.headers.get("x-frame-options"), "DENY");

  // Signing out ends the session at the server too, and an open page notices.
  const second = await context.newPage();
  await second.goto("/manage/dashboard");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL("**/login**");
  const ended = await fetch(`${origin}/api/session`, { headers: { cookie: `g2a_session=${cookie.value}` } });
  assert.equal(ended.status, 401);
  await second.getByRole("link", { name: "Requests" }).click();
  await second.waitForURL("**/login**");

  await page.goto("/login?next=https://evil.example/");
  await page.getByLabel("Name").fill("admin");
  for (let attempt = 0; attempt < 30; attempt += 1) {
    await page.getByLabel("Password").fill(`guess ${attempt}`);
    const answered = page.waitForResponse("**/api/login");
    await page.getByRole("button", { name: "Sign in" }).click();
    if ((await answered).status() === 429) break;
  }
  await page.getByText(/Too many failed attempts/).waitFor();
  await context.close();
}
