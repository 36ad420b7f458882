// Forms: submit on change, once only, and what a phone adds: where I am, and a photograph small enough to send.
import { t } from "./strings";

const LONGEST_SIDE = 1600;

function locate(button: HTMLElement): void {
  const form = button.closest("form") ?? document;
  const say = (text: string): void => {
    const place = form.querySelector("[data-locate-status]");
    if (place) place.textContent = text;
  };
  if (!navigator.geolocation || !window.isSecureContext) return say(t("locate.unavailable"));
  say(t("locate.working"));
  navigator.geolocation.getCurrentPosition(
    ({ coords }) => {
      const put = (name: string, value: number): void => {
        const field = form.querySelector<HTMLInputElement>(`[data-${name}]`);
        if (field) field.value = value.toFixed(6);
      };
      put("lon", coords.longitude);
      put("lat", coords.latitude);
      const shape = form.querySelector<HTMLTextAreaElement>("[data-geometry]");
      if (shape) {
        shape.value = JSON.stringify({ type: "Point", coordinates: [Number(coords.longitude.toFixed(6)), Number(coords.latitude.toFixed(6))] });
        shape.dispatchEvent(new Event("input", { bubbles: true }));
      }
      say(t("locate.done", { m: Math.round(coords.accuracy) }));
    },
    () => say(t("locate.refused")),
    { enableHighAccuracy: true, timeout: 15000, maximumAge: 60000 },
  );
}

async function shrink(file: File): Promise<File> {
  if (!/^image\/(jpeg|png|webp)$/.test(file.type)) return file;
  const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  const scale = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(picture.width * scale);
  canvas.height = Math.round(picture.height * scale);
  canvas.getContext("2d")?.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.82));
  return blob && blob.size < file.size ? new File([blob], file.name.replace(/\.\w+$/, ".jpg"), { type: "image/jpeg" }) : file;
}

async function photographs(input: HTMLInputElement): Promise<void> {
  const chosen = [...(input.files ?? [])];
  const carrier = new DataTransfer();
  for (const file of chosen) carrier.items.add(await shrink(file).catch(() => file));
  input.files = carrier.files;
  const preview = input.closest("form")?.querySelector("[data-photo-preview]");
  if (!preview) return;
  preview.replaceChildren(
    ...[...carrier.files].map((file) => {
      const image = document.createElement("img");
      image.src = URL.createObjectURL(file);
      image.alt = file.name;
      image.onload = () => URL.revokeObjectURL(image.src);
      return image;
    }),
  );
}

export function startForms(): void {
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-locate]");
    if (button) locate(button);
    const printer = (event.target as Element).closest("[data-print]");
    if (printer) window.print();
    const copier = (event.target as Element).closest<HTMLElement>("[data-copy]");
    if (copier) void navigator.clipboard?.writeText(copier.dataset.copy ?? "");
  });
  document.addEventListener("change", (event) => {
    const field = event.target as HTMLInputElement;
    if (field.matches("input[type=file][data-photo]")) void photographs(field);
    if (field.closest("[data-submit-on-change]") && !field.matches("[data-no-submit]")) field.form?.requestSubmit();
  });
  // A second press while the answer is under way would send the thing twice.
  document.addEventListener("submit", (event) => {
    const form = event.target as HTMLFormElement;
    if (event.defaultPrevented || form.method === "dialog" || form.hasAttribute("hx-get") || form.hasAttribute("hx-post")) return;
    if (form.target === "_blank" || form.dataset.download !== undefined) return;
    setTimeout(() => form.querySelectorAll<HTMLButtonElement>("button[type=submit], button:not([type])").forEach((button) => {
      button.disabled = true;
      button.dataset.sent = "";
    }));
  });
  window.addEventListener("pageshow", () => {
    document.querySelectorAll<HTMLButtonElement>("button[data-sent]").forEach((button) => (button.disabled = false));
  });
}
