"use strict";
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const key = "inceptions-theme";
  // Some browsers give pages from the disk no storage: then a choice lasts as long as the page is open.
  const recall = () => { try { return localStorage.getItem(key); } catch { return null; } };
  const keep = (theme) => { try { localStorage.setItem(key, theme); } catch { /* as above */ } };
  const chosen = recall();
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;

  const isDark = () => (root.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";

  const setUpTheme = () => {
    const button = document.getElementById("theme");
    const name = () => { button.textContent = isDark() ? "Light colours" : "Dark colours"; };
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      keep(root.dataset.theme);
      name();
    });
    dark.addEventListener("change", name);
    name();
    button.hidden = false;
  };

  // Numbers by size, words by alphabet; what has no value comes last either way.
  const order = (one, other, sign) => {
    if (one === "" || other === "") return (one === "") - (other === "");
    const a = Number(one), b = Number(other);
    return sign * (Number.isNaN(a) || Number.isNaN(b) ? one.localeCompare(other) : a - b);
  };

  const setUpSorting = (table) => {
    const heads = [...table.tHead.rows[0].cells].filter((head) => head.dataset.sort);
    for (const head of heads) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const first = head.dataset.sort;
        const now = head.getAttribute("aria-sort");
        const way = now === null ? first : now === "ascending" ? "descending" : "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", way);
        const column = head.cellIndex, body = table.tBodies[0], sign = way === "ascending" ? 1 : -1;
        const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
        body.append(...[...body.rows].sort((a, b) => order(value(a), value(b), sign)));
      });
    }
  };

  // What is folded away on the screen belongs onto paper.
  const unfolded = [];
  addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details:not([open])")) { one.open = true; unfolded.push(one); }
  });
  addEventListener("afterprint", () => { for (const one of unfolded.splice(0)) one.open = false; });

  addEventListener("DOMContentLoaded", () => {
    setUpTheme();
    document.querySelectorAll("table.sortable").forEach(setUpSorting);
  });
})();
