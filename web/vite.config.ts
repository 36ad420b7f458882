import { defineConfig } from "vite";
import { iconSprite } from "./icons.ts";

// dist/ is one of Django's static folders; django-vite reads dist/manifest.json.
export default defineConfig({
  base: "/static/",
  publicDir: "public",
  plugins: [iconSprite()],
  build: {
    outDir: "dist",
    manifest: "manifest.json",
    target: "es2022",
    sourcemap: false,
    // MapLibre alone is larger than Vite's advice; it is loaded only by pages with a map.
    chunkSizeWarningLimit: 1200,
    rollupOptions: {
      // HTMX carries an eval that main.ts switches off and the page's policy forbids.
      checks: { eval: false },
      input: { main: "src/main.ts", sw: "src/sw.ts" },
      output: {
        // The service worker is served by Django at /sw.js and must keep its name.
        entryFileNames: (chunk) => (chunk.name === "sw" ? "sw.js" : "assets/[name]-[hash].js"),
        chunkFileNames: "assets/[name]-[hash].js",
        assetFileNames: "assets/[name]-[hash][extname]",
      },
    },
  },
  worker: { format: "es" },
});
