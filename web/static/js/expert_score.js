// The score matrix: bounds, bands and sums while typing, the draft kept encrypted, the sheet signed and committed to. No point leaves this
// page before the reveal; what is posted is the commitment alone.
import { draftOf, keepDraft, keepSheet } from "./expert_vault.js";
import { openRing } from "./keys_ring.js";
import { checklist, faultWords, fetchJson, say, serverSeconds } from "./officer_parts.js";
import { b64u } from "./sb/bytes.js";
import { signDocument } from "./sb/documents.js";
import { scoreCommit } from "./sb/draws.js";
import { need } from "./sb/errors.js";
import { random } from "./sb/hashes.js";
import { formatTime } from "./sb/times.js";

const POINTS = /^(0|[1-9]\d{0,2})(\.\d{1,3})?$/;
const room = document.querySelector("[data-score]");
const cells = room ? [...room.querySelectorAll("[data-cell]")] : [];
const reasons = new Map();
const keyOf = (cell) => `${cell.dataset.item}|${cell.dataset.bid}`;
const side = room?.querySelector("[data-side]");
const why = room?.querySelector("[data-why]");
let ring = null, data = null, current = null, timer = 0;

// --- exact points in thousandths ---------------------------------------------------------------------------------------------------

function thousandths(text) {
  const [whole, rest = ""] = text.split(".");
  return Number(whole) * 1000 + Number(rest.padEnd(3, "0"));
}

function written(sum) {
  const rest = String(sum % 1000).padStart(3, "0").replace(/0+$/, "");
  return `${Math.floor(sum / 1000)}${rest ? `.${rest}` : ""}`;
}

const bandsOf = (cell) => cell.dataset.bands.split(" ").filter(Boolean).map((band) => band.split(":").map(thousandths));

/** What is wrong with a cell: "" when it is in order. */
function fault(cell) {
  const text = cell.value.trim();
  if (!text) return "empty";
  if (!POINTS.test(text)) return "not_number";
  const points = thousandths(text);
  if (points > thousandths(cell.dataset.max)) return "most";
  const bands = bandsOf(cell);
  if (bands.length && !bands.some(([low, high]) => low <= points && points <= high)) return "outside";
  return cell.dataset.kind === "subjective" && !(reasons.get(keyOf(cell)) ?? "").trim() ? "reason" : "";
}

function bandName(cell) {
  const points = thousandths(cell.value.trim());
  const row = [...room.querySelectorAll(`[data-bands-of="${cell.dataset.item}"] tbody tr`)]
    .find((one) => thousandths(one.dataset.low) <= points && points <= thousandths(one.dataset.high));
  return row ? row.cells[1].textContent.split(/[：:]/)[0].trim() : "";
}

function mark(cell) {
  const wrong = fault(cell);
  const note = document.getElementById(cell.getAttribute("aria-describedby"));
  const bad = wrong && wrong !== "empty" && wrong !== "reason";
  cell.classList.toggle("bad", Boolean(bad));
  if (bad) cell.setAttribute("aria-invalid", "true"); else cell.removeAttribute("aria-invalid");
  note.classList.toggle("why--bad", Boolean(bad));
  note.textContent = wrong ? say(wrong, cell.dataset.max) : bandName(cell) || say("ok");
}

function sums() {
  for (const place of room.querySelectorAll("[data-sum]")) {
    const column = cells.filter((cell) => cell.dataset.bid === place.dataset.sum);
    const given = column.filter((cell) => POINTS.test(cell.value.trim()));
    place.replaceChildren(given.length ? written(given.reduce((sum, cell) => sum + thousandths(cell.value.trim()), 0)) : "–");
    if (given.length && given.length < column.length) {
      const left = document.createElement("span");
      left.className = "why";
      left.textContent = say("missing", column.length - given.length);
      place.append(left);
    }
  }
  room.querySelector("[data-filled]").textContent = say("filled", cells.filter((cell) => !fault(cell)).length, cells.length);
}

// --- the cell one is in --------------------------------------------------------------------------------------------------------------

