// The map island: <div data-map data-layers="/onemap/layers.json">. No tile service, glyph or sprite from outside.
import "maplibre-gl/dist/maplibre-gl.css";
import {
  AttributionControl, Map as MapLibre, NavigationControl, Popup, ScaleControl, setWorkerUrl,
  type GeoJSONSource, type MapGeoJSONFeature, type MapMouseEvent, type VectorTileSource,
} from "maplibre-gl";
// MapLibre 6 is a module whose worker the bundler does not find by itself.
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";
import { concerns, type Entry } from "../live";
import { escape, t } from "../strings";
import { isDark } from "../theme";
import { fetchCatalogue, type Catalogue, type LayerInfo } from "./catalogue";
import { DrawTool } from "./draw";
import { PickTool } from "./pick";
import { serveShifted } from "./gcj02";
import { layerPanel, searchBox, timeSlider } from "./panel";
import { drawn, emptyStyle, seaColour } from "./style";

setWorkerUrl(workerUrl);

const RELOAD_MS = 1000;
const EMPTY: GeoJSON.FeatureCollection = { type: "FeatureCollection", features: [] };

interface Island {
  map: MapLibre;
  catalogue: Catalogue;
  element: HTMLElement;
  at: string | null;
  waiting: Map<string, number>;
}

async function catalogueOf(element: HTMLElement): Promise<Catalogue> {
  const own = element.querySelector<HTMLScriptElement>("script[type='application/json']");
  const local = own ? (JSON.parse(own.textContent ?? "{}") as Partial<Catalogue>) : {};
  const shared = element.dataset.layers ? await fetchCatalogue(element.dataset.layers) : { layers: [] };
  const shown = element.dataset.show?.split(/[\s,]+/).filter(Boolean);
  const only = element.dataset.only?.split(/[\s,]+/).filter(Boolean);
  let layers = shared.layers;
  if (only) layers = layers.filter((info) => only.some((name) => info.id === name || info.id.startsWith(`${name}.`)));
  if (shown) layers = layers.map((info) => ({ ...info, visible: shown.includes(info.id) }));
  return { ...shared, ...local, layers: [...layers, ...(local.layers ?? []).map((info) => ({ visible: true, ...info }))] };
}

function address(url: string, at: string | null): string {
  const made = new URL(url, location.href);
  if (at) made.searchParams.set("at", at);
  // {z}/{x}/{y} must stay readable for MapLibre.
  return decodeURIComponent(made.href);
}

