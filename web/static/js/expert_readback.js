// Everything once more before the lock: points, totals, reasons with their evidence, and what becomes irrevocable.
import { keyOf, sumOf } from "./expert_points.js";
import { cites, readPins } from "./expert_pins.js";
import { say } from "./officer_parts.js";

/** Fill the page that reads back. `reasons`: key → text; `pins`: key → list. */
export function fillBack(back, cells, reasons, pins) {
  for (const cell of cells) {
    const key = keyOf(cell);
    const points = back.querySelector(`[data-back="${CSS.escape(key)}"]`), why = back.querySelector(`[data-back-why="${CSS.escape(key)}"]`);
    points.textContent = cell.value.trim();
    const told = reasons.get(key) ?? "", evidence = pins.get(key) ?? [];
    why.closest("[data-back-item]").hidden = cell.dataset.kind !== "subjective" && !told.trim() && !evidence.length;
    why.previousElementSibling.querySelector("b").textContent = cell.value.trim();
    readPins(why, told, evidence);
  }
  for (const sum of back.querySelectorAll("[data-back-sum]")) sum.textContent = sumOf(cells, sum.dataset.backSum).sum;
  const subjective = cells.filter((cell) => cell.dataset.kind === "subjective");
  const cited = subjective.filter((cell) => (pins.get(keyOf(cell)) ?? []).some((pin) => cites(reasons.get(keyOf(cell)) ?? "", pin)));
  back.querySelector("[data-back-cells]").textContent = say("back_cells", cells.length);
  back.querySelector("[data-back-reasons]").textContent = say("back_reasons", subjective.length);
  back.querySelector("[data-back-cited]").textContent = say("back_cited", cited.length, subjective.length);
}
