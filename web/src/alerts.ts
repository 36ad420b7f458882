// Red means act now: a new red on the page sounds and flashes in the title. Whatever the page shows as
// data-alert="red" data-key="..." counts; a key that was there before is not new.
import { t } from "./strings";

const MUTED = "haitang.muted";
const seen = new Set<string>();
let audio: AudioContext | undefined;
let flashing = 0;
let title = "";

const muted = (): boolean => localStorage.getItem(MUTED) === "1";

function beep(): void {
  if (muted()) return;
  audio ??= new AudioContext();
  // Browsers keep sound back until the person has touched the page; the badge and the title still tell.
  if (audio.state === "suspended") void audio.resume();
  for (const [start, pitch] of [[0, 880], [0.25, 660], [0.5, 880]] as const) {
    const tone = audio.createOscillator();
    const gain = audio.createGain();
    tone.frequency.value = pitch;
    gain.gain.setValueAtTime(0.001, audio.currentTime + start);
    gain.gain.exponentialRampToValueAtTime(0.3, audio.currentTime + start + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + start + 0.22);
    tone.connect(gain).connect(audio.destination);
    tone.start(audio.currentTime + start);
    tone.stop(audio.currentTime + start + 0.24);
  }
}

function flash(count: number): void {
  if (!flashing) title = document.title;
  clearInterval(flashing);
  let on = false;
  flashing = window.setInterval(() => {
    on = !on;
    document.title = on ? t("alert.title", { n: count }) : title;
  }, 1000);
}

function calm(): void {
  if (!flashing) return;
  clearInterval(flashing);
  flashing = 0;
  document.title = title;
}

function look(first: boolean): void {
  const fresh: string[] = [];
  document.querySelectorAll<HTMLElement>('[data-alert="red"][data-key]').forEach((element) => {
    const key = element.dataset.key as string;
    if (seen.has(key)) return;
    seen.add(key);
    fresh.push(key);
    if (!first) element.classList.add("alert-new");
  });
  if (first || !fresh.length) return;
  beep();
  flash(fresh.length);
  document.dispatchEvent(new CustomEvent("haitang:red", { detail: fresh }));
}

function showMute(): void {
  document.querySelectorAll<HTMLElement>("[data-mute]").forEach((button) => {
    button.setAttribute("aria-pressed", String(muted()));
    button.classList.toggle("is-muted", muted());
    button.title = t(muted() ? "alert.unmute" : "alert.mute");
  });
}

export function startAlerts(): void {
  look(true);
  document.addEventListener("htmx:afterSettle", () => look(false));
  for (const kind of ["pointerdown", "keydown", "focus"]) window.addEventListener(kind, calm, { passive: true });
  document.addEventListener("click", (event) => {
    if (!(event.target as Element).closest("[data-mute]")) return;
    localStorage.setItem(MUTED, muted() ? "0" : "1");
    showMute();
  });
  showMute();
}
