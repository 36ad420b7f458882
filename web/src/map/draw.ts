// Draw a point, line or polygon on the map and keep it as GeoJSON in a form field; drag its corners to mend it.
import type { GeoJSONSource, Map as MapLibre, MapMouseEvent } from "maplibre-gl";
import { t } from "../strings";

type Kind = "Point" | "LineString" | "Polygon";
type Position = [number, number];

const round = (value: number): number => Number(value.toFixed(6));

/** The kind that the field takes, of those the tool can draw. MultiPolygon fields are given a Polygon first. */
export function drawable(kinds: string): Kind[] {
  const wanted = kinds.split(/[\s,]+/).filter(Boolean);
  const all: Kind[] = ["Point", "LineString", "Polygon"];
  if (!wanted.length) return all;
  return all.filter((kind) => wanted.some((name) => name.replace("Multi", "").toLowerCase() === kind.toLowerCase()));
}

export class DrawTool {
  private corners: Position[] = [];
  private kind: Kind;
  private drawing = false;
  private dragged = -1;
  private readonly map: MapLibre;
  private readonly field: HTMLInputElement | HTMLTextAreaElement;
  private readonly multi: boolean;
  /** Parts of a shape that the tool does not edit (holes, further parts); they are kept until something new is drawn. */
  private untouched: GeoJSON.Geometry | null = null;

