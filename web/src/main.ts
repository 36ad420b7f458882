// What every page loads. Map and charts come only where a page has one.
import "@tabler/core/dist/css/tabler.css";
import "./styles/shell.css";
import "./styles/wall.css";
import "./styles/phone.css";
import "./styles/map.css";
import "./styles/alerting.css";
import "@tabler/core";
import htmx from "htmx.org";
import { startAlerts } from "./alerts";
import { startClock } from "./clock";
import { startDialogs } from "./dialog";
import { startForms } from "./forms";
import { startLive } from "./live";
import { startPush } from "./push";
import { startTables } from "./table";
import { startTheme } from "./theme";
import { t } from "./strings";

// The page's policy forbids eval; HTMX works without.
htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false;
htmx.config.historyCacheSize = 0;

document.addEventListener("htmx:configRequest", (event) => {
  const token = /(?:^|;\s*)csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? document.querySelector<HTMLInputElement>("[name=csrfmiddlewaretoken]")?.value;
  if (token) (event as CustomEvent<{ headers: Record<string, string> }>).detail.headers["X-CSRFToken"] = token;
});

// A part of the page that cannot be loaded says so; the rest of the page stays.
for (const kind of ["htmx:responseError", "htmx:sendError"]) {
  document.addEventListener(kind, (event) => {
    const { target } = (event as CustomEvent<{ target?: HTMLElement }>).detail;
    target?.setAttribute("data-failed", t("part.failed"));
  });
}
document.addEventListener("htmx:afterSwap", (event) => (event.target as HTMLElement).removeAttribute("data-failed"));

// A form in a page may come with a shape field: it gets a map to draw on.
function shapeFields(): void {
  document.querySelectorAll<HTMLTextAreaElement>("textarea[data-geometry]:not([data-mapped])").forEach((field) => {
    field.dataset.mapped = "1";
    field.id ||= `shape-${Math.random().toString(36).slice(2)}`;
    const map = document.createElement("div");
    map.className = "map map-form";
    map.dataset.map = "";
    map.dataset.panel = "off";
    map.dataset.time = "off";
    map.dataset.drawTarget = `#${field.id}`;
    map.dataset.draw = field.dataset.geometry ?? "";
    map.dataset.layers = field.dataset.layers ?? document.body.dataset.layers ?? "";
    map.innerHTML = '<div class="map-hint" data-map-hint hidden></div>';
    field.before(map);
  });
}

// On small screens the navigation comes from the side.
function sideNavigation(): void {
  const side = document.getElementById("side");
  const button = document.querySelector("[data-side-toggle]");
  const show = (open: boolean): void => {
    side?.classList.toggle("is-open", open);
    button?.setAttribute("aria-expanded", String(open));
  };
  button?.addEventListener("click", () => show(!side?.classList.contains("is-open")));
  document.addEventListener("click", (event) => {
    if (!(event.target as Element).closest("#side, [data-side-toggle]")) show(false);
  });
  document.addEventListener("keydown", (event) => event.key === "Escape" && show(false));
}

function islands(): void {
  shapeFields();
  const maps = document.querySelectorAll<HTMLElement>("[data-map]:not([data-started])");
  if (maps.length) void import("./map/map").then(({ startMap }) => maps.forEach((each) => each.dataset.started ?? void startMap(each)));
  const charts = document.querySelectorAll<HTMLElement>("[data-chart]:not([data-started])");
  if (charts.length) void import("./charts").then(({ startChart }) => charts.forEach((each) => each.dataset.started ?? startChart(each)));
}

startTheme();
sideNavigation();
startClock();
startDialogs();
startTables();
startForms();
startAlerts();
startLive();
startPush();
islands();
document.addEventListener("htmx:afterSettle", islands);
