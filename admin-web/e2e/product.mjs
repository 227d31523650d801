// The real product in front of the simulated upstream, on free ports, with data of its own.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const ROOT = new URL("../../", import.meta.url).pathname;
const BINARY =
  process.env.GROK2API ?? join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "debug/grok2api");

/** Starts a process and waits for its line "ready …". */
function start(args, env = {}) {
  const child = spawn(BINARY, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const said = [];
  const ready = new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on("line", (line) => {
        said.push(line);
        if (line.startsWith("ready "))
          resolve(
            Object.fromEntries(
              line
                .split(" ")
                .slice(1)
                .map((part) => part.split("=")),
            ),
          );
      });
    child.on("error", reject);
    child.on("exit", (code) =>
      reject(new Error(`grok2api ${args[0]} ended with ${code}:\n${said.slice(-20).join("\n")}`)),
    );
  });
  const stop = () =>
    new Promise((resolve) => {
      if (child.exitCode !== null) return resolve();
      child.on("exit", resolve);
      child.kill("SIGTERM");
      setTimeout(() => child.kill("SIGKILL"), 10_000).unref();
    });
  ready.catch(() => undefined);
  return { ready, stop, said };
}

export async function startProduct() {
  const data = mkdtempSync(join(tmpdir(), "grok2api-console-"));
  const sim = start(["sim", "--listen", "127.0.0.1:0"]);
  const upstream = `http://${(await sim.ready).sim}`;
  const product = start(["serve"], {
    G2A_DATA_DIR: data,
    G2A_LISTEN: "127.0.0.1:0",
    G2A_OPS_LISTEN: "127.0.0.1:0",
    G2A_UPSTREAM_URL: upstream,
    G2A_ASSETS_URL: upstream,
    STORAGE_MODE: "file",
  });
  const { http } = await product.ready;
  return {
    origin: `http://${http}`,
    upstream,
    log: product.said,
    stop: async () => {
      await product.stop();
      await sim.stop();
      rmSync(data, { recursive: true, force: true });
    },
  };
}
