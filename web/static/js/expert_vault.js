// What a member keeps until the reveal: drafts, the signed sheet and its salt, encrypted under a key only the member's key file yields.
import { say } from "./officer_parts.js";
import { b64u, concat, fromUtf8, unb64u, utf8 } from "./sb/bytes.js";
import { need } from "./sb/errors.js";
import { D, H, random } from "./sb/hashes.js";

const TYPE = "bidhall-sheet";
const subtle = globalThis.crypto.subtle;

const roomOf = (data) => `${data.tender}/${data.lot}`;
const placeOf = (what, data) => `bidhall-${what}:${data.expert}:${roomOf(data)}:${data.round}`;

// Without the key file what is kept is worth nothing.
async function vault(ring, data) {
  const raw = await D(ring.keys.ed25519.secret, await H("sheet-keep", utf8(roomOf(data))), "sheet-keep");
  return subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
}

async function shut(ring, data, what, value) {
  const iv = random(12);
  const params = { name: "AES-GCM", iv, additionalData: utf8(placeOf(what, data)) };
  return b64u(concat(iv, new Uint8Array(await subtle.encrypt(params, await vault(ring, data), utf8(JSON.stringify(value))))));
}

async function open(ring, data, what, box) {
  const bytes = unb64u(box);
  const params = { name: "AES-GCM", iv: bytes.slice(0, 12), additionalData: utf8(placeOf(what, data)) };
  return JSON.parse(fromUtf8(new Uint8Array(await subtle.decrypt(params, await vault(ring, data), bytes.slice(12)))));
}

/** Keep a draft on this computer. `draft`: any JSON. */
export async function keepDraft(ring, data, draft) {
  localStorage.setItem(placeOf("draft", data), await shut(ring, data, "draft", draft));
}

/** The draft kept on this computer, or null. */
export async function draftOf(ring, data) {
  const box = localStorage.getItem(placeOf("draft", data));
  if (!box) return null;
  try {
    return await open(ring, data, "draft", box);
  } catch {
    return null; // of an older key: worth nothing
  }
}

/** Keep the signed sheet and its salt in this browser and offer them as a file. `kept`: `{sheet, salt, commit}`. */
export async function keepSheet(ring, data, kept) {
  const text = JSON.stringify({ type: TYPE, v: 1, room: roomOf(data), round: data.round, box: await shut(ring, data, "sheet", kept) });
  localStorage.setItem(placeOf("sheet", data), text);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = `sheet-${data.ref}-${data.round}.json`;
  link.click();
}

/** The kept sheet of this round: from a chosen file, else from this browser. Asks for the file when there is none. */
export async function sheetOf(ring, data, box) {
  const file = box.querySelector("[data-sheetfile]")?.files[0];
  const text = file ? await file.text() : localStorage.getItem(placeOf("sheet", data));
  if (!text) askForFile(box);
  need(text, "UNAVAILABLE", say("sheet_missing"));
  const told = JSON.parse(text);
  need(told.type === TYPE && told.room === roomOf(data) && told.round === data.round, "CONTEXT_MISMATCH", say("sheet_missing"));
  return open(ring, data, "sheet", told.box);
}

function askForFile(box) {
  if (box.querySelector("[data-sheetfile]")) return;
  const field = document.createElement("div");
  field.className = "field";
  const label = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "file", className: "input", id: "sheet-file", accept: ".json,application/json" });
  input.dataset.sheetfile = "yes";
  label.htmlFor = input.id;
  label.textContent = say("sheet_file");
  field.append(label, input);
  box.querySelector("[data-passphrase]").closest(".field").after(field);
}
