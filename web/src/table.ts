// Lists: choose rows, act on the chosen, and walk with the keyboard (j, k, x, Enter; / goes to the search box).

function boxes(table: Element): HTMLInputElement[] {
  return [...table.querySelectorAll<HTMLInputElement>("tbody input[data-select]")];
}

function showChosen(table: Element): void {
  const all = boxes(table);
  const chosen = all.filter((box) => box.checked).length;
  const head = table.querySelector<HTMLInputElement>("input[data-select-all]");
  if (head) {
    head.checked = chosen > 0 && chosen === all.length;
    head.indeterminate = chosen > 0 && chosen < all.length;
  }
  const frame = table.closest("[data-table-frame], form, .card") ?? document;
  frame.querySelectorAll<HTMLElement>("[data-bulk]").forEach((bar) => {
    bar.hidden = chosen === 0;
    bar.querySelectorAll("[data-bulk-count]").forEach((place) => (place.textContent = String(chosen)));
  });
}

function focusRow(table: HTMLElement, step: number): void {
  const rows = [...table.querySelectorAll<HTMLElement>("tbody tr[data-href], tbody tr[data-key]")];
  const now = rows.findIndex((row) => row.classList.contains("is-current"));
  const next = rows[Math.max(0, Math.min(rows.length - 1, now + step))];
  if (!next) return;
  rows[now]?.classList.remove("is-current");
  next.classList.add("is-current");
  next.tabIndex = -1;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

function key(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector("dialog[open], .modal.show")) return;
  if (event.key === "/") {
    const search = document.querySelector<HTMLInputElement>("[data-search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
    return;
  }
  const table = document.querySelector<HTMLElement>("table[data-table], ul[data-table], div[data-table]");
  if (!table) return;
  const row = table.querySelector<HTMLElement>("tr.is-current");
  if (event.key === "j") focusRow(table, 1);
  else if (event.key === "k") focusRow(table, -1);
  else if (event.key === "x") row?.querySelector<HTMLInputElement>("input[data-select]")?.click();
  else if (event.key === "Enter" && row?.dataset.href) location.assign(row.dataset.href);
}

export function startTables(): void {
  document.addEventListener("keydown", key);
  document.addEventListener("change", (event) => {
    const box = event.target as HTMLInputElement;
    const table = box.closest("table[data-table]");
    if (!table) return;
    if (box.matches("[data-select-all]")) boxes(table).forEach((each) => (each.checked = box.checked));
    if (box.matches("[data-select], [data-select-all]")) showChosen(table);
  });
  // A whole row is a link, except where it holds its own.
  document.addEventListener("click", (event) => {
    const target = event.target as Element;
    const row = target.closest<HTMLElement>("tr[data-href]");
    if (!row || target.closest("a, button, input, label, select, .no-link") || getSelection()?.toString()) return;
    if (event.metaKey || event.ctrlKey) window.open(row.dataset.href, "_blank", "noopener");
    else location.assign(row.dataset.href as string);
  });
  document.addEventListener("htmx:afterSettle", () => document.querySelectorAll("table[data-table]").forEach(showChosen));
}
