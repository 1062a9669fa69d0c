import { serverNow } from "./clock.js";
import { loadAnew } from "./page.js";

// The reader's keys: arrows and page keys turn a line, on the projector by its links, on the host's page by its forms; f fills the screen.
const NEXT = new Set(["ArrowRight", "ArrowDown", "PageDown"]);
const BACK = new Set(["ArrowLeft", "ArrowUp", "PageUp"]);

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select, [contenteditable]") || event.ctrlKey || event.metaKey || event.altKey) return;
  const wanted = NEXT.has(event.key) ? "[data-next]" : BACK.has(event.key) ? "[data-prev]" : "";
  const button = wanted && document.querySelector(wanted);
  if (button && !button.disabled) {
    event.preventDefault();
    button.click();
  }
  if (event.key === "f" && document.body.classList.contains("pj")) document.documentElement.requestFullscreen?.();
});

document.addEventListener("hour", () => setTimeout(() => loadAnew(), 2_000)); // the screen of the room turns by itself at the hour

// A screen that no longer hears from the house says since when: its clock stands at the last update, struck through, until it is back.
const bar = document.querySelector("body.pj [data-live]");
const face = document.querySelector("[data-clock-time]");
const stopped = document.querySelector("[data-clock-stopped]");
if (bar && face && stopped) {
  new MutationObserver(() => {
    const lost = bar.classList.contains("is-on");
    document.body.classList.toggle("is-lost", lost);
    if (lost && stopped.hidden) stopped.textContent = bar.dataset.at;
    face.hidden = lost;
    stopped.hidden = !lost;
  }).observe(bar, { attributes: true, attributeFilter: ["class"] });
}

// The last minute to confirm is said in red and in words.
if (document.body.classList.contains("pj")) {
  setInterval(() => {
    const box = document.querySelector("[data-last-minute]");
    const until = Number(box?.querySelector("[data-until]")?.dataset.until ?? 0);
    if (!until) return;
    const last = until - serverNow() <= 60_000;
    box.classList.toggle("is-last", last);
    box.querySelector(".cd__last").hidden = !last;
  }, 1_000);
}
