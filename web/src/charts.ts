// The chart island: <div data-chart data-src="/..."> or with its description inside as JSON. The description is ours
// (docs/components.md), not ECharts', so that the library can change.
import { BarChart, GaugeChart, LineChart, ScatterChart } from "echarts/charts";
import { DataZoomComponent, GridComponent, LegendComponent, MarkAreaComponent, MarkLineComponent, TooltipComponent } from "echarts/components";
import { init, use, type ECharts } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { concerns, type Entry } from "./live";
import { plainColour } from "./map/style";
import { escape, language, t } from "./strings";
import { isDark } from "./theme";

use([LineChart, BarChart, GaugeChart, ScatterChart, GridComponent, TooltipComponent, LegendComponent, MarkLineComponent, MarkAreaComponent, DataZoomComponent, CanvasRenderer]);

type Point = [string | number, number | null, (number | null)?];

export interface ChartSpec {
  kind: "line" | "bar" | "gauge";
  unit?: string;
  series?: { name: string; data: Point[] | (number | null)[]; colour?: string; dashed?: boolean; area?: boolean; step?: boolean; bars?: boolean; stack?: string; points?: boolean; band?: boolean }[];
  categories?: string[];
  thresholds?: { value: number; label?: string; colour?: string }[];
  /** A moment marked with an upright line. */
  marks?: { at: string; label?: string; colour?: string }[];
  value?: number;
  min?: number;
  max?: number;
  digits?: number;
  horizontal?: boolean;
  note?: string;
}

const LIGHT = { text: "#3c4a5a", line: "#dfe5ec", series: ["#1864ab", "#e8590c", "#2b8a3e", "#862e9c", "#0b7285", "#a61e4d"] };
const DARK = { text: "#c3cfdd", line: "#2a3a4d", series: ["#74c0fc", "#ffa94d", "#8ce99a", "#da77f2", "#66d9e8", "#faa2c1"] };

function time(value: number | string): string {
  return new Intl.DateTimeFormat(language() === "en" ? "en-GB" : "zh-CN", {
    timeZone: "Asia/Shanghai", month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
  }).format(new Date(value));
}

function number(value: unknown, spec: ChartSpec): string {
  if (value === null || value === undefined || value === "-") return "—";
  return `${Number(value).toFixed(spec.digits ?? 2).replace(/\.?0+$/, "")}${spec.unit ? ` ${spec.unit}` : ""}`;
}

function markLine(spec: ChartSpec, across: "xAxis" | "yAxis"): object | undefined {
  const colour = isDark() ? DARK : LIGHT;
  const lines = [
    ...(spec.thresholds ?? []).map((line) => ({
      [across]: line.value, name: line.label ?? "",
      lineStyle: { color: plainColour(line.colour ?? "red"), type: "solid" as const, width: 1.2 },
      label: { formatter: line.label ?? String(line.value), color: plainColour(line.colour ?? "red"), position: "insideEndTop" as const },
    })),
    ...(spec.marks ?? []).map((mark) => ({
      xAxis: mark.at, name: mark.label ?? "",
      lineStyle: { color: mark.colour ? plainColour(mark.colour) : colour.text, type: "dashed" as const, width: 1 },
      label: { formatter: mark.label ?? "", color: colour.text, position: "end" as const },
    })),
  ];
  return lines.length ? { symbol: "none", silent: true, data: lines } : undefined;
}

function axes(spec: ChartSpec): { x: object; y: object } {
  const colour = isDark() ? DARK : LIGHT;
  const text = { color: colour.text, hideOverlap: true };
  const values = {
    type: "value", scale: spec.kind === "line", min: spec.min, max: spec.max, name: spec.unit ?? "",
    nameTextStyle: { color: colour.text, align: "left" }, axisLabel: text, splitLine: { lineStyle: { color: colour.line } },
  };
  const names = { type: "category", data: spec.categories ?? [], axisLabel: { ...text, interval: spec.horizontal ? 0 : "auto" }, axisTick: { show: false }, axisLine: { lineStyle: { color: colour.line } } };
  if (spec.kind === "line" && !spec.categories) {
    return { x: { type: "time", axisLabel: { ...text, formatter: (value: number) => time(value).replace(/^(\S+)\s/, "$1\n") }, axisLine: { lineStyle: { color: colour.line } } }, y: values };
  }
  return spec.horizontal ? { x: values, y: { ...names, inverse: true } } : { x: names, y: values };
}

