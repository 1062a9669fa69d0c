// A sealed file kept on this computer until its receipt is there: the bytes in the browser's private file system, what is needed to go on
// beside them. No secret and no price: after a restart the upload goes on; to another computer go the same two files `bidhall seal` writes.
import { momentOf } from "./clock.js";
import { at, fill, held, words } from "./bidder_page.js";
import { offer } from "./keys_ring.js";
import { discard, leftover } from "./sb/sealer.js";
import { seconds } from "./sb/times.js";

const PLACE = held.envelope === "bid" ? `bidhall-sealed-${held.ref}` : `bidhall-sealed-${held.ref}-${held.envelope}`;

/** What is remembered: `{name, stored, ctx, header_hash, sealed_root, sealed_size, at, url, submission?}`, or null. */
export function kept() {
  try {
    return JSON.parse(localStorage.getItem(PLACE));
  } catch {
    return null;
  }
}

/** Remember a record whose file the browser kept; one held in memory alone would promise what a restart breaks. */
export function keep(record) {
  if (record.stored === "opfs") localStorage.setItem(PLACE, JSON.stringify(record));
}

export async function dropKept() {
  const record = kept();
  localStorage.removeItem(PLACE);
  if (record?.stored === "opfs") await discard(record.name);
}

/** Drop a sealed file that is not what was sealed, and say so where it was offered. */
export async function dropDamaged() {
  await dropKept();
  at("kept-title").hidden = at("kept-choice").hidden = true;
  at("kept-what").textContent = words.kept_bad;
  at("kept").hidden = false;
  at("kept").focus();
}

/** Our upload of this sealed file that the server knows, or undefined: a header belongs to one sealed file alone. */
export const uploadOf = (record) => held.uploads.find((upload) => upload.header_hash === record.header_hash && upload.length === record.sealed_size && !upload.refused)
  ?? held.uploads.find((upload) => record.url?.endsWith(upload.token) && !upload.refused);

/** Offer the sealed file kept here. `goOn(record, file, known upload)`, `takeAlong(record, file)`. */
export async function offerKept({ goOn, takeAlong }) {
  const record = kept();
  if (!record || !held.open) return;
  const known = uploadOf(record);
  let file = null;
  try {
    file = await leftover(record.name);
  } catch {
    if (!known?.whole) {
      await dropKept();
      return;
    }
  }
  at("kept").hidden = false;
  at("kept-what").textContent = fill(words.kept, momentOf(seconds(record.at) * 1000), known ? `${Math.floor((known.size / known.length) * 100)}%` : "0%");
  at("kept-save").hidden = !file;
  at("kept-save").addEventListener("click", () => takeAlong(record, file));
  at("kept-drop").addEventListener("click", async () => { await dropKept(); at("kept").hidden = true; });
  at("kept-go").addEventListener("click", async () => {
    at("kept-go").disabled = true;
    at("kept").hidden = true;
    await goOn(record, file, known);
  });
}

/** Hand the sealed file and its signed submission to the person, named as the command line names them. */
export function saveBoth(file, envelope) {
  for (const [name, content] of [[`${held.ref}.sealed`, file], [`${held.ref}.sealed.submission.json`, envelope]]) {
    const link = document.createElement("a");
    if (content instanceof Blob) Object.assign(link, { href: URL.createObjectURL(content), download: name });
    else offer(link, name, content);
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 600_000);
  }
}
