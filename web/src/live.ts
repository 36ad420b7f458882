// The live stream: journal entries as they are written, from the last one the page has seen. The address is signed and
// short-lived, so it is asked for again at each connection; `last` makes the server send what was missed, once.
import htmx from "htmx.org";
import { heard } from "./clock";

export interface Entry {
  id: number;
  space: number;
  at: string;
  actor: string;
  verb: string;
  subject: string;
  thread: string;
  place: string | null;
  colour: string;
  text_zh: string;
  text_en: string;
  url: string;
}

const REFRESH_MS = 1000;
const RETRY_MS = [1000, 2000, 5000, 10000, 15000];

let last = "";
let tries = 0;
let source: EventSource | undefined;
let retry = 0;
const waiting = new Map<HTMLElement, number>();
const due = new Set<HTMLElement>();

/** Whether a list such as "alerting. monitoring.alarm" names this verb; "*" names all. */
export function concerns(list: string, verb: string): boolean {
  return list.split(/[\s,]+/).some((prefix) => prefix === "*" || (prefix !== "" && verb.startsWith(prefix)));
}

function badge(state: "on" | "wait" | "off"): void {
  document.querySelectorAll<HTMLElement>("[data-connection]").forEach((element) => {
    element.dataset.connection = state;
  });
}

// An element is refreshed at once, then at most once a second however many entries come.
function refresh(element: HTMLElement): void {
  if (waiting.has(element)) {
    due.add(element);
    return;
  }
  // A list in which somebody has chosen rows is left alone: reading it again would lose the choice.
  if (!element.querySelector("[data-select]:checked")) htmx.trigger(element, "live", {});
  waiting.set(
    element,
    window.setTimeout(() => {
      waiting.delete(element);
      if (due.delete(element) && element.isConnected) refresh(element);
    }, REFRESH_MS),
  );
}

function received(event: MessageEvent<string>): void {
  const entry = JSON.parse(event.data) as Entry;
  last = event.lastEventId || String(entry.id);
  heard(entry.at);
  document.dispatchEvent(new CustomEvent<Entry>("haitang:entry", { detail: entry }));
  document.querySelectorAll<HTMLElement>("[data-live]").forEach((element) => {
    const thread = element.dataset.thread;
    if (concerns(element.dataset.live ?? "", entry.verb) && (!thread || thread === entry.thread)) refresh(element);
  });
}

async function connect(): Promise<void> {
  const address = document.body.dataset.stream;
  if (!address) return;
  clearTimeout(retry);
  source?.close();
  try {
    const answer = await fetch(address, { headers: { Accept: "application/json" }, cache: "no-store" });
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    const { url } = (await answer.json()) as { url: string };
    source = new EventSource(last ? `${url}&last=${last}` : url);
  } catch {
    again();
    return;
  }
  source.addEventListener("entry", received as EventListener);
  source.addEventListener("open", () => {
    const before = tries;
    tries = 0;
    badge("on");
    if (before) document.dispatchEvent(new CustomEvent("haitang:reconnected"));
  });
  source.addEventListener("error", again);
}

function again(): void {
  source?.close();
  source = undefined;
  badge(tries > 1 ? "off" : "wait");
  clearTimeout(retry);
  retry = window.setTimeout(() => void connect(), RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
}

export function startLive(): void {
  last = document.body.dataset.lastEntry ?? "";
  if (!document.body.dataset.stream) return;
  badge("wait");
  void connect();
  window.addEventListener("online", () => void connect());
  window.addEventListener("pagehide", () => source?.close());
  window.addEventListener("pageshow", (event) => event.persisted && void connect());
}
