import assert from "node:assert/strict";
import { axe, shot } from "../browser.mjs";

const ATTACKS = [
  "<img src=x onerror=alert(1)>",
  "<script>window.hacked = 1</script>",
  "[click](javascript:alert(1))",
  "![p](https://evil.example/p.png)",
  "**bold** `code`",
];

/** Answers as Markdown, without anything in them becoming markup of the page; a stop; an error that says what to do. */
export async function playground({ page, state }) {
  await page.goto("/manage/playground");
  for (const attack of ATTACKS) {
    await page.getByLabel("Message").fill(`[[sim:say=${attack}]]`);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Send" }).waitFor();
  }
  const answers = page.getByRole("log");
  await answers.locator("strong", { hasText: "bold" }).waitFor();
  assert.equal(await answers.locator("script, img[src=x], [onerror], a[href^=javascript]").count(), 0);
  assert.equal(await page.evaluate(() => window.hacked), undefined);

  await page.getByRole("button", { name: "New conversation" }).click();
  await page.getByRole("button", { name: "Compare Rust and Go in a table" }).click();
  await page.locator("[data-state=done]").waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, "playground-answer-desktop-light-en");

  // A picture goes along, as a client would send it.
  await page.getByRole("button", { name: "New conversation" }).click();
  const picture = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "base64",
  );
  await page
    .getByLabel("Add an image")
    .and(page.locator("input"))
    .setInputFiles({ name: "dot.png", mimeType: "image/png", buffer: picture });
  await page.getByRole("button", { name: "Take dot.png away" }).waitFor();
  await page.getByLabel("Message").fill("[[sim:say=A dot.]]");
  const [sent] = await Promise.all([
    page.waitForRequest("**/chat/completions"),
    page.keyboard.press("Enter"),
  ]);
  assert.match(JSON.stringify(sent.postDataJSON().messages.at(-1)), /data:image\/png;base64,/);
  await page.locator("[data-state=done]").getByText("A dot.", { exact: true }).waitFor();

  await page.getByRole("button", { name: "New conversation" }).click();
  await page.getByLabel("Message").fill("Tell me a long story [[sim:delay_ms=300]]");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("Stopped by you.").waitFor();

  // An upstream's error text is text.
  await page.getByLabel("Message").fill("[[sim:fault=500]] hello");
  await page.keyboard.press("Enter");
  await page.locator("[data-state=failed] [role=alert]").waitFor();

  // As a client: with the key that was made in the first run, and with one that is refused.
  await page.getByRole("button", { name: "New conversation" }).click();
  await page.getByLabel("Ask as").selectOption("key");
  await page.getByLabel("Secret of the key").fill("sk-g2a-wrong");
  await page.getByLabel("Message").fill("[[sim:say=By key.]]");
  await page.keyboard.press("Enter");
  await page.locator("[data-state=failed] [role=alert]").waitFor();
  assert.match(page.url(), /playground/, "a refused key is no ended session");
  await page.getByLabel("Secret of the key").fill(state.secret);
  await page.getByRole("button", { name: "Ask again" }).click();
  await page.locator("[data-state=done]").getByText("By key.", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Python SDK" }).click();
  await page.getByText("client.chat.completions.create(").waitFor();
}

/** Images and a video, which land in the media cache. */
export async function media({ page }) {
  await page.goto("/manage/playground");
  await page.getByRole("button", { name: "Image", exact: true }).click();
  await page.getByLabel("Prompt").fill("A moon over the sea");
  await page.getByRole("button", { name: "Make it" }).click();
  await page.getByAltText("A moon over the sea").first().waitFor({ timeout: 120_000 });
  assert.deepEqual(await axe(page), []);
  await shot(page, "playground-image-desktop-light-en");
  await page.getByRole("button", { name: "Video", exact: true }).click();
  await page.getByLabel("Prompt").fill("Let the sun rise");
  await page.getByRole("button", { name: "Make it" }).click();
  await page.locator("video").waitFor({ timeout: 120_000 });
  await shot(page, "playground-video-desktop-light-en");

  await page.goto("/manage/media");
  const tiles = page.locator("main ul li button");
  await tiles.first().waitFor();
  const before = await tiles.count();
  assert.ok(before >= 2, `${before} tiles`);
  await page.getByRole("button", { name: "Videos", exact: true }).click();
  await page.locator("main ul li video").waitFor();
  await tiles.first().click();
  await page.getByRole("dialog").locator("video").waitFor();
  await shot(page, "media-video-desktop-light-en");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Images", exact: true }).click();
  await page.locator("main ul li img").first().waitFor();
  await tiles.first().click();
  await page.getByRole("dialog").getByRole("img").waitFor();
  await page.waitForFunction(() => document.querySelector("[role=dialog] img")?.naturalWidth > 0);
  assert.deepEqual(await axe(page), []);
  await shot(page, "media-preview-desktop-light-en");
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByText("Deleted.", { exact: true }).waitFor();
  await page.getByRole("dialog").waitFor({ state: "detached" });
}

export async function clearMedia({ page }) {
  const left = (kind) =>
    page.evaluate(async (kind) => {
      const { items } = await (await fetch("/api/media/usage")).json();
      return items.find((one) => one.kind === kind).items;
    }, kind);
  await page.goto("/manage/media");
  await page.locator("main ul li button").first().waitFor();
  const clear = async (what) => {
    await page.getByRole("button", { name: "Clear" }).click();
    await page.getByRole("menuitem", { name: what }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Clear" }).click();
    await page.getByRole("alertdialog").waitFor({ state: "detached" });
  };
  // One kind, and the other stays.
  await clear("All images");
  await page.getByText("Nothing is kept yet").waitFor();
  assert.equal(await left("image"), 0);
  assert.ok((await left("video")) > 0, "videos stay");
  await clear("Everything");
  await page.getByRole("button", { name: "Videos", exact: true }).click();
  await page.getByText("Nothing is kept yet").waitFor();
  assert.equal(await left("video"), 0);
}
