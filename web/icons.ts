// One SVG sprite with the icons that the templates and declarations name, so that nobody downloads six thousand.
// A page writes {% icon "bell" %}; Python declares icon="bell". Icons kept in data are listed in icons.extra.txt.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

type Nodes = Record<string, [string, Record<string, string>][]>;

const HERE = dirname(fileURLToPath(import.meta.url));
const SOURCES = join(HERE, "..", "src", "haitang");
const USES = [/\{%\s*icon\s+["']([a-z0-9-]+)["']/g, /\bicon=["']([a-z0-9-]+)["']/g, /\bicon:\s*str\s*=\s*["']([a-z0-9-]+)["']/g];

function* sources(folder: string): Generator<string> {
  for (const item of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, item.name);
    if (item.isDirectory()) yield* sources(path);
    else if (/\.(html|py)$/.test(item.name)) yield path;
  }
}

function names(): Set<string> {
  const found = new Set(
    readFileSync(join(HERE, "icons.extra.txt"), "utf8")
      .split("\n")
      .map((line) => line.replace(/#.*/, "").trim())
      .filter(Boolean),
  );
  for (const path of sources(SOURCES)) {
    const text = readFileSync(path, "utf8");
    for (const use of USES) for (const hit of text.matchAll(use)) found.add(hit[1]!);
  }
  return found;
}

function sprite(warn: (message: string) => void): string {
  const nodes = JSON.parse(
    readFileSync(join(HERE, "node_modules", "@tabler", "icons", "tabler-nodes-outline.json"), "utf8"),
  ) as Nodes;
  const symbols = [...names()].sort().flatMap((name) => {
    const parts = nodes[name];
    if (!parts) {
      warn(`no icon is called "${name}"; see https://tabler.io/icons`);
      return [];
    }
    const body = parts
      .map(([tag, attributes]) => {
        const text = Object.entries(attributes).map(([key, value]) => ` ${key}="${value}"`).join("");
        return `<${tag}${text}/>`;
      })
      .join("");
    return [`<symbol id="${name}" viewBox="0 0 24 24">${body}</symbol>`];
  });
  return `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("\n")}</svg>\n`;
}

export function iconSprite(): Plugin {
  return {
    name: "haitang-icons",
    apply: "build",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "icons.svg", source: sprite((text) => this.warn(text)) });
    },
  };
}
