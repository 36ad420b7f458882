// The clock of the space in view. The page gives its time, speed and whether it is moved by hand; everything that
// counts down reads it here and nowhere else.
import { language, t } from "./strings";

const ZONE = "Asia/Shanghai";

let base = 0;
let anchor = 0;
let speed = 1;

function read(): void {
  const { now, speed: given } = document.body.dataset;
  base = now ? Date.parse(now) : Date.now();
  anchor = performance.now();
  speed = given === undefined ? 1 : Number(given);
}

/** Milliseconds since 1970 in the space in view. */
export function spaceNow(): number {
  return base + (performance.now() - anchor) * speed;
}

/** A journal entry tells the space's time: a clock that is moved by hand learns it only so, one that runs is put right by it. */
export function heard(at: string): void {
  const time = Date.parse(at);
  if (speed === 0 ? time > base : Math.abs(time - spaceNow()) > 2000 * speed) {
    base = time;
    anchor = performance.now();
    tick();
  }
}

export function formatClock(time: number): string {
  return new Intl.DateTimeFormat(language() === "en" ? "en-GB" : "zh-CN", {
    timeZone: ZONE,
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  }).format(time);
}

/** "1 h 20 min" in the page's language; only the two largest units. */
export function formatSpan(milliseconds: number): string {
  const seconds = Math.floor(Math.abs(milliseconds) / 1000);
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days) return t("span.days", { d: days, h: hours });
  if (hours) return t("span.hours", { h: hours, m: minutes });
  if (minutes >= 10) return t("span.minutes", { m: minutes });
  return t("span.seconds", { m: minutes, s: seconds % 60 });
}

function countdown(element: HTMLElement): void {
  const left = Date.parse(element.dataset.due ?? "") - spaceNow();
  if (Number.isNaN(left)) return;
  const warn = Number(element.dataset.warnS ?? 600) * 1000;
  element.textContent = left >= 0 ? t("due.left", { span: formatSpan(left) }) : t("due.over", { span: formatSpan(left) });
  element.classList.toggle("due-over", left < 0);
  element.classList.toggle("due-soon", left >= 0 && left < warn);
}

function since(element: HTMLElement): void {
  const gone = spaceNow() - Date.parse(element.dataset.since ?? "");
  if (!Number.isNaN(gone)) element.textContent = gone < 0 ? t("ago.in", { span: formatSpan(gone) }) : t("ago.since", { span: formatSpan(gone) });
}

export function tick(): void {
  const time = spaceNow();
  document.querySelectorAll<HTMLElement>("[data-clock]").forEach((element) => {
    element.textContent = formatClock(time);
  });
  document.querySelectorAll<HTMLElement>("[data-due]").forEach(countdown);
  document.querySelectorAll<HTMLElement>("[data-since]").forEach(since);
}

export function startClock(): void {
  read();
  tick();
  setInterval(tick, 1000);
  document.addEventListener("htmx:afterSettle", tick);
}
