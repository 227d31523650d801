// The console's own texts, so that a story can be told in each of its languages.
import { readdirSync, readFileSync } from "node:fs";
import { transformWithOxc } from "vite";

const I18N = new URL("../src/i18n/", import.meta.url);

/** Every text of a language, by group: `texts.login.submit`. */
export async function textsOf(language) {
  const folder = new URL(`${language}/`, I18N);
  const all = {};
  for (const file of readdirSync(folder)) {
    // Each file has types of its own only, and none when it is run.
    const { code } = await transformWithOxc(readFileSync(new URL(file, folder), "utf8"), file);
    Object.assign(all, await import(`data:text/javascript,${encodeURIComponent(code)}`));
  }
  return all;
}
