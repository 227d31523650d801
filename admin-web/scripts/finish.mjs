// Behind the build: compresses what is text, and fails when the first page has grown too large or breaks the policy.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const DIST = new URL("../dist/", import.meta.url).pathname;
/** Bytes of gzipped script that the first page may load. */
const FIRST_PAGE = 160_000;
const TEXT = /\.(?:html|js|css|svg|json|txt|md)$/;

const manifest = JSON.parse(readFileSync(join(DIST, ".vite/manifest.json"), "utf8"));

/** A chunk and everything it loads by itself. */
function withImports(name, seen = new Set()) {
  if (seen.has(name)) return seen;
  seen.add(name);
  for (const inner of manifest[name].imports ?? []) withImports(inner, seen);
  return seen;
}

const size = (file) => gzipSync(readFileSync(join(DIST, file)), { level: 9 }).length;

function firstPage(page) {
  const chunks = new Set([
    ...withImports("index.html"),
    ...withImports(page),
    ...withImports("src/i18n/en.ts"),
  ]);
  return [...chunks].reduce((sum, name) => sum + size(manifest[name].file), 0);
}

const kb = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
let failed = false;
for (const page of ["src/pages/login.tsx", "src/pages/live/index.tsx"]) {
  const bytes = firstPage(page);
  failed ||= bytes > FIRST_PAGE;
  console.log(`${page}: ${kb(bytes)} of gzipped script, at most ${kb(FIRST_PAGE)}`);
}

const index = readFileSync(join(DIST, "index.html"), "utf8");
if (/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|https?:\/\//.test(index)) {
  console.error(
    "index.html holds inline script, inline style or another host's address: the policy forbids it",
  );
  failed = true;
}

function* files(folder = "") {
  for (const name of readdirSync(join(DIST, folder))) {
    const path = join(folder, name);
    if (statSync(join(DIST, path)).isDirectory()) yield* files(path);
    else yield path;
  }
}

let all = 0;
for (const path of [...files()]) {
  if (path.startsWith(".vite") || path.endsWith(".br") || path.endsWith(".gz")) continue;
  const bytes = readFileSync(join(DIST, path));
  all += bytes.length;
  if (!TEXT.test(path)) continue;
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  writeFileSync(join(DIST, `${path}.br`), brotliCompressSync(bytes, { params }));
  writeFileSync(join(DIST, `${path}.gz`), gzipSync(bytes, { level: 9 }));
}
console.log(`all files: ${kb(all)}`);
if (failed) process.exit(1);
