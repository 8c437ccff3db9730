"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const one = (selector, within = document) => within.querySelector(selector);

  // ---- light and dark: follows the system until somebody chooses
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const remembered = (value) => {
    try {
      if (value) localStorage.setItem("comity-theme", value);
      return localStorage.getItem("comity-theme");
    } catch { return value ?? null; }
  };
  const toggle = one("#theme");
  const isDark = () => (root.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
  const name = () => { toggle.textContent = isDark() ? "Light" : "Dark"; };
  const asked = new URLSearchParams(location.search).get("theme") ?? remembered();
  if (asked === "dark" || asked === "light") root.dataset.theme = asked;
  toggle.hidden = false;
  toggle.addEventListener("click", () => { root.dataset.theme = remembered(isDark() ? "light" : "dark") ?? (isDark() ? "light" : "dark"); name(); });
  dark.addEventListener("change", name);
  name();

  // ---- the matrix: text, verdict, level, area
  const filters = one(".filters");
  const rows = all(".matrix tr[data-verdict]");
  const state = { text: "", verdict: "", level: "", area: "" };
  const fits = (row) =>
    (!state.verdict || row.dataset.verdict.split(" ").includes(state.verdict)) &&
    (!state.level || row.dataset.level === state.level) &&
    (!state.area || row.dataset.area === state.area) &&
    state.text.split(/\s+/).every((word) => row.dataset.text.includes(word));
  const apply = () => {
    for (const row of rows) row.hidden = !fits(row);
    for (const body of all(".matrix tbody")) body.hidden = all("tr[data-verdict]", body).every((row) => row.hidden);
    const shown = rows.filter((row) => !row.hidden).length;
    one("#shown").textContent = shown === rows.length ? `${shown} requirements` : `${shown} of ${rows.length} requirements`;
    one(".none").hidden = shown > 0;
  };
  if (filters) {
    filters.hidden = false;
    one("#find").addEventListener("input", (event) => { state.text = event.target.value.trim().toLowerCase(); apply(); });
    for (const key of ["level", "area"]) one(`#${key}`).addEventListener("change", (event) => { state[key] = event.target.value; apply(); });
    for (const chip of all(".chips button")) chip.addEventListener("click", () => {
      state.verdict = chip.dataset.verdict;
      for (const other of all(".chips button")) other.setAttribute("aria-pressed", String(other === chip));
      apply();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "/" && !/INPUT|SELECT|TEXTAREA/.test(document.activeElement.tagName)) { event.preventDefault(); one("#find").focus(); }
    });
    apply();
  }

  // ---- diagrams, step by step
  for (const player of all(".player")) {
    const steps = all(".events button", player);
    const marks = all("svg [data-n]", player);
    const drawing = one(".drawing", player);
    const buttons = Object.fromEntries(all("[data-go]", player).map((button) => [button.dataset.go, button]));
    let at = -1;
    const show = (index) => {
      at = Math.max(-1, Math.min(index, steps.length - 1));
      for (const mark of marks) {
        const n = Number(mark.dataset.n);
        mark.classList.toggle("now", n === at);
        mark.classList.toggle("later", at >= 0 && n > at);
      }
      steps.forEach((step, n) => (n === at ? step.setAttribute("aria-current", "step") : step.removeAttribute("aria-current")));
      one("output", player).textContent = at < 0 ? `${steps.length} steps` : `step ${at + 1} of ${steps.length}`;
      buttons.first.disabled = buttons.back.disabled = at < 0;
      buttons.next.disabled = at === steps.length - 1;
      if (at < 0) return;
      const band = one(`svg [data-n="${at}"]`, player).getBoundingClientRect();
      const box = drawing.getBoundingClientRect();
      drawing.scrollTop += band.top - box.top - box.height / 2;
      const list = one(".events", player);
      list.scrollTop = steps[at].offsetTop - list.offsetTop - list.clientHeight / 2;
    };
    one(".controls", player).hidden = false;
    buttons.first.addEventListener("click", () => show(-1));
    buttons.back.addEventListener("click", () => show(at - 1));
    buttons.next.addEventListener("click", () => show(at + 1));
    steps.forEach((step, n) => step.addEventListener("click", () => show(n)));
    player.addEventListener("keydown", (event) => {
      const go = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: steps.length - 1, Escape: -1 }[event.key];
      if (go === undefined) return;
      event.preventDefault();
      show(go);
    });
    show(-1);
  }

  for (const button of all("[data-copy]")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.previousElementSibling.textContent);
      button.textContent = "Copied";
    });
  }
  addEventListener("beforeprint", () => { for (const details of all("details")) details.open = true; });
})();
