/** The text of a recovery sheet, as crypto/recovery.py writes and reads it (format BKS1), and a key's fingerprint in words. */
import { b64u, unb64u, utf8, fromUtf8 } from "./sb/bytes.js";
import { canonical } from "./sb/canonical.js";
import { need } from "./sb/errors.js";
import { H } from "./sb/hashes.js";
import { readKeyring } from "./sb/keyfile.js";
import { kid } from "./sb/keys.js";

const MARK = "BIDHALL-KEY:";
const ALGORITHMS = ["ed25519", "x25519", "root"];
const FIELDS = [["salt", 16], ["iv", 12], ["pub", 32], ["ct", 48]];
const A_LINE = 40, A_GROUP = 5;
const BASE = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

const sha = async (bytes) => new Uint8Array(await globalThis.crypto.subtle.digest("SHA-256", bytes));

function base32(bytes) {
  let text = "", held = 0, bits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += BASE[(held >>> (bits - 5)) & 31];
    held &= 255;
  }
  return bits ? text + BASE[(held << (5 - bits)) & 31] : text;
}

function unbase32(text) {
  const made = [];
  let held = 0, bits = 0;
  for (const one of text) {
    const value = BASE.indexOf(one);
    need(value >= 0, "FORMAT", "not the text of a recovery sheet");
    held = ((held << 5) | value) & 0xfff;
    if ((bits += 5) >= 8) made.push((held >>> (bits -= 8)) & 255);
  }
  return Uint8Array.from(made);
}

const check = async (no, row) => base32(await sha(utf8(`${no}:${row}`))).slice(0, 2);

/** Twelve words of a public key in both languages: `{zh: […], en: […]}`; 132 bits. */
export async function keyWords(alg, pub) {
  const digest = await H("kid", utf8(alg), Uint8Array.of(0), pub);
  let bits = 0n;
  for (let i = 0; i < 17; i++) bits = (bits << 8n) | BigInt(digest[i]);
  bits >>= 4n;
  const places = Array.from({ length: 12 }, (_, i) => Number((bits >> BigInt(11 * (11 - i))) & 2047n));
  const [zh, en] = await Promise.all([import("./sb/wordlists/zh.js"), import("./sb/wordlists/en.js")]);
  return { zh: places.map((i) => zh.WORDS[i]), en: places.map((i) => en.WORDS[i]) };
}

/** `{code, lines}` of a keyring's bytes: what its QR code holds, and its numbered lines. */
export async function sheetOf(bytes) {
  const { party, role, files } = readKeyring(bytes);
  const out = [...utf8("BKS1")];
  for (const text of [role, party]) out.push(utf8(text).length, ...utf8(text));
  out.push(files.length);
  for (const file of files) {
    need(ALGORITHMS.includes(file.alg), "FORMAT", "no key of a party");
    const m = file.memory_kib;
    out.push(ALGORITHMS.indexOf(file.alg), (m >>> 24) & 255, (m >>> 16) & 255, (m >>> 8) & 255, m & 255, file.passes);
    for (const [name, length] of FIELDS) out.push(...unb64u(file[name], length));
  }
  out.push(...(await sha(Uint8Array.from(out))).slice(0, 4));
  const text = base32(Uint8Array.from(out));
  const lines = [];
  for (let at = 0, no = 1; at < text.length; at += A_LINE, no++) {
    const row = text.slice(at, at + A_LINE);
    lines.push(`${String(no).padStart(2, "0")} ${row.match(new RegExp(`.{1,${A_GROUP}}`, "g")).join(" ")} ${await check(no, row)}`);
  }
  return { code: MARK + text, lines };
}

async function typed(text) {
  const rows = new Map();
  const wrong = new Set();
  const name = (no) => String(no).padStart(2, "0");
  let at = 0;
  for (const line of text.split(/\r?\n/).filter((one) => one.trim())) {
    const found = /^\s*(\d{1,2})[\s.:]+([A-Z2-7018\s]+?)\s*$/.exec(line);
    at++;
    const body = (found?.[2] ?? "").replace(/\s+/g, "").replaceAll("0", "O").replaceAll("1", "I").replaceAll("8", "B");
    const no = found ? Number(found[1]) : at, row = body.slice(0, -2);
    if (!row || body.slice(-2) !== (await check(no, row))) wrong.add(name(no));
    rows.set(no, row);
  }
  const most = Math.max(0, ...rows.keys());
  for (let no = 1; no <= most; no++) if (!rows.has(no) || (no < most && rows.get(no).length !== A_LINE)) wrong.add(name(no));
  need(wrong.size === 0 && most > 0, "FORMAT", [...wrong].sort().join(", ") || "01", { lines: [...wrong].sort() });
  return Array.from({ length: most }, (_, i) => rows.get(i + 1)).join("");
}

/** The keyring's bytes from what a sheet's code holds, or from its lines as typed. Refuses: `FORMAT` (`facts.lines`: the wrong ones). */
export async function restoreRing(text) {
  const given = text.trim().toUpperCase();
  const raw = unbase32(given.startsWith(MARK) ? given.slice(MARK.length).replace(/\s+/g, "") : await typed(given));
  const body = raw.slice(0, -4);
  need(raw.length > 12 && fromUtf8(raw.slice(0, 4)) === "BKS1", "FORMAT", "not the text of a recovery sheet");
  need(b64u((await sha(body)).slice(0, 4)) === b64u(raw.slice(-4)), "FORMAT", "the text of the sheet is not whole");
  let at = 4;
  const take = (count) => {
    need(at + count <= body.length, "FORMAT", "the sheet ends too soon");
    return body.slice(at, at += count);
  };
  const role = fromUtf8(take(take(1)[0])), party = fromUtf8(take(take(1)[0]));
  const keys = [];
  for (let left = take(1)[0]; left > 0; left--) {
    const alg = ALGORITHMS[take(1)[0]];
    need(alg, "FORMAT", "a key of an unknown kind");
    const memory = take(4).reduce((sum, byte) => sum * 256 + byte, 0);
    const file = { alg, kdf: "argon2id", lanes: 1, memory_kib: memory, passes: take(1)[0], type: "bidhall-key", v: 1 };
    for (const [name, length] of FIELDS) file[name] = b64u(take(length));
    keys.push({ ...file, kid: await kid(alg, unb64u(file.pub, 32)) });
  }
  need(at === body.length, "FORMAT", "more on the sheet than its keys");
  const bytes = canonical({ keys, party, role, type: "bidhall-keyring", v: 1 });
  readKeyring(bytes);
  return bytes;
}
