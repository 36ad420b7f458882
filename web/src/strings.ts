// Texts come from Django's catalogue: the page carries them as JSON (shell/strings.py), so that there is one catalogue.

let texts: Record<string, string> | undefined;

/** The text of a key in the page's language, with {name} replaced. A missing key shows itself. */
export function t(key: string, values: Record<string, string | number> = {}): string {
  texts ??= JSON.parse(document.getElementById("strings")?.textContent ?? "{}") as Record<string, string>;
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}

export const language = (): string => document.documentElement.lang || "zh-Hans";

export function escape(text: unknown): string {
  const holder = document.createElement("span");
  holder.textContent = String(text ?? "");
  return holder.innerHTML;
}
