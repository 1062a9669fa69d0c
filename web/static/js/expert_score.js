// The score room: cell, page and band side by side; the draft kept encrypted, everything read back, the sheet signed and locked. No point
// leaves this page before the reveal; what is posted is the signed commitment alone.
import { keyBox, openedRing } from "./expert_key.js";
import { reader, thumb } from "./expert_pages.js";
import { listPins, MOST_PINS, nextNumber, signedReason } from "./expert_pins.js";
import { bandName, fault, keyOf, mark, pointsOf, showBand, sumOf, written } from "./expert_points.js";
import { fillBack } from "./expert_readback.js";
import { draftOf, keepDraft, keepSheet, offerSheet, sheetName } from "./expert_vault.js";
import { marksOf, post } from "./keys_ring.js";
import { faultWords, fetchJson, say, serverSeconds } from "./officer_parts.js";
import { b64u } from "./sb/bytes.js";
import { signDocument } from "./sb/documents.js";
import { scoreCommit } from "./sb/draws.js";
import { need } from "./sb/errors.js";
import { random } from "./sb/hashes.js";
import { formatTime } from "./sb/times.js";

const desk = document.querySelector("[data-score]");
const room = desk?.querySelector("[data-room]");
const cells = room ? [...room.querySelectorAll("[data-cell]")] : [];
const reasons = new Map(), pins = new Map(), views = new Map();
const side = room?.querySelector("[data-side]"), why = room?.querySelector("[data-why]");
const back = desk?.querySelector("[data-readback]"), locked = desk?.querySelector("[data-locked]");
const base = desk?.dataset.base;
let ring = null, data = null, current = null, timer = 0, leaf = null, key = null;

const reasonOf = (cell) => reasons.get(keyOf(cell)) ?? "";
const pinsOf = (cell) => pins.get(keyOf(cell)) ?? [];
const bidNamed = (name) => [...room.querySelectorAll("[data-bid-head]")].find((one) => one.dataset.bidHead === name);
const shortName = (name) => bidNamed(name).dataset.short;
const labelOf = (cell) => `${cell.dataset.title} ${shortName(cell.dataset.bid)}`;

// --- what stands in the page ---------------------------------------------------------------------------------------------------------

function sums() {
  for (const place of room.querySelectorAll("[data-sum]")) {
    const { sum, given, of } = sumOf(cells, place.dataset.sum);
    place.replaceChildren(sum);
    if (given && given < of) {
      const left = document.createElement("span");
      left.className = "why";
      left.textContent = say("missing", of - given);
      place.append(left);
    }
  }
  const open = cells.filter((cell) => fault(cell, reasonOf(cell)));
  desk.querySelector("[data-filled]").textContent = String(cells.length - open.length);
  for (const square of desk.querySelectorAll("[data-square]")) {
    const cell = document.getElementById(square.dataset.square);
    square.className = `sq${current === cell ? " sq--now" : fault(cell, reasonOf(cell)) ? (cell.value.trim() ? " sq--bad" : "") : " sq--done"}`;
  }
  const bar = desk.querySelector("[data-squares]");
  bar.setAttribute("aria-label", say("squares", cells.length - open.length, cells.length));
  toGo(open);
  return open;
}

/** What is still wanting, each a link to its cell, and whether the sheet can be read back. */
function toGo(open) {
  const list = desk.querySelector("[data-to-go]");
  list.replaceChildren(...open.slice(0, 8).map((cell) => {
    const line = document.createElement("li"), link = document.createElement("a");
    link.href = `#${cell.id}`;
    const wrong = fault(cell, reasonOf(cell));
    link.textContent = wrong === "empty" ? labelOf(cell) : `${labelOf(cell)}：${say(wrong, cell.dataset.max)}`;
    link.addEventListener("click", (event) => { event.preventDefault(); cell.focus(); });
    line.append(link);
    return line;
  }));
  desk.querySelector("[data-left]").textContent = open.length ? say("left", open.length) : say("complete");
  const again = desk.querySelector("[data-again]");
  const stop = open.length ? "why_fill" : again && !again.value.trim() ? "why_again" : ring ? "" : "why_key";
  const button = desk.querySelector("[data-read]");
  button.disabled = Boolean(stop);
  desk.querySelector("[data-read-why]").textContent = say(stop || "why_ready");
}