async function load(island: Island, info: LayerInfo): Promise<void> {
  if (info.kind !== "geojson" || !info.url) return;
  const source = island.map.getSource(info.id) as GeoJSONSource | undefined;
  if (!source) return;
  try {
    const answer = await fetch(address(info.url, info.time ? island.at : null), { headers: { Accept: "application/geo+json, application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    void source.setData((await answer.json()) as GeoJSON.FeatureCollection);
    island.element.querySelector("[data-map-error]")?.setAttribute("hidden", "");
  } catch {
    const place = island.element.querySelector<HTMLElement>("[data-map-error]");
    if (place) {
      place.textContent = t("map.failed", { layer: info.label });
      place.hidden = false;
    }
  }
}

function add(island: Island, info: LayerInfo): void {
  const { map } = island;
  if (map.getSource(info.id)) return;
  if (info.kind === "mvt") {
    map.addSource(info.id, { type: "vector", tiles: [address(info.url ?? "", info.time ? island.at : null)], minzoom: info.min_zoom ?? 0, maxzoom: info.max_zoom ?? 14 });
  } else {
    map.addSource(info.id, { type: "geojson", data: info.data ?? EMPTY });
    void load(island, info);
  }
  // Areas go below lines, lines below points, whatever the order of the catalogue; labels on top.
  const order = ["fill", "line", "circle", "symbol"];
  for (const layer of drawn(info, isDark())) {
    const rank = order.indexOf(layer.type);
    const above = map.getStyle().layers.find((other) => other.id.startsWith("draw:") || order.indexOf(other.type) > rank);
    map.addLayer(layer, above?.id);
  }
}

function remove(island: Island, info: LayerInfo): void {
  for (const layer of drawn(info, isDark())) if (island.map.getLayer(layer.id)) island.map.removeLayer(layer.id);
  if (island.map.getSource(info.id)) island.map.removeSource(info.id);
}

function reload(island: Island, info: LayerInfo): void {
  if (!island.map.getSource(info.id) || island.waiting.has(info.id)) return;
  island.waiting.set(info.id, window.setTimeout(() => {
    island.waiting.delete(info.id);
    if (info.kind === "geojson") void load(island, info);
    else (island.map.getSource(info.id) as VectorTileSource | undefined)?.setTiles([address(info.url ?? "", info.time ? island.at : null)]);
  }, RELOAD_MS));
}

function popup(island: Island, event: MapMouseEvent): void {
  const ids = island.catalogue.layers.flatMap((info) => drawn(info, false).map((layer) => layer.id)).filter((id) => island.map.getLayer(id));
  const near: [[number, number], [number, number]] = [[event.point.x - 4, event.point.y - 4], [event.point.x + 4, event.point.y + 4]];
  const hits = island.map.queryRenderedFeatures(near, { layers: ids });
  const seen = new Set<string>();
  const parts: string[] = [];
  for (const hit of hits) {
    const info = island.catalogue.layers.find((each) => each.id === hit.source);
    const key = `${hit.source}:${String(hit.id ?? hit.properties.id ?? JSON.stringify(hit.properties))}`;
    if (!info || seen.has(key) || parts.length >= 6) continue;
    seen.add(key);
    parts.push(describe(info, hit));
  }
  if (!parts.length) return;
  new Popup({ maxWidth: "300px" }).setLngLat(event.lngLat).setHTML(parts.join("<hr>")).addTo(island.map);
}

function describe(info: LayerInfo, hit: MapGeoJSONFeature): string {
  const given = hit.properties as Record<string, unknown>;
  const title = String(given.title ?? given.name ?? info.label);
  const url = typeof given.url === "string" && given.url.startsWith("/") ? given.url : "";
  const head = url ? `<a href="${escape(url)}"><b>${escape(title)}</b></a>` : `<b>${escape(title)}</b>`;
  const lines = [given.subtitle, given.text].filter(Boolean).map((line) => `<div>${escape(line)}</div>`).join("");
  const marks = given.simulated ? `<span class="mark-simulated">${escape(t("map.simulated"))}</span>` : "";
  return `<div class="map-popup">${head}${lines}<div class="text-secondary small">${escape(info.label)}</div>${marks}</div>`;
}

function basemap(island: Island): void {
  const { basemap: given } = island.catalogue;
  if (!given?.url) return;
  const tiles = [given.crs === "gcj02" ? serveShifted(given.url) : given.url];
  island.map.addSource("basemap", { type: "raster", tiles, tileSize: 256, maxzoom: given.max_zoom ?? 18, ...(given.attribution ? { attribution: given.attribution } : {}) });
  island.map.addLayer({ id: "basemap", type: "raster", source: "basemap" });
}

function controls(island: Island): void {
  const { map, catalogue, element } = island;
  const quiet = element.dataset.quiet !== undefined;
  const custom = catalogue.attribution ? { customAttribution: escape(catalogue.attribution) } : {};
  map.addControl(new AttributionControl({ compact: true, ...custom }), "bottom-right");
  // Credits are long here; they open at a press and do not cover the map before.
  element.querySelector(".maplibregl-ctrl-attrib")?.classList.remove("maplibregl-compact-show");
  map.addControl(new ScaleControl({}), "bottom-left");
  if (quiet) return;
  map.addControl(new NavigationControl({ showCompass: false }), "top-right");
  const place = (made: HTMLElement, corner: "top-left" | "top-right"): void => void map.addControl({ onAdd: () => made, onRemove: () => made.remove() }, corner);
  if (catalogue.search && element.dataset.search !== "off") place(searchBox(map, catalogue.search), "top-left");
  if (catalogue.layers.length > 1 && element.dataset.panel !== "off") {
    place(layerPanel(catalogue, (info, on) => {
      info.visible = on;
      if (on) add(island, info);
      else remove(island, info);
    }, element.dataset.panel === "open"), "top-left");
  }
  if (catalogue.time && element.dataset.time !== "off") {
    element.append(timeSlider(catalogue.time, (at) => {
      island.at = at;
      element.classList.toggle("is-past", at !== null);
      for (const info of catalogue.layers) if (info.time) reload(island, info);
    }));
  }
}

function listen(island: Island): void {
  const { map, catalogue, element } = island;
  map.on("click", (event) => {
    if (map.getCanvas().style.cursor !== "crosshair" && element.dataset.pick === undefined) popup(island, event);
  });
  document.addEventListener("haitang:entry", (event) => {
    const { verb } = (event as CustomEvent<Entry>).detail;
    // Who looks at the past is not pulled back to the present.
    if (island.at) return;
    for (const info of catalogue.layers) if (info.live?.length && concerns(info.live.join(" "), verb)) reload(island, info);
  });
  const again = (): void => catalogue.layers.forEach((info) => info.live?.length && reload(island, info));
  document.addEventListener("haitang:reconnected", again);
  document.addEventListener("haitang:theme", () => {
    map.setPaintProperty("sea", "background-color", seaColour(isDark()));
    for (const info of catalogue.layers.filter((each) => map.getSource(each.id))) {
      remove(island, info);
      add(island, info);
    }
  });
  // A list beside the map can point at things: data-fly="121.4,31.6,13" or data-fly-bounds="w,s,e,n".
  document.addEventListener("click", (event) => {
    const pointer = (event.target as Element).closest<HTMLElement>("[data-fly]");
    if (!pointer || element.dataset.quiet !== undefined) return;
    const [lon, lat, zoom] = (pointer.dataset.fly ?? "").split(",").map(Number);
    if (lon !== undefined && lat !== undefined) map.flyTo({ center: [lon, lat], zoom: zoom ?? 13 });
  });
}

export async function startMap(element: HTMLElement): Promise<void> {
  element.dataset.started = "1";
  const canvas = document.createElement("div");
  canvas.className = "map-canvas";
  element.append(canvas);
  let catalogue: Catalogue;
  try {
    catalogue = await catalogueOf(element);
  } catch {
    canvas.outerHTML = `<div class="empty"><p class="empty-title">${escape(t("map.unavailable"))}</p></div>`;
    return;
  }
  const bounds = (element.dataset.bounds?.split(",").map(Number) ?? catalogue.bounds) as [number, number, number, number] | undefined;
  const centre = element.dataset.center?.split(",").map(Number) as [number, number] | undefined;
  // An open list of layers covers the left edge: the district begins beside it where there is room.
  const beside = element.dataset.panel === "open" && element.clientWidth > 900 ? 240 : 24;
  const padding = { top: 24, right: 24, bottom: catalogue.time && element.dataset.time !== "off" ? 56 : 24, left: beside };
  const map = new MapLibre({
    container: canvas, style: emptyStyle(isDark()), attributionControl: false, dragRotate: false, pitchWithRotate: false,
    interactive: element.dataset.quiet === undefined, cooperativeGestures: element.dataset.cooperative !== undefined,
    ...(centre ? { center: centre, zoom: Number(element.dataset.zoom ?? 11) } : bounds ? { bounds, fitBoundsOptions: { padding } } : { center: [121.5, 31.6] as [number, number], zoom: 8 }),
    locale: { "NavigationControl.ZoomIn": t("map.zoom_in"), "NavigationControl.ZoomOut": t("map.zoom_out") },
  });
  map.touchZoomRotate.disableRotation();
  const island: Island = { map, catalogue, element, at: null, waiting: new Map() };
  map.on("load", () => {
    basemap(island);
    for (const info of catalogue.layers) if (info.visible) add(island, info);
    const target = element.dataset.drawTarget;
    const field = target ? document.querySelector<HTMLTextAreaElement>(target) : null;
    if (field) new DrawTool(map, field, element.dataset.draw ?? field.dataset.geometry ?? "");
    const { pick, pickLayer } = element.dataset;
    if (pick && pickLayer && map.getSource(pickLayer)) new PickTool(map, pick, pickLayer);
    controls(island);
    listen(island);
    map.once("idle", () => (element.dataset.ready = "1"));
  });
  new ResizeObserver(() => map.resize()).observe(element);
}
