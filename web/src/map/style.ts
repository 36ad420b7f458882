// A layer's style as MapLibre wants it.
import type { ExpressionSpecification, LayerSpecification, StyleSpecification } from "maplibre-gl";
import type { LayerInfo, Style } from "./catalogue";

/** Drawn from the reader's own fonts: the style names no glyph server. */
export const FONTS = ["Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", "PingFang SC", "sans-serif"];

const NAMED: Record<string, string> = {
  red: "#d92d20",
  orange: "#f76707",
  yellow: "#e6b800",
  blue: "#1c7ed6",
  green: "#2f9e44",
  grey: "#868e96",
  gray: "#868e96",
};

export function plainColour(colour: string | undefined): string {
  return NAMED[colour ?? ""] ?? colour ?? "#1c7ed6";
}

function colourOf(style: Style): string | ExpressionSpecification {
  const pairs = Object.entries(style.colours ?? {});
  if (!style.by) return plainColour(style.colour);
  // With no list of its own the property holds the colour's name or value.
  const table = pairs.length ? pairs : Object.entries(NAMED);
  const cases = table.flatMap(([value, colour]) => [value, plainColour(colour)]);
  const other = pairs.length ? plainColour(style.colour) : ["to-color", ["get", style.by], plainColour(style.colour)];
  return ["match", ["to-string", ["get", style.by]], ...cases, other] as unknown as ExpressionSpecification;
}

/** Opacity and size of a feature may be told by its own properties `faded` and `size`. */
const faded = (opacity: number): ExpressionSpecification =>
  ["case", ["to-boolean", ["get", "faded"]], opacity * 0.35, opacity] as unknown as ExpressionSpecification;

function labelLayer(info: LayerInfo, base: object, dark: boolean): LayerSpecification {
  const { style } = info;
  const point = style.type === "circle";
  return {
    ...base,
    id: `${info.id}:label`,
    type: "symbol",
    minzoom: Math.max(info.min_zoom ?? 0, point ? 11 : 8.2),
    layout: {
      "text-field": ["coalesce", ["get", style.label as string], ""],
      "text-font": FONTS,
      "text-size": point ? 11.5 : 12.5,
      "text-anchor": point ? "top" : "center",
      "text-offset": point ? [0, 0.7] : [0, 0],
      "text-optional": true,
      "symbol-placement": style.type === "line" ? "line" : "point",
      "text-max-width": 9,
    },
    paint: {
      "text-color": dark ? "#e9eef5" : "#25303b",
      "text-halo-color": dark ? "#0c1420" : "#ffffff",
      "text-halo-width": 1.4,
    },
  } as unknown as LayerSpecification;
}

/** The MapLibre layers of one of ours: the shape, its outline where it has one, its label. */
export function drawn(info: LayerInfo, dark: boolean): LayerSpecification[] {
  const { style } = info;
  const base: Record<string, unknown> = { source: info.id, minzoom: info.min_zoom ?? 0 };
  if (info.kind === "mvt") base["source-layer"] = info.source_layer ?? info.id;
  const colour = colourOf(style);
  const layers: unknown[] = [];
  if (style.type === "fill") {
    // Where points stand beside areas in one layer, fill and line skip them by themselves; a line, though, would be filled.
    const areas = ["in", ["geometry-type"], ["literal", ["Polygon", "MultiPolygon"]]];
    layers.push({ ...base, id: `${info.id}:fill`, type: "fill", filter: areas, paint: { "fill-color": colour, "fill-opacity": faded(style.opacity ?? 0.25) } });
    layers.push({
      ...base, id: `${info.id}:line`, type: "line",
      paint: { "line-color": style.by ? colour : plainColour(style.outline || style.colour), "line-width": style.width ?? 1, ...(style.dash?.length ? { "line-dasharray": style.dash } : {}) },
    });
  } else if (style.type === "line") {
    layers.push({
      ...base, id: `${info.id}:line`, type: "line", layout: { "line-cap": "round", "line-join": "round" },
      paint: { "line-color": colour, "line-width": style.width ?? 1.5, "line-opacity": faded(style.opacity ?? 1), ...(style.dash?.length ? { "line-dasharray": style.dash } : {}) },
    });
  } else {
    const radius = style.radius ?? 6;
    // to-number makes 0 of a property that is not there.
    const size = ["*", ["case", ["has", "size"], ["to-number", ["get", "size"], 1], 1], radius];
    layers.push({
      ...base, id: `${info.id}:circle`, type: "circle",
      paint: {
        "circle-color": colour, "circle-opacity": faded(0.95),
        "circle-radius": ["interpolate", ["linear"], ["zoom"], 8, ["*", 0.6, size], 11, size, 15, ["*", 1.5, size]],
        "circle-stroke-color": dark ? "#0c1420" : "#ffffff", "circle-stroke-width": 1.3,
      },
    });
  }
  if (style.label) layers.push(labelLayer(info, base, dark));
  return layers as LayerSpecification[];
}

export const seaColour = (dark: boolean): string => (dark ? "#0b1826" : "#dbe9f4");

export function emptyStyle(dark: boolean): StyleSpecification {
  return {
    version: 8,
    sources: {},
    layers: [{ id: "sea", type: "background", paint: { "background-color": seaColour(dark) } }],
  };
}
