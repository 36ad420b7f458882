// "Are you sure?": a form or button with data-confirm="text" asks first. The question is a native dialog, which the
// keyboard and screen readers know.
import { t } from "./strings";

function ask(text: string, danger: boolean): Promise<boolean> {
  const dialog = document.createElement("dialog");
  dialog.className = "confirm";
  const message = document.createElement("p");
  message.textContent = text;
  const form = document.createElement("form");
  form.method = "dialog";
  for (const [value, label, style] of [
    ["no", t("confirm.no"), "btn"],
    ["yes", t("confirm.yes"), danger ? "btn btn-danger" : "btn btn-primary"],
  ] as const) {
    const button = document.createElement("button");
    button.value = value;
    button.className = style;
    button.textContent = label;
    form.append(button);
  }
  dialog.append(message, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

export function startDialogs(): void {
  document.addEventListener("submit", (event) => {
    const form = event.target as HTMLFormElement;
    const submitter = (event as SubmitEvent).submitter as HTMLButtonElement | null;
    const asking = submitter?.dataset.confirm !== undefined ? submitter : form;
    const text = asking.dataset.confirm;
    if (text === undefined || form.dataset.confirmed === "1") {
      delete form.dataset.confirmed;
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    void ask(text, asking.dataset.danger !== undefined).then((yes) => {
      if (!yes) return;
      form.dataset.confirmed = "1";
      form.requestSubmit(submitter);
    });
  }, true);
  document.addEventListener("htmx:confirm", (event) => {
    const { elt, issueRequest } = (event as CustomEvent).detail as { elt: HTMLElement; issueRequest: (skip: boolean) => void };
    const text = elt.dataset.confirm;
    // A form was asked about when it was submitted.
    if (text === undefined || elt instanceof HTMLFormElement) return;
    event.preventDefault();
    void ask(text, elt.dataset.danger !== undefined).then((yes) => yes && issueRequest(true));
  });
}
