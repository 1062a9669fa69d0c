// The draft of a bid on this computer: form and list of files, encrypted under a key the browser never hands out. It is never sent.
//
// IndexedDB "bidhall-drafts": store `keys` holds one AES-GCM CryptoKey a draft (not extractable), store `drafts` its `{iv, box, at}`.
// What the files contain is not kept: the browser would lay it down unencrypted. They are chosen again and recognised.
import { fromUtf8, utf8 } from "./sb/bytes.js";
import { random } from "./sb/hashes.js";

const NAME = "bidhall-drafts";
const subtle = globalThis.crypto.subtle;

function asked(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function using(mode, act) {
  const opening = indexedDB.open(NAME, 1);
  opening.onupgradeneeded = () => ["keys", "drafts"].forEach((store) => opening.result.createObjectStore(store));
  const base = await asked(opening);
  try {
    const moving = base.transaction(["keys", "drafts"], mode);
    const done = new Promise((resolve, reject) => {
      moving.oncomplete = resolve;
      moving.onabort = moving.onerror = () => reject(moving.error);
    });
    const found = await act(moving.objectStore("keys"), moving.objectStore("drafts"));
    await done;
    return found;
  } finally {
    base.close();
  }
}

const box = (id, iv) => ({ name: "AES-GCM", iv, additionalData: utf8(`${NAME}/${id}`) });

async function keyOf(id) {
  const kept = await using("readonly", (keys) => asked(keys.get(id)));
  if (kept) return kept;
  const made = await subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  return using("readwrite", async (keys) => {
    const other = await asked(keys.get(id)); // another tab may have been quicker
    if (!other) await asked(keys.put(made, id));
    return other ?? made;
  });
}

/** Keep a draft: any JSON. Silent where the browser keeps nothing (a private window): then there is none. */
export async function keepDraft(id, value) {
  try {
    const key = await keyOf(id), iv = random(12);
    const sealed = await subtle.encrypt(box(id, iv), key, utf8(JSON.stringify(value)));
    await using("readwrite", (_, drafts) => asked(drafts.put({ iv, box: sealed, at: Date.now() }, id)));
    return true;
  } catch {
    return false;
  }
}

/** The draft kept here, `{value, at}`, or null. */
export async function draftOf(id) {
  try {
    const [key, kept] = await using("readonly", (keys, drafts) => Promise.all([asked(keys.get(id)), asked(drafts.get(id))]));
    if (!key || !kept) return null;
    return { value: JSON.parse(fromUtf8(new Uint8Array(await subtle.decrypt(box(id, kept.iv), key, kept.box)))), at: kept.at };
  } catch {
    return null;
  }
}

/** Forget a draft, its key first: without it the rest is noise. */
export async function dropDraft(id) {
  try {
    await using("readwrite", (keys, drafts) => Promise.all([asked(keys.delete(id)), asked(drafts.delete(id))]));
  } catch {
    /* nothing was kept */
  }
}
