// What the server says about the map: /onemap/layers.json, or a smaller catalogue that a page carries itself.

export interface Style {
  type: "circle" | "fill" | "line";
  colour: string;
  /** One colour for each value of the property `by`; `colour` for every other value. */
  by?: string;
  colours?: Record<string, string>;
  radius?: number;
  width?: number;
  opacity?: number;
  outline?: string;
  dash?: number[];
  label?: string;
}

export interface LayerInfo {
  id: string;
  label: string;
  group?: string;
  kind: "geojson" | "mvt";
  url?: string;
  /** The features themselves, for a page's own small layer. */
  data?: GeoJSON.FeatureCollection;
  source_layer?: string;
  style: Style;
  legend?: [string, string][];
  live?: string[];
  time?: boolean;
  min_zoom?: number;
  max_zoom?: number;
  visible?: boolean;
  note?: string;
}

export interface Basemap {
  url: string;
  crs?: "wgs84" | "gcj02";
  attribution?: string;
  max_zoom?: number;
}

export interface Catalogue {
  layers: LayerInfo[];
  bounds?: [number, number, number, number];
  basemap?: Basemap | null;
  search?: string;
  attribution?: string;
  /** The span of the time slider; absent where nothing on the map has a past. */
  time?: { from: string; to: string } | null;
}

export async function fetchCatalogue(url: string): Promise<Catalogue> {
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`${answer.status} ${url}`);
  return (await answer.json()) as Catalogue;
}