function enter(cell) {
  current = cell;
  side.hidden = false;
  for (const row of room.querySelectorAll("[data-row]")) row.classList.toggle("on", row.dataset.row === cell.dataset.item);
  for (const bands of room.querySelectorAll("[data-bands-of]")) bands.hidden = bands.dataset.bandsOf !== cell.dataset.item;
  for (const files of room.querySelectorAll("[data-files-of]")) files.hidden = files.dataset.filesOf !== cell.dataset.bid;
  const head = cell.closest("tr").querySelector("th");
  side.querySelector("[data-side-title]").textContent = head.firstChild.textContent;
  const bid = [...room.querySelectorAll("[data-bid-head]")].find((one) => one.dataset.bidHead === cell.dataset.bid);
  side.querySelector("[data-side-bid]").textContent = bid.querySelector("b")?.textContent ?? bid.textContent;
  const label = room.querySelector("[data-why-label]");
  label.textContent = cell.dataset.kind === "subjective" ? label.dataset.need : label.dataset.may;
  why.value = reasons.get(keyOf(cell)) ?? "";
  showBand();
}

function showBand() {
  const points = POINTS.test(current.value.trim()) ? thousandths(current.value.trim()) : -1;
  for (const row of room.querySelectorAll(`[data-bands-of="${current.dataset.item}"] tbody tr`)) {
    row.classList.toggle("sel", thousandths(row.dataset.low) <= points && points <= thousandths(row.dataset.high));
  }
}

function changed() {
  mark(current);
  showBand();
  sums();
  clearTimeout(timer);
  timer = setTimeout(save, 400);
}

function move(cell, step) {
  const column = cells.filter((one) => one.dataset.bid === cell.dataset.bid);
  column[column.indexOf(cell) + step]?.focus();
}

function keys(event) {
  if (event.altKey && current && ["KeyN", "KeyE", "KeyB"].includes(event.code)) {
    event.preventDefault();
    const bid = [...room.querySelectorAll("[data-files-of]")].find((one) => one.dataset.filesOf === current.dataset.bid);
    const goal = { KeyN: why, KeyE: bid?.querySelector("a, summary"),
      KeyB: room.querySelector(`[data-bands-of="${current.dataset.item}"] [data-take]`) }[event.code];
    goal?.focus();
  } else if (event.altKey || event.ctrlKey || event.metaKey || !event.target.matches("[data-cell]")) {
    return;
  } else if (event.key === "ArrowDown" || event.key === "Enter") {
    event.preventDefault();
    move(event.target, 1);
  } else if (event.key === "ArrowUp") {
    event.preventDefault();
    move(event.target, -1);
  }
}

// --- the draft ---------------------------------------------------------------------------------------------------------------------

function kept(text, tone) {
  const tag = document.createElement("span");
  tag.className = `tag tag--${tone}`;
  tag.textContent = text;
  room.querySelector("[data-kept]").replaceChildren(tag);
}

const hour = () => document.querySelector("[data-clock-time]")?.textContent ?? "";

async function save() {
  if (!ring) return;
  const points = Object.fromEntries(cells.map((cell) => [keyOf(cell), cell.value.trim()]));
  await keepDraft(ring, data, { points, reasons: Object.fromEntries(reasons), at: hour() });
  kept(say("draft_kept", hour()), "ok");
}

async function restore(list) {
  const draft = await draftOf(ring, data);
  if (draft) {
    for (const cell of cells) if (!cell.value) cell.value = draft.points[keyOf(cell)] ?? "";
    for (const [key, text] of Object.entries(draft.reasons)) if (!reasons.get(key)) reasons.set(key, text);
    list.ok(say("draft_back", draft.at));
    if (current) why.value = reasons.get(keyOf(current)) ?? "";
  }
  cells.forEach(mark);
  sums();
  await save();
}

// --- checks and the commitment -----------------------------------------------------------------------------------------------------

/** The faults of the whole sheet, shown with links; true when it is in order. */
function checked() {
  const box = document.querySelector("[data-score-errors]");
  const found = cells.map((cell) => [cell, fault(cell)]).filter(([, wrong]) => wrong);
  cells.forEach(mark);
  box.hidden = found.length === 0;
  box.querySelector("h2").textContent = say("wrong", found.length);
  box.querySelector("ul").replaceChildren(...found.slice(0, 8).map(([cell, wrong]) => {
    const line = document.createElement("li");
    const link = document.createElement("a");
    link.href = `#${cell.id}`;
    link.textContent = `${cell.getAttribute("aria-label")}：${say(wrong, cell.dataset.max)}`;
    link.addEventListener("click", (event) => { event.preventDefault(); cell.focus(); });
    line.append(link);
    return line;
  }));
  if (found.length) found[0][0].focus();
  return found.length === 0;
}

