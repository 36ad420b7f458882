// What stands over the map: the list of layers with their legend, the search box and the time slider.
import type { Map as MapLibre } from "maplibre-gl";
import { formatClock } from "../clock";
import { escape, t } from "../strings";
import type { Catalogue, LayerInfo } from "./catalogue";
import { plainColour } from "./style";

function swatch(colour: string, type: string): string {
  return `<i class="swatch swatch-${type}" style="--swatch:${escape(plainColour(colour))}"></i>`;
}

function legend(info: LayerInfo): string {
  const entries = info.legend ?? [];
  if (!entries.length) return "";
  return `<ul>${entries.map(([colour, label]) => `<li>${swatch(colour, info.style.type)}${escape(label)}</li>`).join("")}</ul>`;
}

export function layerPanel(catalogue: Catalogue, toggle: (info: LayerInfo, on: boolean) => void, open: boolean): HTMLElement {
  const panel = document.createElement("details");
  panel.className = "map-layers maplibregl-ctrl";
  panel.open = open;
  const groups = new Map<string, LayerInfo[]>();
  for (const info of catalogue.layers) groups.set(info.group ?? "", [...(groups.get(info.group ?? "") ?? []), info]);
  const parts = [...groups].map(([group, layers]) => {
    const rows = layers.map((info) => {
      const single = info.legend?.length ? "" : swatch(info.style.colour, info.style.type);
      const note = info.note ? `<small title="${escape(info.note)}">${escape(info.note)}</small>` : "";
      return `<li><label><input type="checkbox" data-layer="${escape(info.id)}" ${info.visible ? "checked" : ""}>${single}<span>${escape(info.label)}</span></label>${note}${legend(info)}</li>`;
    });
    return `${group ? `<h4>${escape(group)}</h4>` : ""}<ul>${rows.join("")}</ul>`;
  });
  panel.innerHTML = `<summary>${escape(t("map.layers"))}</summary><div>${parts.join("")}</div>`;
  panel.addEventListener("change", (event) => {
    const box = event.target as HTMLInputElement;
    const info = catalogue.layers.find((each) => each.id === box.dataset.layer);
    if (info) toggle(info, box.checked);
  });
  return panel;
}

interface Found {
  title: string;
  subtitle?: string;
  kind?: string;
  url?: string;
  lon?: number | null;
  lat?: number | null;
  bounds?: [number, number, number, number] | null;
}

export function searchBox(map: MapLibre, url: string): HTMLElement {
  const box = document.createElement("div");
  box.className = "map-search maplibregl-ctrl";
  box.innerHTML = `<input type="search" class="form-control form-control-sm" placeholder="${escape(t("map.search"))}" aria-label="${escape(t("map.search"))}"><ul role="listbox" hidden></ul>`;
  const input = box.querySelector("input") as HTMLInputElement;
  const list = box.querySelector("ul") as HTMLUListElement;
  let timer = 0;
  let asked = 0;
  const go = (hit: Found): void => {
    list.hidden = true;
    if (hit.bounds) map.fitBounds(hit.bounds, { padding: 60, maxZoom: 15 });
    else if (hit.lon != null && hit.lat != null) map.flyTo({ center: [hit.lon, hit.lat], zoom: Math.max(map.getZoom(), 13) });
    else if (hit.url) location.assign(hit.url);
  };
  const ask = async (): Promise<void> => {
    const words = input.value.trim();
    const mine = ++asked;
    if (!words) {
      list.hidden = true;
      return;
    }
    const address = new URL(url, location.href);
    address.searchParams.set("q", words);
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    const { hits = [] } = answer.ok ? ((await answer.json()) as { hits?: Found[] }) : {};
    if (mine !== asked) return;
    list.replaceChildren(
      ...hits.map((hit) => {
        const item = document.createElement("li");
        item.tabIndex = 0;
        item.innerHTML = `<b>${escape(hit.title)}</b> <small>${escape([hit.kind, hit.subtitle].filter(Boolean).join(" · "))}</small>`;
        item.addEventListener("click", () => go(hit));
        item.addEventListener("keydown", (event) => event.key === "Enter" && go(hit));
        return item;
      }),
    );
    if (!hits.length) list.innerHTML = `<li class="text-secondary">${escape(t("map.nothing"))}</li>`;
    list.hidden = false;
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => void ask(), 250);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") list.hidden = true;
    if (event.key === "Enter") {
      event.preventDefault();
      list.querySelector<HTMLElement>("li[tabindex]")?.click();
    }
  });
  return box;
}

const STEPS = 200;
const PLAY_MS = 700;

/** `change` gets the moment looked at, or null for the present. */
export function timeSlider(span: { from: string; to: string }, change: (at: string | null) => void): HTMLElement {
  const from = Date.parse(span.from);
  const to = Date.parse(span.to);
  const bar = document.createElement("div");
  bar.className = "map-time";
  bar.innerHTML = `<button type="button" class="btn btn-icon btn-sm" aria-label="${escape(t("map.play"))}">▶</button><input type="range" class="form-range" min="0" max="${STEPS}" value="${STEPS}" aria-label="${escape(t("map.time"))}"><output></output>`;
  const [button, range, output] = [bar.querySelector("button")!, bar.querySelector("input")!, bar.querySelector("output")!];
  let timer = 0;
  let settle = 0;
  const show = (): void => {
    const last = Number(range.value) === STEPS;
    const at = from + ((to - from) * Number(range.value)) / STEPS;
    output.textContent = last ? t("map.now") : formatClock(at).slice(0, -3);
    clearTimeout(settle);
    settle = window.setTimeout(() => change(last ? null : new Date(at).toISOString()), 120);
  };
  const stop = (): void => {
    clearInterval(timer);
    timer = 0;
    button.textContent = "▶";
  };
  button.addEventListener("click", () => {
    if (timer) return stop();
    if (Number(range.value) === STEPS) range.value = "0";
    button.textContent = "❚❚";
    timer = window.setInterval(() => {
      range.value = String(Number(range.value) + 2);
      show();
      if (Number(range.value) >= STEPS) stop();
    }, PLAY_MS);
  });
  range.addEventListener("input", show);
  output.textContent = t("map.now");
  return bar;
}
