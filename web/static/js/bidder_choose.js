// Step 2: the form, the files, the key; what was typed is kept as a draft on this computer; the self-check runs along.
import { momentOf } from "./clock.js";
import { amountWords, fen, grouped, sizeWords } from "./bidder_form.js";
import { asked, askedLabel, draw, fields, lookOver } from "./bidder_check.js";
import { draftOf, dropDraft, keepDraft } from "./bidder_draft.js";
import { at, element, fileRow, fill, held, state, words } from "./bidder_page.js";
import { openRing } from "./keys_ring.js";
import { loadAnew } from "./page.js";

const DRAFT = `${held.bidder}|${held.ref}|${held.envelope}`;
const PAUSE_MS = 400;
const as = new Map(); // File → key of the asked file it is
let missing = []; // files of the draft that are not chosen again yet: {name, size, as}
let loud = false;

const typed = (key) => at(`a-${key}`).value;

function showSums() {
  for (const { key, type } of fields) {
    if (type !== "money") continue;
    const amount = fen(typed(key));
    at(`words-${key}`).textContent = amount === null ? "" : `${grouped(amount)} · ${amountWords(amount)}`;
  }
  const price = at("a-price") ? fen(typed("price")) : null, ceiling = held.ceiling ? fen(held.ceiling) : null;
  at("sum-price").textContent = price === null ? "–" : grouped(price);
  at("sum-words").textContent = price === null ? "" : amountWords(price);
  const tag = at("sum-ceiling");
  if (tag) {
    const over = price !== null && price > ceiling;
    tag.hidden = price === null;
    tag.textContent = over ? words.over : words.within;
    tag.className = over ? "tag tag--stop" : "tag tag--ok";
  }
}

function button(text, act) {
  const made = element("button", { kind: "btn btn--s btn--quiet", text });
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

/** Which of the asked files a chosen one is: a choice beside it, guessed from its name. */
function asChoice(file) {
  const choice = element("select", { kind: "select" });
  choice.setAttribute("aria-label", `${file.name}: ${words.counts_as}`);
  for (const [key, label] of [["", words.counts_none], ...asked.map((field) => [field.key, askedLabel(field)])]) {
    const option = element("option", { text: label });
    option.value = key;
    choice.append(option);
  }
  choice.value = as.get(file) ?? "";
  choice.addEventListener("change", () => { as.set(file, choice.value); changed(); });
  return choice;
}

function showFiles() {
  const rows = state.files.map((file, i) => {
    const extra = [button(words.remove, () => { state.files.splice(i, 1); showFiles(); changed(); })];
    if (asked.length) extra.push(asChoice(file));
    return fileRow(file.name, sizeWords(file.size), extra);
  });
  for (const one of missing) {
    const tag = element("span", { kind: "tag tag--warn", text: words.to_choose });
    rows.push(fileRow(one.name, `${sizeWords(one.size)} · ${words.from_draft}`, [tag, button(words.remove, () => {
      missing = missing.filter((other) => other !== one);
      showFiles();
      changed();
    })]));
  }
  at("files").replaceChildren(...rows);
  const total = state.files.reduce((sum, file) => sum + file.size, 0);
  at("sum-files").textContent = state.files.length ? fill(words.files_n, state.files.length, sizeWords(total)) : "–";
}

function guess(file) {
  const name = file.name.normalize("NFC").toLowerCase();
  return asked.find((field) => [field.label, field.label_en].some((label) => label && name.includes(label.toLowerCase())))?.key ?? "";
}

function take(list) {
  for (const file of list) {
    const drafted = missing.find((one) => one.name === file.name);
    missing = missing.filter((one) => one !== drafted);
    as.set(file, drafted?.as || guess(file));
    state.files.push(file);
  }
  showFiles();
  changed();
}

/** Look everything over: `{announce, lines, stops}`; `hard`: the button was pressed. */
export async function selfCheck(hard) {
  loud ||= hard;
  const found = await lookOver({ files: state.files, as, missing: missing.map((one) => one.name), keyFile: at("key-file").files[0], passphrase: at("key-pass").value });
  draw(found, { loud, called: hard });
  return found;
}

let timer = 0;

function changed() {
  showSums();
  clearTimeout(timer);
  timer = setTimeout(async () => {
    if (state.busy) return;
    await selfCheck(false);
    await save();
  }, PAUSE_MS);
}

async function save() {
  const files = [...state.files.map((file) => ({ name: file.name, size: file.size, as: as.get(file) ?? "" })), ...missing];
  const form = Object.fromEntries(fields.map(({ key }) => [key, typed(key)]));
  if (!files.length && !Object.values(form).some(Boolean)) return;
  if (await keepDraft(DRAFT, { form, files })) showDraft(Date.now());
}

function showDraft(when) {
  at("draft").hidden = false;
  at("draft-said").textContent = fill(words.draft, momentOf(when));
}

async function restore() {
  if (!held.open) return dropDraft(DRAFT);
  const kept = await draftOf(DRAFT);
  if (!kept || state.files.length || fields.some(({ key }) => at(`a-${key}`).tagName === "INPUT" && typed(key))) return;
  for (const { key } of fields) if (typeof kept.value.form[key] === "string") at(`a-${key}`).value = kept.value.form[key];
  missing = kept.value.files;
  showDraft(kept.at);
}

/** The draft has done its work: the receipt is there. */
export const draftDone = () => dropDraft(DRAFT);

/** The company's keys from the chosen file; throws `{told}` in words. */
export async function openKey() {
  let ring;
  try {
    ring = await openRing(at("key-file").files[0], at("key-pass").value, { party: held.bidder, role: "bidder" });
  } catch (fault) {
    throw Object.assign(new Error(), { told: fault.code === "SHARE_OPEN" ? words.wrong_pass : words.wrong_ring });
  }
  if (ring.keys.ed25519?.kid !== held.key?.kid) throw Object.assign(new Error(), { told: words.other_key });
  return ring;
}

/** Something that stopped the work, in words, where the self-check stands. */
export function tell(text) {
  draw({ lines: [{ state: "stop", key: "", text, todo: "" }], stops: 1 }, { loud: true, called: true });
}

export async function beginChoosing() {
  at("bid-form").addEventListener("input", changed);
  at("bid-files").addEventListener("change", (event) => { take(event.target.files); event.target.value = ""; });
  for (const kind of ["dragenter", "dragover"]) at("drop").addEventListener(kind, (event) => { event.preventDefault(); at("drop").classList.add("is-over"); });
  at("drop").addEventListener("dragleave", () => at("drop").classList.remove("is-over"));
  at("drop").addEventListener("drop", (event) => { event.preventDefault(); at("drop").classList.remove("is-over"); take(event.dataTransfer.files); });
  at("draft-drop").addEventListener("click", async () => {
    clearTimeout(timer);
    await dropDraft(DRAFT);
    loadAnew();
  });
  await restore();
  showSums();
  showFiles();
  await selfCheck(false);
}