function sheetValue() {
  const named = new Map(cells.map((cell) => [keyOf(cell), cell]));
  return {
    v: 1, tender: data.tender, lot: data.lot, expert: data.expert,
    bids: data.bids.map((bidder) => ({ bidder, items: data.items.map(({ id }) => {
      const cell = named.get(`${id}|${bidder}`);
      need(cell, "CONTEXT_MISMATCH", say("none"));
      return { id, score: cell.value.trim(), reason: (reasons.get(keyOf(cell)) ?? "").trim() };
    }) })),
  };
}

async function commit(box, list) {
  data = await fetchJson(room.dataset.score);
  const again = document.querySelector("[data-again]");
  if (data.reason_needed && !again?.value.trim()) { list.bad(say("why")); again?.focus(); return false; }
  const sheet = sheetValue(), salt = random(32), key = ring.keys.ed25519;
  const signed = await signDocument("sheet", sheet, key);
  list.ok(say("sheet_signed"));
  const commitment = b64u(await scoreCommit(salt, sheet));
  await save();
  await keepSheet(ring, data, { sheet: signed, salt: b64u(salt), commit: commitment });
  list.ok(say("sheet_kept"));
  const value = { v: 1, at: formatTime(serverSeconds()), commit: commitment, expert: data.expert, lot: data.lot,
    reason: again?.value.trim() ?? "", tender: data.tender };
  const form = document.getElementById(box.dataset.form);
  form.elements.commit.value = JSON.stringify(await signDocument("sheet-commit", value, key));
  list.going(say("sent"));
  form.requestSubmit();
  return true;
}

async function openKey(box, list) {
  const file = box.querySelector("[data-keyfile]").files[0], passphrase = box.querySelector("[data-passphrase]");
  list.clear();
  if (!file || !passphrase.value) { list.bad(say("choose")); box.querySelector("[data-keyfile]").focus(); return; }
  list.going(say("opening"));
  const opened = await openRing(file, passphrase.value, { role: "expert" });
  data = await fetchJson(room.dataset.score);
  need(opened.party === data.expert, "CONTEXT_MISMATCH", say("not_yours", opened.party, data.expert));
  ring = opened;
  passphrase.value = "";
  list.ok(say("opened", ring.party));
  await restore(list);
}

function start() {
  const box = room.querySelector('[data-keywork="score"]');
  const list = checklist(box.querySelector("[data-checks]"));
  const guarded = async (button, act) => {
    button.disabled = true;
    try {
      if (await act() !== true) button.disabled = false;
    } catch (wrong) {
      list.bad(faultWords(wrong));
      button.disabled = false;
    }
  };
  const open = box.querySelector("[data-go]"), go = room.querySelector("[data-commit]");
  box.hidden = false;
  open.addEventListener("click", () => guarded(open, () => openKey(box, list)));
  box.querySelector("[data-passphrase]").addEventListener("keydown", (event) => {
    if (event.key === "Enter") { event.preventDefault(); guarded(open, () => openKey(box, list)); }
  });
  room.querySelector("[data-check-sheet]").addEventListener("click", checked);
  go.addEventListener("click", () => guarded(go, async () => {
    if (!checked()) return false;
    if (!ring) { await openKey(box, list); if (!ring) return false; }
    return commit(box, list);
  }));
  room.addEventListener("keydown", keys);
  for (const cell of cells) {
    cell.addEventListener("focus", () => { enter(cell); cell.select(); });
    cell.addEventListener("input", changed);
  }
  why.addEventListener("input", () => { reasons.set(keyOf(current), why.value); changed(); });
  for (const take of room.querySelectorAll("[data-take]")) {
    take.addEventListener("click", () => { current.value = take.dataset.take; changed(); current.focus(); });
  }
  const first = cells[0];
  if (first) enter(first);
  sums();
}

if (room) start();
