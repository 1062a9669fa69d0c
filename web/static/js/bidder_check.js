// The self-check before sealing: one line a thing looked at, each ok, warn or stop, with what to do. The rules of `bidhall seal` too.
import { serverNow } from "./clock.js";
import { amountWords, fen, grouped, readForm, sizeWords } from "./bidder_form.js";
import { at, element, fill, held, words } from "./bidder_page.js";
import { examine } from "./bidder_rules.js";

const MOST_FILES = 1000;
const HEADROOM = 1 << 20; // what the list of files itself may take

/** Fields that are filled in, and files the tender asks for. */
export const fields = held.form.filter((field) => field.type !== "file");
export const asked = held.form.filter((field) => field.type === "file");

const typed = (key) => at(`a-${key}`).value;
const labelOf = (key) => document.querySelector(`label[for="a-${key}"]`).textContent.trim();
export const askedLabel = (field) => (document.documentElement.lang.startsWith("en") && field.label_en) || field.label;

/**
 * Look at everything at once. `files`: chosen Files; `as`: Map File → key of the asked file it is; `missing`: names of a draft not chosen
 * again; `keyFile`, `passphrase`: what stands in their fields.
 * Gives `{announce, lines: [{state, key, text, todo}…], stops}`; `key` names the field a line speaks of.
 */
export async function lookOver({ files, as, missing, keyFile, passphrase }) {
  const lines = [];
  const add = (state, text, { key = "", todo = "" } = {}) => lines.push({ state, key, text, todo });
  const { announce, faults } = readForm(fields, typed, labelOf, words);
  for (const { key, text } of faults) add("stop", text, { key });
  if (!faults.length) add("ok", fill(words.c_form, fields.length));
  const price = announce.price ? fen(announce.price) : null;
  if (price !== null) add("ok", fill(words.c_price, grouped(price), amountWords(price)));
  checkCeiling(add, price);
  checkSum(add, announce, price);
  await checkFiles(add, files, missing);
  checkAsked(add, files, as);
  checkKey(add, keyFile, passphrase);
  if (Date.parse(held.deadline) <= serverNow()) add("stop", words.late, { todo: words.t_late });
  return { announce, lines, stops: lines.filter((line) => line.state === "stop").length };
}

function checkCeiling(add, price) {
  if (price === null || !held.ceiling) return;
  const ceiling = fen(held.ceiling);
  if (price > ceiling) add("stop", fill(words.above, grouped(price), grouped(ceiling)), { key: "price", todo: words.t_above });
  else add("ok", fill(words.c_ceiling, grouped(ceiling)));
}

// The items of a price must come to it: where they differ, O87 art. 59 lets the items prevail, which is rarely what was meant.
function checkSum(add, announce, price) {
  const items = fields.filter((field) => field.part_of === "price");
  if (!items.length || price === null || items.some(({ key, required }) => required && !announce[key])) return;
  const sum = items.reduce((total, { key }) => total + (announce[key] ? fen(announce[key]) : 0n), 0n);
  if (sum === price) add("ok", fill(words.c_sum, items.length));
  else add("stop", fill(words.sum_differs, grouped(sum), grouped(price)), { key: "price", todo: words.t_sum });
}

async function checkFiles(add, files, missing) {
  const before = files.length;
  const bad = [];
  if (!before && !missing.length) add("stop", words.no_files, { key: "files", todo: words.t_files });
  if (before > MOST_FILES) add("stop", words.too_many, { key: "files" });
  for (const name of missing) add("warn", fill(words.again_file, name), { key: "files", todo: words.t_again });
  const names = new Set();
  for (const file of files) {
    const name = file.name.normalize("NFC");
    if (names.has(name)) bad.push(["stop", "twice", name]);
    names.add(name);
    for (const [state, code] of await examine(file)) bad.push([state, code, name]);
  }
  for (const [state, code, name] of bad) add(state, fill(words[code], name), { key: "files", todo: words[`t_${code}`] ?? "" });
  const total = files.reduce((sum, file) => sum + file.size, 0);
  if (total + HEADROOM > held.max_plen && total > held.max_plen) {
    add("stop", fill(words.too_large, sizeWords(total), sizeWords(held.max_plen)), { key: "files", todo: words.t_too_large });
  } else if (before && !bad.some(([state]) => state === "stop")) add("ok", fill(words.c_files, before, sizeWords(total), sizeWords(held.max_plen)));
}

function checkAsked(add, files, as) {
  for (const field of asked) {
    const mine = files.filter((file) => as.get(file) === field.key);
    if (mine.length) add("ok", fill(words.c_asked, askedLabel(field), mine.map((file) => file.name).join(" · ")));
    else add(field.required ? "stop" : "warn", fill(words.not_there, askedLabel(field)), { key: "files", todo: words.t_not_there });
  }
}

function checkKey(add, keyFile, passphrase) {
  if (!keyFile) add("stop", words.no_key_file, { key: "key-file" });
  if (!passphrase) add("stop", words.no_pass, { key: "key-pass" });
  if (keyFile && passphrase) add("ok", words.c_key);
}

const targetOf = (key) => (at(`a-${key}`) ? `a-${key}` : key === "files" ? "bid-files" : key);

/**
 * Draw the lines: what stops first. Marks the fields of the form that stop, once `loud` (after the button was pressed). Takes the focus only
 * where `called` (the button was pressed just now): who types on to mend something must not lose the field.
 */
export function draw({ lines, stops }, { loud, called }) {
  const order = { stop: 0, warn: 1, ok: 2 };
  const panel = at("selfcheck");
  panel.querySelector("ul").replaceChildren(...[...lines].sort((a, b) => order[a.state] - order[b.state]).map(({ state, key, text, todo }) => {
    const what = element(state !== "ok" && key ? "a" : "span", { text });
    if (what.tagName === "A") what.href = `#${targetOf(key)}`;
    const item = element("li", { kind: state === "stop" ? "bad" : state }, element("span", {}, element("span", { kind: "sr", text: `${words[`state_${state}`]} ` }), what));
    if (todo) item.lastElementChild.append(element("span", { kind: "muted small", text: ` ${todo}` }));
    return item;
  }));
  panel.classList.toggle("proofbox--bad", loud && stops > 0);
  panel.classList.toggle("proofbox--open", stops > 0 && !loud);
  const warns = lines.filter((line) => line.state === "warn").length;
  at("selfcheck-sum").textContent = stops ? fill(words.c_stops, stops) : warns ? fill(words.c_warns, warns) : words.c_clear;
  for (const { key } of fields) {
    const mine = loud ? lines.find((line) => line.key === key && line.state === "stop") : null;
    const err = at(`ae-${key}`);
    err.hidden = !mine;
    err.textContent = mine?.text ?? "";
    err.closest(".field").classList.toggle("field--bad", Boolean(mine));
    at(`a-${key}`).toggleAttribute("aria-invalid", Boolean(mine));
  }
  if (called && stops) panel.focus();
}
