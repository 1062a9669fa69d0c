/** Ticks of the log (the protocol §4): when they fall, their sparse trees, the proof that an entry lies in one. */
import { b64u, concat, equal, u32, u8, unb64u } from "./bytes.js";
import { canonical, hasKeys } from "./canonical.js";
import { need, refuseAs } from "./errors.js";
import { domain, hmacWith } from "./hashes.js";
import { leafHash, nodeHash, verifyInclusion } from "./merkle.js";
import { parseTlogProof, verifyCheckpoint } from "./notes.js";
import { formatTime, isTime, seconds } from "./times.js";

export const DEPTH = 24;
const SLOTS = 2 ** DEPTH;
const MINUTE = 60;
const FINE = 10;
const BEFORE = 3600;
const AFTER = 7200;
export const CLOSING_DELAY = 60;
export const LATE_AFTER = 600;
export const CLAIMS_AFTER = 120;

/** The first whole minute ≥ at + 60 s. */
export const tickBy = (at) => formatTime(Math.ceil((seconds(at) + MINUTE) / MINUTE) * MINUTE);

/** True iff a tick falls at `t`. `policies`: `[{deadline, opens_at}…]` of every policy sealed so far. */
export function isTick(t, policies) {
  const s = seconds(t);
  if (s % MINUTE === 0) return true;
  return s % FINE === 0 && policies.some((p) => s >= seconds(p.deadline) - BEFORE && s <= seconds(p.opens_at) + AFTER);
}

/** The moments of ticks from `from` to `to`, both included. */
export function tickMoments(from, to, policies) {
  const out = [];
  for (let s = Math.ceil(seconds(from) / FINE) * FINE; s <= seconds(to); s += FINE) {
    const t = formatTime(s);
    if (isTick(t, policies)) out.push(t);
  }
  return out;
}

/** The closing tick: the first of `ticks` (rising) at or after deadline + 60 s: `{at, late}`, or null while there is none. */
export function closingTick(ticks, deadline) {
  const due = seconds(deadline);
  const at = ticks.find((t) => seconds(t) >= due + CLOSING_DELAY);
  return at === undefined ? null : { at, late: seconds(at) > due + LATE_AFTER };
}

/** Claims end: max(closing tick + 120 s, opens_at). */
export const claimsEnd = (closing, opensAt) => formatTime(Math.max(seconds(closing) + CLAIMS_AFTER, seconds(opensAt)));

/** Whether an omission counts (the protocol §4, Claims). Absent moments are "". */
export function claimCounts({ closing, opensAt, proofAt = "", filedAt = "", anchoredAt = "" }) {
  const end = claimsEnd(closing, opensAt);
  return (proofAt !== "" && proofAt <= closing) || (filedAt !== "" && filedAt <= end) || (anchoredAt !== "" && anchoredAt <= end);
}

/** State of a signed entry: "submitted" | "in_log" | "LOG_OMISSION". `ticks`: moments of the log; `sealedAt`: tick of its proof or "". */
export function entryState({ tickBy: due, ticks, sealedAt = "" }) {
  const last = ticks.find((t) => t >= due);
  if (sealedAt) return last !== undefined && sealedAt > last ? "LOG_OMISSION" : "in_log";
  return last === undefined ? "submitted" : "LOG_OMISSION";
}

/** The hash of a maximal empty subtree. */
export const emptyNode = async (secret, level, index) => emptyOf(await hmacWith(secret), level, index);

const emptyOf = (mac, level, index) => mac(concat(domain("empty"), u8(0), u8(level), u32(index)));

/**
 * The tick tree of `entries` = `[{c: bytes, slot}…]` under `secret`: `{root, path(slot)}`; path gives 24 siblings, lowest first.
 * Refuses: `TICK_PROOF` on a slot out of range or used twice.
 */
export async function tickTree(secret, entries) {
  const mac = await hmacWith(secret);
  const levels = [new Map()];
  for (const { c, slot } of entries) {
    need(Number.isInteger(slot) && slot >= 0 && slot < SLOTS && !levels[0].has(slot), "TICK_PROOF", "slot");
    levels[0].set(slot, await leafHash(c));
  }
  const at = async (level, index) => levels[level].get(index) ?? emptyOf(mac, level, index);
  for (let level = 0; level < DEPTH; level++) {
    const above = new Map();
    for (const index of levels[level].keys()) {
      const parent = Math.floor(index / 2);
      if (!above.has(parent)) above.set(parent, await nodeHash(await at(level, 2 * parent), await at(level, 2 * parent + 1)));
    }
    levels.push(above);
  }
  return {
    root: await at(DEPTH, 0),
    async path(slot) {
      const out = [];
      for (let level = 0; level < DEPTH; level++) out.push(await at(level, (slot >> level) ^ 1));
      return out;
    },
  };
}

/** Check a tick leaf's form: `{at, root, tick, v}`. Refuses: `TICK_PROOF`. */
export function checkLeaf(leaf) {
  need(hasKeys(leaf, ["at", "root", "tick", "v"]) && leaf.v === 1 && isTime(leaf.at), "TICK_PROOF", "tick leaf");
  need(Number.isSafeInteger(leaf.tick) && leaf.tick >= 0, "TICK_PROOF", "tick index");
  unb64u(leaf.root, 32, "TICK_PROOF");
  return leaf;
}

/** Verify that a tick leaf lies in the log. `trust`: `{log, witnesses}` vkeys. Gives `{leaf, checkpoint}`. Refuses: `TICK_PROOF`. */
export function verifyLeaf(leaf, tlog, trust) {
  return refuseAs("TICK_PROOF", async () => {
    checkLeaf(leaf);
    const { index, path, checkpoint: text } = parseTlogProof(tlog);
    need(index === leaf.tick, "TICK_PROOF", "another tick's proof");
    const checkpoint = await verifyCheckpoint(text, trust);
    const hash = await leafHash(canonical(leaf));
    await verifyInclusion({ hash, index, size: checkpoint.size, path, root: checkpoint.root });
    return { leaf, checkpoint };
  });
}

/**
 * Verify the proof `{leaf, path, slot, tlog, v}` that entry hash `c` lies in a tick of the log.
 * Gives `{leaf, checkpoint}`. Refuses: `TICK_PROOF` for any flaw.
 */
export function verifyTickProof(c, proof, trust) {
  return refuseAs("TICK_PROOF", async () => {
    need(hasKeys(proof, ["leaf", "path", "slot", "tlog", "v"]) && proof.v === 1, "TICK_PROOF", "keys of a proof");
    checkLeaf(proof.leaf);
    const siblings = unb64u(proof.path, DEPTH * 32, "TICK_PROOF");
    const s = unb64u(proof.slot, 3, "TICK_PROOF");
    const slot = (s[0] << 16) | (s[1] << 8) | s[2];
    let node = await leafHash(c);
    for (let level = 0; level < DEPTH; level++) {
      const sibling = siblings.slice(32 * level, 32 * level + 32);
      node = (slot >> level) & 1 ? await nodeHash(sibling, node) : await nodeHash(node, sibling);
    }
    need(equal(node, unb64u(proof.leaf.root, 32)), "TICK_PROOF", "another tick root");
    return verifyLeaf(proof.leaf, proof.tlog, trust);
  });
}

/** The proof of one entry: `{leaf, path, slot, tlog, v}`. */
export const makeTickProof = ({ leaf, path, slot, tlog }) =>
  ({ leaf, path: b64u(concat(...path)), slot: b64u(Uint8Array.of(slot >> 16, (slot >> 8) & 255, slot & 255)), tlog, v: 1 });