function sameSection() {
  for (const card of desk.querySelectorAll("[data-same]")) {
    const cell = cells.find((one) => one.dataset.item === current.dataset.item && one.dataset.bid === card.dataset.same);
    const view = viewOf(cell), held = pinsOf(cell), points = pointsOf(cell);
    card.classList.toggle("on", cell === current);
    if (cell === current) card.setAttribute("aria-current", "true"); else card.removeAttribute("aria-current");
    card.querySelector("[data-same-page]").textContent = say("page_short", view.page);
    card.querySelector("[data-same-points]").textContent = points < 0 ? say("empty") : written(points);
    card.querySelector("[data-same-band]").textContent = points < 0 ? "" : bandName(room, cell);
    card.querySelector("[data-same-quote]").textContent = held.find((pin) => pin.quote)?.quote ?? "";
    card.querySelector("[data-same-pins]").textContent = held.length ? say("pins", held.length) : say("no_pins");
    thumb(card.querySelector("img"), base, view);
  }
  desk.querySelector("[data-same-item]").textContent = current.dataset.title;
}

// --- the cell one is in --------------------------------------------------------------------------------------------------------------

/** The page shown for a cell: its own, its first evidence, or where the same item was read in another bid. */
function viewOf(cell) {
  const own = views.get(keyOf(cell));
  if (own) return own;
  const pin = pinsOf(cell)[0], id = Number(bidNamed(cell.dataset.bid).dataset.id), files = Number(bidNamed(cell.dataset.bid).dataset.files);
  const like = pin ?? [...views.entries()].reverse().find(([name]) => name.startsWith(`${cell.dataset.item}|`))?.[1] ?? { place: 0, page: 1 };
  return { bid: String(id), name: shortName(cell.dataset.bid), place: Math.min(like.place, files - 1), page: like.page };
}

function turned(view) {
  views.delete(keyOf(current));
  views.set(keyOf(current), view);
  leaf.show(view, pinsOf(current));
  sameSection();
  later();
}

function enter(cell) {
  current?.closest("td").classList.remove("cur");
  current = cell;
  cell.closest("td").classList.add("cur");
  side.hidden = false;
  for (const row of room.querySelectorAll("[data-row]")) row.classList.toggle("on", row.dataset.row === cell.dataset.item);
  for (const bands of room.querySelectorAll("[data-bands-of]")) bands.hidden = bands.dataset.bandsOf !== cell.dataset.item;
  for (const files of room.querySelectorAll("[data-files-of]")) files.hidden = files.dataset.filesOf !== cell.dataset.bid;
  side.querySelector("[data-side-title]").textContent = `${cell.dataset.title} · ${shortName(cell.dataset.bid)}`;
  const label = room.querySelector("[data-why-label]");
  label.textContent = cell.dataset.kind === "subjective" ? label.dataset.need : label.dataset.may;
  why.value = reasonOf(cell);
  showBand(room, cell);
  leaf.show(viewOf(cell), pinsOf(cell));
  showPins();
  sums();
  sameSection();
}

function changed() {
  mark(room, current, reasonOf(current), pinsOf(current).length);
  showBand(room, current);
  sums();
  sameSection();
  later();
}

function move(cell, step) {
  const column = cells.filter((one) => one.dataset.bid === cell.dataset.bid);
  column[column.indexOf(cell) + step]?.focus();
}

const nextOpen = () => {
  const from = cells.indexOf(current);
  const order = [...cells.slice(from + 1), ...cells.slice(0, from + 1)];
  (order.find((cell) => !cell.value.trim()) ?? order.find((cell) => fault(cell, reasonOf(cell))) ?? current).focus();
};

// --- evidence ------------------------------------------------------------------------------------------------------------------------

