// The console's own texts, so that a story can be told in each of its languages.
import { readdirSync, readFileSync } from "node:fs";
import { transformWithOxc } from "vite";

const I18N = new URL("../src/i18n/", import.meta.url);

/** Every text of a language, by group: `texts.login.submit`. */
export async function textsOf(language) {
  const folder = new URL(`${language}/`, I18N);
  const all = {};
  for (const file of readdirSync(folder)) Object.assign(all, await import(await moduleOf(folder, file)));
  return all;
}

/** A file as a module that can be imported, and what it imports from beside it; types are gone when it is run. */
async function moduleOf(folder, file) {
  let { code } = await transformWithOxc(readFileSync(new URL(file, folder), "utf8"), file);
  for (const [, name] of code.matchAll(/from "\.\/([a-z-]+)"/g))
    code = code.replaceAll(`"./${name}"`, JSON.stringify(await moduleOf(folder, `${name}.ts`)));
  return `data:text/javascript,${encodeURIComponent(code)}`;
}
