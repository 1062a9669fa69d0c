// The server's clock. Measures how far this computer is off (median of three calls to /time, half the round trip taken off), at load and
// each minute, and ticks the clock of the band. Other modules ask `serverNow()`.
let offset = 0; // server minus this computer, in ms
let known = false;

export const serverNow = () => Date.now() + offset;
export const isMeasured = () => known;

const clock = document.querySelector("[data-clock]");
const zoneMs = Number(clock?.dataset.offset ?? 0);
const two = (n) => String(n).padStart(2, "0");

/** Date and time in the centre's zone: for whatever may be read on another day. */
export function momentOf(ms) {
  const local = new Date(ms + zoneMs);
  return `${local.getUTCFullYear()}-${two(local.getUTCMonth() + 1)}-${two(local.getUTCDate())} ${hourOf(ms)}`;
}

export function hourOf(ms) {
  const local = new Date(ms + zoneMs);
  return `${two(local.getUTCHours())}:${two(local.getUTCMinutes())}:${two(local.getUTCSeconds())}`;
}

async function one() {
  const sent = performance.now();
  const answer = await fetch("/time", { cache: "no-store", credentials: "omit" });
  if (!answer.ok) throw new Error(String(answer.status));
  const { ms } = await answer.json();
  const round = performance.now() - sent;
  return ms + round / 2 - Date.now();
}

async function measure() {
  const found = [];
  for (let i = 0; i < 3; i += 1) {
    try { found.push(await one()); } catch { /* offline: keep what we know */ }
  }
  if (!found.length) return;
  offset = found.sort((a, b) => a - b)[Math.floor(found.length / 2)];
  known = true;
  show();
}

function show() {
  const drift = document.querySelector("[data-clock-drift]");
  if (clock?.dataset.rehearsal) return; // a clock moved by hand tells nothing about this computer
  const seconds = Math.abs(offset) / 1000;
  if (drift && clock) {
    const words = offset < 0 ? clock.dataset.ahead : clock.dataset.behind;
    drift.textContent = ` · ${words.replace("{0}", seconds < 100 ? seconds.toFixed(1) : String(Math.round(seconds)))}`;
    drift.classList.toggle("is-off", seconds > 2);
  }
  const note = document.querySelector("[data-drift]");
  if (note) note.hidden = seconds <= 30;
}

function tick() {
  const place = document.querySelector("[data-clock-time]");
  if (place) place.textContent = hourOf(serverNow());
  const ends = document.querySelector("[data-session-ends]");
  if (ends) ends.hidden = Number(ends.dataset.sessionEnds) - serverNow() > 5 * 60_000;
  setTimeout(tick, 1000 - (((serverNow() % 1000) + 1000) % 1000) + 5);
}

if (clock) {
  offset = Number(clock.dataset.clock) - Date.now(); // the moment of the page, until measured
  tick();
  measure();
  setInterval(measure, 60_000);
}