function showPins(focus = 0) {
  const held = pinsOf(current);
  desk.querySelector("[data-pins-count]").textContent = held.length ? say("pins", held.length) : say("no_pins");
  listPins(room.querySelector("[data-pins]"), held, {
    changed,
    look: (pin) => { const view = { ...viewOf(current), place: pin.place, page: pin.page }; views.set(keyOf(current), view); leaf.show(view, held).then(() => leaf.draw(held, pin.n)); },
    cite: (pin) => { insert(say("cite", pin.n)); },
    drop: (pin) => { pins.set(keyOf(current), held.filter((one) => one !== pin)); showPins(); leaf.draw(pinsOf(current)); changed(); },
  });
  leaf.draw(held, focus);
  if (focus) room.querySelector(`[data-pin-no="${focus}"] input`).focus();
}

function insert(text) {
  const at = document.activeElement === why ? why.selectionEnd : why.value.length;
  why.setRangeText(text, at, at, "end");
  reasons.set(keyOf(current), why.value);
  why.focus();
  changed();
}

function pinned(box) {
  const held = pinsOf(current), n = nextNumber(held);
  if (!n) { desk.querySelector("[data-pins-count]").textContent = say("pins_most", MOST_PINS); return; }
  pins.set(keyOf(current), [...held, { n, quote: "", ...box }]);
  views.set(keyOf(current), { ...viewOf(current), place: box.place, page: box.page });
  showPins(n);
  changed();
}

function keys(event) {
  if (event.altKey && current) {
    const goal = {
      KeyN: () => why.focus(), KeyE: () => room.querySelector("[data-leaf-view]").focus(), KeyP: () => leaf.pin(), ArrowDown: nextOpen,
      KeyB: () => room.querySelector(`[data-bands-of="${current.dataset.item}"] [data-take]`)?.focus(),
    }[event.code];
    if (goal) { event.preventDefault(); goal(); }
  } else if (event.ctrlKey || event.metaKey || !event.target.matches("[data-cell]")) {
    return;
  } else if (event.key === "ArrowDown" || event.key === "Enter") {
    event.preventDefault();
    move(event.target, 1);
  } else if (event.key === "ArrowUp") {
    event.preventDefault();
    move(event.target, -1);
  }
}

// --- the draft -----------------------------------------------------------------------------------------------------------------------

function kept(text, tone) {
  const tag = document.createElement("span");
  tag.className = `tag tag--${tone}`;
  tag.textContent = text;
  desk.querySelector("[data-kept]").replaceChildren(tag);
}

const hour = () => document.querySelector("[data-clock-time]")?.textContent ?? "";

const later = () => { clearTimeout(timer); timer = setTimeout(save, 150); };

async function save() {
  if (!ring || !data) return;
  const points = Object.fromEntries(cells.map((cell) => [keyOf(cell), cell.value.trim()]));
  await keepDraft(ring, data, { points, reasons: Object.fromEntries(reasons), pins: Object.fromEntries(pins), at: hour() });
  kept(say("draft_kept", hour()), "ok");
}

async function restore() {
  const draft = await draftOf(ring, data);
  if (draft) {
    for (const cell of cells) if (!cell.value) cell.value = draft.points[keyOf(cell)] ?? "";
    for (const [name, text] of Object.entries(draft.reasons)) if (!reasons.get(name)) reasons.set(name, text);
    for (const [name, list] of Object.entries(draft.pins ?? {})) if (!pins.get(name)?.length) pins.set(name, list);
    key.list.ok(say("draft_back", draft.at));
  }
  for (const cell of cells) mark(room, cell, reasonOf(cell), pinsOf(cell).length);
  if (current) enter(current);
  await save();
}

// --- reading back and locking --------------------------------------------------------------------------------------------------------

function sheetValue() {
  const named = new Map(cells.map((cell) => [keyOf(cell), cell]));
  return {
    v: 1, tender: data.tender, lot: data.lot, expert: data.expert,
    bids: data.bids.map((bidder) => ({ bidder, items: data.items.map(({ id }) => {
      const cell = named.get(`${id}|${bidder}`);
      need(cell, "CONTEXT_MISMATCH", say("none"));
      return { id, score: cell.value.trim(), reason: signedReason(reasonOf(cell), pinsOf(cell)) };
    }) })),
  };
}