function cartesian(spec: ChartSpec): object {
  const colour = isDark() ? DARK : LIGHT;
  const { x, y } = axes(spec);
  const series = spec.series ?? [];
  return {
    color: colour.series,
    grid: { left: 8, right: 16, top: series.length > 1 || spec.unit ? 36 : 16, bottom: 8, containLabel: true },
    legend: series.length > 1 ? { top: 0, right: 0, textStyle: { color: colour.text }, type: "scroll" } : undefined,
    tooltip: { trigger: "axis", confine: true, valueFormatter: (value: unknown) => number(value, spec) },
    xAxis: x,
    yAxis: y,
    series: series.flatMap((each, index) => each.band ? band(each) : [{
      type: each.points ? "scatter" : each.bars ? "bar" : spec.kind, name: each.name, data: each.data, stack: each.stack, step: each.step ? "end" : undefined,
      showSymbol: spec.kind === "line" && each.data.length < 3, connectNulls: false, barMaxWidth: 28, animation: false, sampling: each.bars || each.points ? undefined : "lttb",
      symbolSize: each.points ? 7 : undefined, z: each.points ? 4 : undefined,
      itemStyle: each.colour ? { color: plainColour(each.colour) } : undefined,
      lineStyle: { width: 2, type: each.dashed ? "dashed" : "solid" },
      areaStyle: each.area ? { opacity: 0.15 } : undefined,
      markLine: index === 0 ? markLine(spec, spec.horizontal ? "xAxis" : "yAxis") : undefined,
    }]),
  };
}

/** An area between two values at each moment: an unseen line below, and upon it the width. */
function band(each: NonNullable<ChartSpec["series"]>[number]): object[] {
  const colour = plainColour(each.colour ?? "grey");
  const line = { type: "line", stack: `band ${each.name}`, stackStrategy: "all", showSymbol: false, animation: false, silent: true, lineStyle: { opacity: 0 }, itemStyle: { color: colour }, z: 1 };
  const points = each.data as Point[];
  const width = points.map(([at, low, high]) => [at, low === null || high === null || high === undefined ? null : Number((high - low).toFixed(4))]);
  return [
    { ...line, data: points.map(([at, low]) => [at, low]), tooltip: { show: false } },
    { ...line, name: each.name, data: width, areaStyle: { color: colour, opacity: 0.22 }, tooltip: { show: false } },
  ];
}

function gauge(spec: ChartSpec): object {
  const colour = isDark() ? DARK : LIGHT;
  const [min, max] = [spec.min ?? 0, spec.max ?? 100];
  const steps = (spec.thresholds ?? []).map((step) => [(step.value - min) / (max - min), plainColour(step.colour)] as [number, string]);
  return {
    series: [{
      type: "gauge", min, max, radius: "92%", animation: false, data: [{ value: spec.value ?? 0 }],
      axisLine: { lineStyle: { width: 12, color: steps.length ? [...steps, ...(steps.at(-1)![0] < 1 ? [[1, "#868e96"] as [number, string]] : [])] : [[1, colour.series[0]]] } },
      axisLabel: { color: colour.text, distance: 16, fontSize: 10 }, axisTick: { show: false }, splitLine: { length: 12, lineStyle: { color: colour.line } },
      pointer: { width: 4 }, detail: { formatter: () => number(spec.value, spec), color: colour.text, fontSize: 18, offsetCenter: [0, "70%"] },
    }],
  };
}

function isEmpty(spec: ChartSpec): boolean {
  if (spec.kind === "gauge") return spec.value === undefined || spec.value === null;
  return !spec.series?.some((each) => each.data.length);
}

async function describe(element: HTMLElement): Promise<ChartSpec> {
  if (!element.dataset.src) return JSON.parse(element.querySelector("script[type='application/json']")?.textContent ?? "{}") as ChartSpec;
  const answer = await fetch(element.dataset.src, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(String(answer.status));
  return (await answer.json()) as ChartSpec;
}

export function startChart(element: HTMLElement): void {
  element.dataset.started = "1";
  const canvas = document.createElement("div");
  canvas.className = "chart-canvas";
  element.append(canvas);
  let chart: ECharts | undefined;
  let timer = 0;
  const say = (text: string): void => {
    chart?.dispose();
    chart = undefined;
    canvas.innerHTML = `<div class="chart-message">${escape(text)}</div>`;
  };
  const show = async (): Promise<void> => {
    try {
      const spec = await describe(element);
      if (isEmpty(spec)) return say(t("chart.empty"));
      if (!chart) {
        canvas.replaceChildren();
        chart = init(canvas);
      }
      chart.setOption((spec.kind === "gauge" ? gauge(spec) : cartesian(spec)) as never, true);
      element.dataset.ready = "1";
    } catch {
      say(t("chart.failed"));
    }
  };
  const again = (): void => {
    timer ||= window.setTimeout(() => {
      timer = 0;
      if (element.isConnected) void show();
    }, 1000);
  };
  document.addEventListener("haitang:entry", (event) => {
    if (element.dataset.src && concerns(element.dataset.live ?? "", (event as CustomEvent<Entry>).detail.verb)) again();
  });
  document.addEventListener("haitang:theme", () => void show());
  new ResizeObserver(() => chart?.resize()).observe(element);
  void show();
}
