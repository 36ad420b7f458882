// Base maps in China may be shifted (GCJ-02). The platform's own data is WGS-84 and stays where it is: a tile of the
// base map is put together from the neighbours that cover its true ground.
import { addProtocol } from "maplibre-gl";

const A = 6378245;
const EE = 0.00669342162296594323;

/** The shift in degrees that GCJ-02 adds at a WGS-84 position (the public approximation, good to about a metre). */
export function shift(lon: number, lat: number): [number, number] {
  const x = lon - 105;
  const y = lat - 35;
  const root = Math.sqrt(Math.abs(x));
  const wave = (20 * Math.sin(6 * x * Math.PI) + 20 * Math.sin(2 * x * Math.PI)) * (2 / 3);
  let north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + wave;
  north += ((20 * Math.sin(y * Math.PI) + 40 * Math.sin((y / 3) * Math.PI)) * 2) / 3;
  north += ((160 * Math.sin((y / 12) * Math.PI) + 320 * Math.sin((y * Math.PI) / 30)) * 2) / 3;
  let east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + wave;
  east += ((20 * Math.sin(x * Math.PI) + 40 * Math.sin((x / 3) * Math.PI)) * 2) / 3;
  east += ((150 * Math.sin((x / 12) * Math.PI) + 300 * Math.sin((x / 30) * Math.PI)) * 2) / 3;
  const radians = (lat / 180) * Math.PI;
  const magic = 1 - EE * Math.sin(radians) ** 2;
  return [
    (east * 180) / ((A / Math.sqrt(magic)) * Math.cos(radians) * Math.PI),
    (north * 180) / (((A * (1 - EE)) / (magic * Math.sqrt(magic))) * Math.PI),
  ];
}

/** Position in tiles (fractions included) at a zoom. */
function tileAt(lon: number, lat: number, z: number): [number, number] {
  const n = 2 ** z;
  const radians = (lat * Math.PI) / 180;
  return [((lon + 180) / 360) * n, ((1 - Math.asinh(Math.tan(radians)) / Math.PI) / 2) * n];
}

function middle(z: number, x: number, y: number): [number, number] {
  const n = 2 ** z;
  return [((x + 0.5) / n) * 360 - 180, (Math.atan(Math.sinh(Math.PI * (1 - (2 * (y + 0.5)) / n))) * 180) / Math.PI];
}

async function picture(template: string, z: number, x: number, y: number, signal: AbortSignal): Promise<ImageBitmap | null> {
  const url = template.replace("{z}", String(z)).replace("{x}", String(x)).replace("{y}", String(y));
  const answer = await fetch(url, { signal });
  return answer.ok ? createImageBitmap(await answer.blob()) : null;
}

/** Register tiles of the form gcj02://z/x/y made from the given template. */
export function serveShifted(template: string): string {
  addProtocol("gcj02", async (request, abort) => {
    const [z, x, y] = request.url.replace("gcj02://", "").split("/").map(Number) as [number, number, number];
    const [lon, lat] = middle(z, x, y);
    const [east, north] = shift(lon, lat);
    const [wgsX, wgsY] = tileAt(lon, lat, z);
    const [gcjX, gcjY] = tileAt(lon + east, lat + north, z);
    const left = x + gcjX - wgsX;
    const top = y + gcjY - wgsY;
    const canvas = new OffscreenCanvas(256, 256);
    const pen = canvas.getContext("2d");
    const parts = [0, 1].flatMap((i) => [0, 1].map((j) => [Math.floor(left) + i, Math.floor(top) + j] as const));
    await Promise.all(
      parts.map(async ([column, row]) => {
        const image = await picture(template, z, column, row, abort.signal);
        if (image) pen?.drawImage(image, (column - left) * 256, (row - top) * 256, 256, 256);
      }),
    );
    return { data: await createImageBitmap(canvas) };
  });
  return "gcj02://{z}/{x}/{y}";
}
