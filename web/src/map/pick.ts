// Choose places by clicking them: <div data-map data-pick="places" data-pick-layer="townships">. A click ticks or unticks
// the form's checkbox <input name="places" value="code">; what is ticked is drawn filled.
import type { Map as MapLibre, MapMouseEvent } from "maplibre-gl";

export class PickTool {
  private readonly map: MapLibre;
  private readonly name: string;

  constructor(map: MapLibre, name: string, layer: string) {
    this.map = map;
    this.name = name;
    map.addLayer({
      id: "draw:picked", source: layer, type: "fill", filter: ["in", ["get", "code"], ["literal", []]],
      paint: { "fill-color": "#d6336c", "fill-opacity": 0.35 },
    });
    map.addLayer({ id: "draw:hit", source: layer, type: "fill", paint: { "fill-color": "#000000", "fill-opacity": 0 } });
    map.on("click", "draw:hit", (event) => this.click(event));
    document.addEventListener("change", (event) => {
      if ((event.target as HTMLInputElement).name === name) this.show();
    });
    this.show();
  }

  private boxes(): HTMLInputElement[] {
    return [...document.querySelectorAll<HTMLInputElement>(`input[type=checkbox][name="${this.name}"]`)];
  }

  private click(event: MapMouseEvent): void {
    // While a shape is being drawn, a click sets a corner.
    if (this.map.getCanvas().style.cursor === "crosshair") return;
    const hit = this.map.queryRenderedFeatures(event.point, { layers: ["draw:hit"] })[0];
    const code = hit?.properties.code as string | undefined;
    const box = this.boxes().find((each) => each.value === code);
    if (!box) return;
    box.checked = !box.checked;
    box.dispatchEvent(new Event("change", { bubbles: true }));
  }

  private show(): void {
    const ticked = this.boxes().filter((box) => box.checked).map((box) => box.value);
    // A ticked parent (the district) covers its townships: their codes are listed in data-under.
    const under = this.boxes().filter((box) => box.checked).flatMap((box) => (box.dataset.under ?? "").split(" ").filter(Boolean));
    this.map.setFilter("draw:picked", ["in", ["get", "code"], ["literal", [...ticked, ...under]]]);
  }
}