  constructor(map: MapLibre, field: HTMLInputElement | HTMLTextAreaElement, kinds: string) {
    this.map = map;
    this.field = field;
    const can = drawable(kinds);
    this.kind = can.at(-1) ?? "Polygon";
    this.multi = /multi/i.test(kinds) && !kinds.split(/[\s,]+/).includes(this.kind);
    map.addSource("draw", { type: "geojson", data: this.picture() });
    map.addLayer({ id: "draw:fill", source: "draw", type: "fill", filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": "#d6336c", "fill-opacity": 0.2 } });
    map.addLayer({ id: "draw:line", source: "draw", type: "line", paint: { "line-color": "#d6336c", "line-width": 2 } });
    map.addLayer({
      id: "draw:corner", source: "draw", type: "circle", filter: ["==", ["geometry-type"], "Point"],
      paint: { "circle-radius": 6, "circle-color": "#ffffff", "circle-stroke-color": "#d6336c", "circle-stroke-width": 2.5 },
    });
    this.addButtons(can);
    this.listen();
    this.read(true);
    field.addEventListener("input", () => this.read(true));
  }

  private addButtons(can: Kind[]): void {
    const bar = document.createElement("div");
    bar.className = "maplibregl-ctrl maplibregl-ctrl-group map-draw";
    const button = (text: string, title: string, act: () => void): HTMLButtonElement => {
      const made = document.createElement("button");
      made.type = "button";
      made.textContent = text;
      made.title = title;
      made.setAttribute("aria-label", title);
      made.addEventListener("click", act);
      bar.append(made);
      return made;
    };
    const signs: Record<Kind, [string, string]> = { Point: ["●", "draw.point"], LineString: ["╱", "draw.line"], Polygon: ["⬠", "draw.polygon"] };
    for (const kind of can) {
      const [sign, key] = signs[kind];
      button(sign, t(key), () => this.start(kind));
    }
    button("✕", t("draw.clear"), () => this.clear());
    this.map.addControl({ onAdd: () => bar, onRemove: () => bar.remove() }, "top-right");
  }

  private start(kind: Kind): void {
    this.kind = kind;
    this.corners = [];
    this.untouched = null;
    this.drawing = true;
    this.map.getCanvas().style.cursor = "crosshair";
    this.map.doubleClickZoom.disable();
    this.say(t(kind === "Point" ? "draw.hint_point" : "draw.hint"));
    this.show();
  }

  private clear(): void {
    this.corners = [];
    this.untouched = null;
    this.finish();
  }

  private finish(): void {
    this.drawing = false;
    this.map.getCanvas().style.cursor = "";
    setTimeout(() => this.map.doubleClickZoom.enable(), 300);
    this.say("");
    this.write();
    this.show();
  }

  private say(text: string): void {
    const frame = this.map.getContainer().parentElement;
    const place = frame?.querySelector<HTMLElement>("[data-map-hint]");
    if (place) {
      place.textContent = text;
      place.hidden = !text;
    }
  }

  private enough(): boolean {
    return this.corners.length >= { Point: 1, LineString: 2, Polygon: 3 }[this.kind];
  }

  private geometry(): GeoJSON.Geometry | null {
    if (this.untouched) return this.untouched;
    if (!this.enough()) return null;
    if (this.kind === "Point") return { type: "Point", coordinates: this.corners[0] as Position };
    if (this.kind === "LineString") {
      return this.multi ? { type: "MultiLineString", coordinates: [this.corners] } : { type: "LineString", coordinates: this.corners };
    }
    const ring = [...this.corners, this.corners[0] as Position];
    return this.multi ? { type: "MultiPolygon", coordinates: [[ring]] } : { type: "Polygon", coordinates: [ring] };
  }

  private write(): void {
    const shape = this.geometry();
    this.field.value = shape ? JSON.stringify(shape) : "";
    this.field.dispatchEvent(new Event("change", { bubbles: true }));
  }

  private read(fit: boolean): void {
    if (this.drawing) return;
    let shape: GeoJSON.Geometry | null = null;
    const text = this.field.value.trim();
    const pair = /^(-?[\d.]+)\s*[,，]\s*(-?[\d.]+)$/.exec(text);
    try {
      shape = pair ? { type: "Point", coordinates: [Number(pair[1]), Number(pair[2])] } : text ? (JSON.parse(text) as GeoJSON.Geometry) : null;
    } catch {
      return; // half-typed text: the server says what is wrong with it
    }
    this.corners = [];
    this.untouched = null;
    if (shape?.type === "Point") [this.kind, this.corners] = ["Point", [shape.coordinates as Position]];
    else if (shape?.type === "LineString") [this.kind, this.corners] = ["LineString", shape.coordinates as Position[]];
    else if (shape?.type === "Polygon" && shape.coordinates.length === 1) [this.kind, this.corners] = ["Polygon", (shape.coordinates[0] as Position[]).slice(0, -1)];
    else this.untouched = shape;
    this.show();
    if (fit && shape) this.lookAt(shape);
  }

  private lookAt(shape: GeoJSON.Geometry): void {
    const flat = (JSON.stringify((shape as GeoJSON.Point).coordinates).match(/-?\d+(\.\d+)?(e-?\d+)?/g) ?? []).map(Number);
    const lons = flat.filter((_, i) => i % 2 === 0);
    const lats = flat.filter((_, i) => i % 2 === 1);
    if (!lons.length) return;
    this.map.fitBounds([Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)], { padding: 60, maxZoom: 14, animate: false });
  }

  private picture(): GeoJSON.FeatureCollection {
    const features: GeoJSON.Feature[] = [];
    const add = (geometry: GeoJSON.Geometry, properties = {}): void => void features.push({ type: "Feature", geometry, properties });
    const shape = this.geometry();
    if (shape) add(shape);
    else if (this.corners.length > 1) add({ type: "LineString", coordinates: this.corners });
    if (!this.untouched) this.corners.forEach((corner, index) => add({ type: "Point", coordinates: corner }, { index }));
    return { type: "FeatureCollection", features };
  }

  private show(): void {
    void (this.map.getSource("draw") as GeoJSONSource | undefined)?.setData(this.picture());
  }

  private listen(): void {
    const { map } = this;
    map.on("click", (event: MapMouseEvent) => {
      if (!this.drawing) return;
      this.corners.push([round(event.lngLat.lng), round(event.lngLat.lat)]);
      if (this.kind === "Point") this.finish();
      else this.show();
    });
    map.on("dblclick", (event: MapMouseEvent) => {
      if (!this.drawing) return;
      event.preventDefault();
      this.corners.pop(); // a double click is two clicks
      if (this.enough()) this.finish();
    });
    const grab = (event: MapMouseEvent & { features?: { properties: Record<string, unknown> }[] }): void => {
      const index = event.features?.[0]?.properties.index;
      if (this.drawing || typeof index !== "number") return;
      event.preventDefault();
      this.dragged = index;
    };
    map.on("mousedown", "draw:corner", grab as never);
    map.on("touchstart", "draw:corner", grab as never);
    const move = (event: MapMouseEvent): void => {
      if (this.dragged < 0) return;
      this.corners[this.dragged] = [round(event.lngLat.lng), round(event.lngLat.lat)];
      this.show();
    };
    map.on("mousemove", move);
    map.on("touchmove", move as never);
    const drop = (): void => {
      if (this.dragged < 0) return;
      this.dragged = -1;
      this.write();
    };
    map.on("mouseup", drop);
    map.on("touchend", drop);
    map.getContainer().addEventListener("keydown", (event) => {
      if (!this.drawing) return;
      if (event.key === "Enter" && this.enough()) this.finish();
      else if (event.key === "Escape") this.clear();
      else if (event.key === "Backspace") {
        this.corners.pop();
        this.show();
      } else return;
      event.preventDefault();
    });
  }
}
