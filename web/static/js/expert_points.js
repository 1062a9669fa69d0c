// Points of a score matrix: read exactly, held against maximum and bands, added up in thousandths.
import { say } from "./officer_parts.js";

const POINTS = /^(0|[1-9]\d{0,2})(\.\d{1,3})?$/;

export const keyOf = (cell) => `${cell.dataset.item}|${cell.dataset.bid}`;

export function thousandths(text) {
  const [whole, rest = ""] = text.split(".");
  return Number(whole) * 1000 + Number(rest.padEnd(3, "0"));
}

export function written(sum) {
  const rest = String(sum % 1000).padStart(3, "0").replace(/0+$/, "");
  return `${Math.floor(sum / 1000)}${rest ? `.${rest}` : ""}`;
}

/** The points of a cell in thousandths, or -1. */
export const pointsOf = (cell) => (POINTS.test(cell.value.trim()) ? thousandths(cell.value.trim()) : -1);

const bandsOf = (cell) => cell.dataset.bands.split(" ").filter(Boolean).map((band) => band.split(":").map(thousandths));

/** What is wrong with a cell, "" when it is in order; `reason`: what stands beside it. */
export function fault(cell, reason) {
  if (!cell.value.trim()) return "empty";
  const points = pointsOf(cell);
  if (points < 0) return "not_number";
  if (points > thousandths(cell.dataset.max)) return "most";
  const bands = bandsOf(cell);
  if (bands.length && !bands.some(([low, high]) => low <= points && points <= high)) return "outside";
  return cell.dataset.kind === "subjective" && !reason.trim() ? "reason" : "";
}

const rowsOf = (room, item) => [...room.querySelectorAll(`[data-bands-of="${item}"] tbody tr`)];
const holds = (row, points) => thousandths(row.dataset.low) <= points && points <= thousandths(row.dataset.high);

/** The name of the band a cell's points fall in, "" without bands. */
export function bandName(room, cell) {
  const row = rowsOf(room, cell.dataset.item).find((one) => holds(one, pointsOf(cell)));
  return row ? row.cells[1].textContent.split(/[：:]/)[0].trim() : "";
}

/** Mark the band of the cell's points in the table of bands. */
export function showBand(room, cell) {
  for (const row of rowsOf(room, cell.dataset.item)) row.classList.toggle("sel", holds(row, pointsOf(cell)));
}

/** Show under a cell what is wrong with it, or its band and how many pieces of evidence it has. */
export function mark(room, cell, reason, pins) {
  const wrong = fault(cell, reason);
  const note = document.getElementById(cell.getAttribute("aria-describedby"));
  const bad = wrong && wrong !== "empty" && wrong !== "reason";
  cell.classList.toggle("bad", Boolean(bad));
  if (bad) cell.setAttribute("aria-invalid", "true"); else cell.removeAttribute("aria-invalid");
  note.classList.toggle("why--bad", Boolean(bad));
  const told = [bandName(room, cell), pins ? say("pins", pins) : ""].filter(Boolean).join(" · ");
  note.textContent = wrong ? say(wrong, cell.dataset.max) : told || say("ok");
  return wrong;
}

/** The sum of the cells of a bid: `{sum, given, of}`, `sum` as text. */
export function sumOf(cells, bid) {
  const column = cells.filter((cell) => cell.dataset.bid === bid);
  const given = column.filter((cell) => pointsOf(cell) >= 0);
  return { sum: given.length ? written(given.reduce((sum, cell) => sum + pointsOf(cell), 0)) : "–", given: given.length, of: column.length };
}
