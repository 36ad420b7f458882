// Web push: the person asks for it in the profile; the browser's address goes to the server.
import { t } from "./strings";

function bytes(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64.replace(/-/g, "+").replace(/_/g, "/").padEnd(Math.ceil(base64.length / 4) * 4, "="));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function csrf(): string {
  return /(?:^|;\s*)csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? "";
}

async function subscribe(button: HTMLElement): Promise<void> {
  const say = (key: string): void => {
    const place = document.querySelector("[data-push-status]");
    if (place) place.textContent = t(key);
  };
  const registration = await navigator.serviceWorker?.ready;
  if (!registration || !("PushManager" in window)) return say("push.unavailable");
  if ((await Notification.requestPermission()) !== "granted") return say("push.refused");
  try {
    const address = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(button.dataset.pushKey ?? "") });
    const answer = await fetch(button.dataset.pushUrl ?? "", {
      method: "POST", headers: { "Content-Type": "application/json", "X-CSRFToken": csrf() }, body: JSON.stringify(address),
    });
    say(answer.ok ? "push.done" : "push.failed");
  } catch {
    say("push.failed");
  }
}

export function startPush(): void {
  if (document.body.dataset.serviceWorker && "serviceWorker" in navigator && window.isSecureContext) {
    void navigator.serviceWorker.register(document.body.dataset.serviceWorker).catch(() => undefined);
  }
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-push-key]");
    if (button) void subscribe(button);
  });
}
