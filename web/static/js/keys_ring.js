// Key files on this computer: read, opened with a passphrase, saved. Used by every desk that signs in the browser.
import { canonical } from "./sb/canonical.js";
import { hex, utf8, fromUtf8 } from "./sb/bytes.js";
import { need } from "./sb/errors.js";
import { H } from "./sb/hashes.js";
import { openKeyring, readKeyring } from "./sb/keyfile.js";

const MOST = 65_536;

/** The bytes of a chosen key file in canonical form: the command line writes it indented for people. Refuses: `FORMAT`. */
export async function ringBytes(file) {
  need(file && file.size > 0 && file.size <= MOST, "FORMAT", "not a key file");
  let value;
  try {
    value = JSON.parse(fromUtf8(new Uint8Array(await file.arrayBuffer())));
  } catch {
    need(false, "FORMAT", "not a key file");
  }
  return canonical(value);
}

/** Whose key file it is, without a passphrase: `{party, role, files}`. */
export const ringOf = async (file) => readKeyring(await ringBytes(file));

/** Open a chosen key file: `{party, role, keys}`. Refuses: `FORMAT`, `SHARE_OPEN` (wrong passphrase). `wanted`: `{party, role}`. */
export async function openRing(file, passphrase, wanted = {}) {
  const bytes = await ringBytes(file);
  const ring = readKeyring(bytes);
  for (const name of ["party", "role"]) need(!wanted[name] || ring[name] === wanted[name], "CONTEXT_MISMATCH", `a key file of another ${name}`);
  return openKeyring(bytes, passphrase);
}

/** The fingerprint of a public key as people read it aloud: eight groups of four. */
export async function fingerprint(alg, pub) {
  const text = hex((await H("kid", utf8(alg), Uint8Array.of(0), pub)).slice(0, 16));
  return text.match(/.{4}/g).join(" ");
}

/** Make a link offer bytes (or a JSON value) as a file to keep. */
export function offer(link, name, content) {
  const data = content instanceof Uint8Array ? content : `${JSON.stringify(content, null, 2)}\n`;
  link.href = URL.createObjectURL(new Blob([data], { type: "application/json" }));
  link.download = name;
  link.hidden = false;
}

/** Post the fields of an act as a script does; gives the answer's JSON, or throws `{code, words, status}`. */
export async function post(address, fields, marks) {
  const body = new URLSearchParams({ ...marks, ...fields });
  const answer = await fetch(address, { method: "POST", body, headers: { Accept: "application/json" } });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const why = told.faults?.length ? told.faults.map((one) => one.words).join(" ") : told.words;
    throw Object.assign(new Error(why || String(answer.status)), { code: told.code ?? "", status: answer.status, words: why });
  }
  return told;
}

/** The marks of a form on the page: CSRF token and form id. */
export function marksOf(form) {
  return Object.fromEntries(["csrf_token", "form_id", "version"].map((name) => [name, form.elements[name]?.value]).filter(([, v]) => v));
}