function view(which) {
  room.hidden = which !== "room";
  desk.querySelector("[data-samebox]").hidden = which !== "room";
  desk.querySelector("[data-progress]").hidden = which !== "room";
  back.hidden = which !== "back";
  locked.hidden = which !== "locked";
  desk.querySelector("[data-keystrip]").hidden = which === "locked";
  const head = { back, locked }[which]?.querySelector("h2");
  head?.focus();
  if (head) scrollTo({ top: 0 });
}

async function lock() {
  const list = key.list;
  ring = await key.need();
  if (!ring) return;
  data = await fetchJson(desk.dataset.score);
  const again = desk.querySelector("[data-again]");
  const sheet = sheetValue(), salt = random(32);
  const signed = await signDocument("sheet", sheet, ring.sign);
  const commitment = b64u(await scoreCommit(salt, sheet));
  await save();
  await keepSheet(ring, data, { sheet: signed, salt: b64u(salt), commit: commitment });
  const value = { v: 1, at: formatTime(serverSeconds()), commit: commitment, expert: data.expert, lot: data.lot,
    reason: again?.value.trim() ?? "", tender: data.tender };
  list.going(say("sent"));
  await post(`${base}/acts/commit`, { commit: JSON.stringify(await signDocument("sheet-commit", value, ring.sign)) },
    marksOf(document.getElementById("kw-score")));
  const link = locked.querySelector("[data-sheet-link]");
  offerSheet(data, link);
  locked.querySelector("[data-sheet-name]").textContent = sheetName(data);
  locked.querySelector("[data-locked-at]").textContent = hour();
  view("locked");
  link.click();
}

async function guarded(button, act) {
  button.disabled = true;
  try {
    await act();
  } catch (wrong) {
    key.list.bad(faultWords(wrong));
  } finally {
    button.disabled = false;
  }
}

function start() {
  const box = desk.querySelector('[data-keywork="score"]');
  leaf = reader(room.querySelector("[data-leaf]"), base, { turned, pinned });
  key = keyBox(box, { onlyOpen: true, ready: async (opened) => {
    data = await fetchJson(desk.dataset.score);
    need(opened.party === data.expert, "CONTEXT_MISMATCH", say("not_yours", opened.party, data.expert));
    ring = opened;
    box.closest("[data-keystrip]").classList.add("is-open");
    await restore();
  } });
  key.started.catch((wrong) => key.list.bad(faultWords(wrong)));
  const open = box.querySelector("[data-go]");
  const opening = () => guarded(open, async () => { key.list.clear(); await key.need(); });
  open.addEventListener("click", opening);
  box.querySelector("[data-passphrase]").addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); opening(); } });
  desk.querySelector("[data-next-open]").addEventListener("click", nextOpen);
  desk.querySelector("[data-read]").addEventListener("click", () => { if (!sums().length) { fillBack(back, cells, reasons, pins); view("back"); } });
  back.querySelector("[data-edit]").addEventListener("click", () => { view("room"); current.focus(); });
  const sure = back.querySelector("[data-sure]"), go = back.querySelector("[data-commit]");
  sure.addEventListener("change", () => { go.disabled = !sure.checked; });
  go.addEventListener("click", () => guarded(go, async () => { if (sure.checked && (await openedRing(box.dataset.session))) await lock(); }));
  room.addEventListener("keydown", keys);
  desk.querySelector("[data-again]")?.addEventListener("input", sums);
  for (const cell of cells) {
    cell.addEventListener("focus", () => { enter(cell); cell.select(); });
    cell.addEventListener("input", changed);
  }
  why.addEventListener("input", () => { reasons.set(keyOf(current), why.value); changed(); });
  for (const take of room.querySelectorAll("[data-take]")) {
    take.addEventListener("click", () => { current.value = take.dataset.take; changed(); current.focus(); });
  }
  for (const card of desk.querySelectorAll("[data-same]")) {
    card.querySelector("button").addEventListener("click", () => {
      cells.find((one) => one.dataset.item === current.dataset.item && one.dataset.bid === card.dataset.same).focus();
    });
  }
  if (cells[0]) enter(cells[0]);
}

if (room) start();
