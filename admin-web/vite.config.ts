import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  base: "/manage/",
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": new URL("./src", import.meta.url).pathname } },
  build: {
    target: "es2022",
    manifest: true,
    license: { fileName: "licenses.md" },
    // scripts/clean.mjs does, and leaves the folder itself.
    emptyOutDir: false,
    // No data: addresses; fonts and icons stay files that may be kept for good.
    assetsInlineLimit: 0,
    // The polyfill would be a script inside the page, which the policy forbids.
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    // `npm run dev` beside a running product; G2A names it.
    proxy: Object.fromEntries(
      ["/api", "/v1", "/images", "/videos", "/health", "/openapi.json"].map((path) => [
        path,
        process.env.G2A ?? "http://127.0.0.1:8000",
      ]),
    ),
  },
  test: { environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}"] },
});
