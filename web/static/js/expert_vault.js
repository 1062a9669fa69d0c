// What a member keeps until the reveal: drafts, the signed sheet and its salt, encrypted under a key only the member's key file yields.
import { b64u, concat, fromUtf8, unb64u, utf8 } from "./sb/bytes.js";
import { H, random } from "./sb/hashes.js";
import { derivedKey } from "./sb/held.js";

const TYPE = "bidhall-sheet";
const MOST_FILE = 4 << 20;
const subtle = globalThis.crypto.subtle;

const roomOf = (data) => `${data.tender}/${data.lot}`;
const placeOf = (what, data) => `bidhall-${what}:${data.expert}:${roomOf(data)}:${data.round}`;

// Without the key file what is kept is worth nothing.
const vault = async (ring, data) => derivedKey(ring.keep, await H("sheet-keep", utf8(roomOf(data))), "sheet-keep");

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

/** The name of a member's sheet file: members may share a computer. */
export const sheetName = (data) => `sheet-${data.ref}-${data.round}-${data.expert}.json`;

/** Keep the signed sheet and its salt in this browser, as the text of a sheet file. `kept`: `{sheet, salt, commit}`. */
export async function keepSheet(ring, data, kept) {
  const text = JSON.stringify({ type: TYPE, v: 1, room: roomOf(data), round: data.round, box: await shut(ring, data, "sheet", kept) });
  localStorage.setItem(placeOf("sheet", data), text);
}

/** Whether this browser keeps the sheet of this round; a link given is made to save it as a file. */
export function offerSheet(data, link = null) {
  const text = localStorage.getItem(placeOf("sheet", data));
  if (text && link) {
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = sheetName(data);
  }
  return Boolean(text);
}

/**
 * The kept sheet of this round, from a chosen file or else from this browser: `{sheet, salt}`, or `{wrong}`, the key of the words that say
 * what is the matter. A file holds them sealed under the member's key (`box`), or in the open, as a program of one's own writes them.
 */
export async function sheetOf(ring, data, file) {
  const text = file ? (file.size <= MOST_FILE ? await file.text() : "") : localStorage.getItem(placeOf("sheet", data));
  if (!file && !text) return { wrong: "sheet_missing" };
  let told;
  try {
    told = JSON.parse(text);
  } catch {
    return { wrong: "sheet_no_file" };
  }
  if (told?.type !== TYPE) return { wrong: "sheet_no_file" };
  if (told.room !== roomOf(data)) return { wrong: "sheet_other_lot" };
  if (told.round !== data.round) return { wrong: "sheet_other_round" };
  if (!told.box) return told.sheet && told.salt ? { sheet: told.sheet, salt: told.salt } : { wrong: "sheet_no_file" };
  try {
    const { sheet, salt } = await open(ring, data, "sheet", told.box);
    return { sheet, salt };
  } catch {
    return { wrong: "sheet_other_key" };
  }
}
