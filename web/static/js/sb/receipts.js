/** Receipts (the protocol §4): `{entry}` at once, `{entry, proof}` from its tick on, `{entry, list, proof}` of a flood; check words. */
import { b64u, compareBytes, unb64u } from "./bytes.js";
import { canonical } from "./canonical.js";
import { checkDocument, documentHash } from "./documents.js";
import { verifyEntry } from "./entries.js";
import { need } from "./errors.js";
import { H } from "./hashes.js";
import { verifyConsistency } from "./merkle.js";
import { seconds } from "./times.js";
import { verifyTickProof } from "./ticks.js";

const CLOCK_SLACK = 120;
const MAX_REFUSALS = 1000;

function checkShape(receipt) {
  need(typeof receipt === "object" && receipt !== null && Object.hasOwn(receipt, "entry"), "JSON_PROFILE", "not a receipt");
  const keys = Object.keys(receipt).sort().join();
  need(["entry", "entry,proof", "entry,list,proof"].includes(keys), "JSON_PROFILE", "keys of a receipt");
}

async function checkList(list, own, c, platformKey) {
  need(typeof list === "object" && list !== null && Object.keys(list).sort().join() === "entry,refusals", "JSON_PROFILE", "keys of a list");
  need(own.event === "bid-refused", "JSON_PROFILE", "only refusals may stand in a list");
  const outer = await verifyEntry(list.entry, platformKey);
  const refusals = checkDocument("refusal-list", list.refusals);
  need(outer.entry.event === "bid-refusals", "JSON_PROFILE", "the list's entry is of another event");
  for (const key of ["tender", "lot", "envelope"]) {
    need(outer.entry[key] === own[key] && refusals[key] === own[key], "JSON_PROFILE", `the list is of another ${key}`);
  }
  need(outer.entry.statement === (await documentHash(canonical(refusals))), "JSON_PROFILE", "the entry names another list");
  const hashes = refusals.entries.map((e) => unb64u(e, 32));
  need(hashes.length > 0 && hashes.length <= MAX_REFUSALS, "JSON_PROFILE", "length of the list");
  need(hashes.every((h, i) => i === 0 || compareBytes(hashes[i - 1], h) < 0), "JSON_PROFILE", "list not sorted");
  need(refusals.entries.includes(b64u(c)), "JSON_PROFILE", "the entry is not on the list");
  return outer;
}

/**
 * Verify a receipt.
 * `trust`: `{platformKey: bytes, log: vkey, witnesses: [vkey…], quorum: n}`; `statement`: the documentHash it must speak of;
 * `now`: seconds since 1970, to hold `at` within 2 minutes of the client's clock (only when it is fresh).
 * Gives `{state: "submitted" | "in_log", entry, c, words: {zh, en}, proof?: {leaf, checkpoint}, cosigned, unwitnessed}`.
 * Refuses: `SIG`, `SIG_TYPE`, `JSON_PROFILE`, `TICK_PROOF`, `CONTEXT_MISMATCH` (another statement, a clock too far off).
 */
export async function verifyReceipt(receipt, trust, { statement, now } = {}) {
  checkShape(receipt);
  const { entry, payload, c } = await verifyEntry(receipt.entry, trust.platformKey);
  if (statement !== undefined) need(entry.statement === statement, "CONTEXT_MISMATCH", "the receipt speaks of another document");
  if (now !== undefined) need(Math.abs(seconds(entry.at) - now) <= CLOCK_SLACK, "CONTEXT_MISMATCH", "the clocks differ", { at: entry.at });
  const result = { state: "submitted", entry, c, words: await checkWords(payload), cosigned: 0, unwitnessed: !trust.quorum };
  const list = receipt.list === undefined ? null : await checkList(receipt.list, entry, c, trust.platformKey);
  if (receipt.proof === undefined) return result;
  const proof = await verifyTickProof(list ? list.c : c, receipt.proof, trust);
  const cosigned = proof.checkpoint.cosigned.length;
  need(cosigned >= (trust.quorum || 0), "TICK_PROOF", "too few cosignatures");
  return { ...result, state: "in_log", proof, cosigned };
}

/**
 * Verify that checkpoint `next` extends the last one seen, `{size, root}`, with the log's consistency proof (byte arrays).
 * Clients keep the newest. Refuses: `TICK_PROOF`.
 */
export async function verifyExtends(last, next, proof) {
  if (next.size < last.size) {
    return verifyConsistency({ from: next.size, to: last.size, fromRoot: next.root, toRoot: last.root, proof });
  }
  return verifyConsistency({ from: last.size, to: next.size, fromRoot: last.root, toRoot: next.root, proof });
}

/** The four check words of an entry's payload, in both languages: `{zh: […], en: […]}`. They catch mix-ups, not the platform. */
export async function checkWords(payload) {
  const h = await H("words", payload);
  let bits = 0n;
  for (let i = 0; i < 6; i++) bits = (bits << 8n) | BigInt(h[i]);
  const indices = [37n, 26n, 15n, 4n].map((shift) => Number((bits >> shift) & 2047n));
  const [zh, en] = await Promise.all([import("./wordlists/zh.js"), import("./wordlists/en.js")]);
  return { zh: indices.map((i) => zh.WORDS[i]), en: indices.map((i) => en.WORDS[i]) };
}

const BARE = ["entry", "list", "proof"];

/**
 * The receipt in any form the platform hands one out, as crypto/receipts.py: bare; the file to keep, with `statement`, `trust` and `log`
 * beside it; the answer to an act, which holds it as `receipt`; a document with its `receipt`. What came with it proves nothing by itself.
 * Gives `{receipt, statement, trust, log}` (null where nothing came). Refuses: `JSON_PROFILE`.
 */
export function unwrap(value) {
  const isObject = (one) => typeof one === "object" && one !== null && !Array.isArray(one);
  let held = value;
  let statement = null;
  if (isObject(value) && !Object.hasOwn(value, "entry") && isObject(value.receipt)) {
    held = value.receipt;
    statement = value.document ?? null;
  }
  need(isObject(held) && Object.hasOwn(held, "entry"), "JSON_PROFILE", "no receipt in it");
  const receipt = Object.fromEntries(BARE.filter((name) => Object.hasOwn(held, name)).map((name) => [name, held[name]]));
  return { receipt, statement: held.statement ?? statement, trust: held.trust ?? null, log: held.log ?? null };
}

const NUMBER_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/** The number of a receipt that people read out, `R-7Q4M-K29D-XW`: the first 40 bits of its hash and two signs that check them. */
export function numberOf(c, event) {
  let bits = 0n;
  for (const byte of c.slice(0, 5)) bits = (bits << 8n) | BigInt(byte);
  const signs = Array.from({ length: 8 }, (_, i) => Number((bits >> BigInt(35 - 5 * i)) & 31n));
  let [first, second] = [0, 0];
  for (const sign of signs) {
    first ^= sign;
    second = ((second << 1) ^ (second & 16 ? 0b100101 : 0)) ^ sign;
  }
  const text = [...signs, first, second].map((sign) => NUMBER_ALPHABET[sign]).join("");
  return `${["bid-refused", "refused"].includes(event) ? "A" : "R"}-${text.slice(0, 4)}-${text.slice(4, 8)}-${text.slice(8)}`;
}
