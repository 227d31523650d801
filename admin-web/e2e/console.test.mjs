// The real product, driven by a browser through every page, in the order an operator meets them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openBrowser, shot } from "./browser.mjs";
import { startProduct } from "./product.mjs";
import { accounts } from "./stories/accounts.mjs";
import { firstRun } from "./stories/first-run.mjs";
import { firstRuns } from "./stories/first-runs.mjs";
import { gallery, keyboard, switches } from "./stories/gallery.mjs";
import { keys } from "./stories/keys.mjs";
import { layers } from "./stories/layers.mjs";
import { live } from "./stories/live.mjs";
import { markup } from "./stories/markup.mjs";
import { clearMedia, media, playground } from "./stories/playground.mjs";
import { dashboard, requests, system } from "./stories/records.mjs";
import { replay } from "./stories/replay.mjs";
import { security } from "./stories/security.mjs";
import { settings } from "./stories/settings.mjs";

const stories = [
  ["from the default password to the first streamed answer", firstRun],
  ["ten thousand tokens are imported, and the table stays fluent", accounts],
  ["a key is made, limited, disabled and revoked", keys],
  ["the playground shows what models write, and nothing of it becomes markup", playground],
  ["a running stream is seen and cancelled", live],
  ["images and a video are made, viewed and deleted", media],
  ["a parameter is changed, guarded and rolled back", settings],
  ["requests are found with their attempts", requests],
  ["bodies are read, and a request is asked once more", replay],
  ["what the upstream says when it fails is text everywhere", markup],
  ["the dashboard adds up", dashboard],
  ["admins have roles, and what they do is written down", system],
  ["language and theme are switched in place", switches],
  ["everything can be reached without a mouse", keyboard],
  ["every page, wide and narrow, light and dark, in both languages", gallery],
  ["every drawer and dialog, likewise", layers],
  ["the sign-in and the set-up, likewise", firstRuns],
  ["media are cleared", clearMedia],
  ["fixation, forgery, framing, guessing", security],
];

const world = { state: {} };

before(async () => {
  world.product = await startProduct();
  world.origin = world.product.origin;
  world.browser = await openBrowser(world.origin);
  world.page = await (await world.browser.context()).newPage();
});

after(async () => {
  await world.browser?.close();
  await world.product?.stop();
});

for (const [index, [name, story]] of stories.entries())
  test(name, { timeout: 1_800_000 }, async (t) => {
    // A part of the stories, while one of them is worked on: ONLY=0,3
    const only = process.env.ONLY?.split(",");
    if (only && !only.includes(String(index))) return t.skip();
    world.browser.faults.length = 0;
    try {
      await story(world);
    } catch (error) {
      await shot(world.page, `failed-${index}`).catch(() => undefined);
      error.message += `\nat ${world.page.url()}; last of the log:\n${world.product.log.slice(-5).join("\n")}`;
      throw error;
    }
    assert.deepEqual(world.browser.faults, []);
  });
