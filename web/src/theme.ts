// Light or dark. The choice is a cookie, so that the server draws the page right the first time.

function current(): string {
  return document.documentElement.dataset.bsTheme ?? "light";
}

export function isDark(): boolean {
  return current() === "dark";
}

export function startTheme(): void {
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest("[data-theme-toggle]");
    if (!button) return;
    const next = isDark() ? "light" : "dark";
    document.documentElement.dataset.bsTheme = next;
    document.cookie = `theme=${next};path=/;max-age=31536000;samesite=lax`;
    document.dispatchEvent(new CustomEvent("haitang:theme", { detail: next }));
  });
}
