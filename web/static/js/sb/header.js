/** The header of a sealed bid (the protocol §3, §3.1): context, boxes and commitments, all a function of (seed, ctx). */
import { b64u, concat, equal, unb64u, u8, utf8 } from "./bytes.js";
import { canonical, hasKeys, parseCanonical } from "./canonical.js";
import { padded } from "./content.js";
import { need, refuse, SealedBidError } from "./errors.js";
import { D, domain, H } from "./hashes.js";
import { deriveKeyPair, hpkeOpen, hpkeSeal } from "./hpke.js";
import { SUITE } from "./policy.js";
import { join, shareAt } from "./shamir.js";

const CTX_KEYS = ["v", "suite", "platform", "tender", "lot", "envelope", "bidder", "policy", "t", "n", "officers", "co_opening", "bidder_key", "plen"];
const BAD = "HEADER_SCHEMA";
const MIN_PLEN = 65536;
const MAX_PLEN = 2 ** 40;
export const MAX_HEADER = 65536;

/** Refuse a ctx outside the schema. Refuses: `HEADER_SCHEMA`, `SUITE_UNKNOWN`. */
export function checkContext(ctx) {
  need(hasKeys(ctx, CTX_KEYS) && ctx.v === 1, BAD, "keys of ctx");
  for (const key of ["suite", "platform", "tender", "lot", "envelope", "bidder", "policy"]) {
    const size = typeof ctx[key] === "string" ? utf8(ctx[key]).length : 0;
    need(size >= 1 && size <= 128, BAD, `ctx.${key}`);
  }
  need(ctx.suite === SUITE, "SUITE_UNKNOWN", ctx.suite);
  need(Number.isSafeInteger(ctx.t) && Number.isSafeInteger(ctx.n) && 2 <= ctx.t && ctx.t <= ctx.n && ctx.n <= 15, BAD, "t, n");
  need(Array.isArray(ctx.officers) && ctx.officers.length === ctx.n && new Set(ctx.officers).size === ctx.n, BAD, "officers");
  for (const pk of ctx.officers) unb64u(pk, 32, BAD);
  need(typeof ctx.co_opening === "boolean" && typeof ctx.bidder_key === "string", BAD, "co_opening");
  if (ctx.co_opening) unb64u(ctx.bidder_key, 32, BAD);
  else need(ctx.bidder_key === "", BAD, "bidder_key without co-opening");
  need(Number.isSafeInteger(ctx.plen) && ctx.plen >= MIN_PLEN && ctx.plen <= MAX_PLEN && padded(ctx.plen) === ctx.plen, BAD, "plen");
  return ctx;
}

/** ctx_hash. */
export const contextHash = (ctx) => H("ctx", canonical(ctx));

const indicesOf = (ctx) => [...(ctx.co_opening ? [0] : []), ...Array.from({ length: ctx.n }, (_, i) => i + 1)];

const boxInfo = (j, ctxHash) => concat(domain(`share/${j}`), u8(0), ctxHash);

/** The commitment c_j to a part. */
export const shareCommit = (ctxHash, j, part) => H("share", ctxHash, u8(j), part);

const xor = (a, b) => a.map((x, i) => x ^ b[i]);

/** The header of (seed, ctx): `{header: bytes, headerHash, ctxHash, parts: Map j → bytes}`. */
export async function deriveHeader(seed, ctx) {
  checkContext(ctx);
  const ctxHash = await contextHash(ctx);
  const parts = new Map();
  let shared = seed;
  if (ctx.co_opening) {
    parts.set(0, await D(seed, ctxHash, "bidder-part"));
    shared = xor(seed, parts.get(0));
  }
  const coefficients = [];
  for (let k = 1; k < ctx.t; k++) coefficients.push(await D(seed, ctxHash, `shamir/${k}`));
  for (let j = 1; j <= ctx.n; j++) parts.set(j, shareAt(shared, coefficients, j));
  const boxes = [];
  for (const j of indicesOf(ctx)) {
    const part = parts.get(j);
    const pk = unb64u(j === 0 ? ctx.bidder_key : ctx.officers[j - 1], 32);
    const { enc, ct } = await hpkeSeal(pk, boxInfo(j, ctxHash), part, await deriveKeyPair(await D(seed, ctxHash, `ephemeral/${j}`)));
    boxes.push({ j, enc: b64u(enc), ct: b64u(ct), c: b64u(await shareCommit(ctxHash, j, part)) });
  }
  const commit = b64u(await D(seed, ctxHash, "commit"));
  const header = canonical({ boxes, commit, ctx });
  return { header, headerHash: await headerHash(header), ctxHash, parts };
}

/** header_hash. */
export const headerHash = (header) => H("header", header);

/** content_key of a seed under a header. */
export const contentKey = (seed, hash) => D(seed, hash, "content");

/**
 * Parse header bytes: `{header, headerHash, ctxHash, ctx, boxes, commit}`; all computed here, nothing believed.
 * Refuses: `HEADER_CANONICAL`, `HEADER_SCHEMA`, `SUITE_UNKNOWN`.
 */
export async function parseHeader(header) {
  need(header.length <= MAX_HEADER, "FORMAT", "header too long");
  const value = parseCanonical(header, "HEADER_CANONICAL");
  need(hasKeys(value, ["boxes", "commit", "ctx"]), BAD, "keys of the header");
  checkContext(value.ctx);
  unb64u(value.commit, 32, BAD);
  const expected = indicesOf(value.ctx);
  need(Array.isArray(value.boxes) && value.boxes.length === expected.length, BAD, "number of boxes");
  value.boxes.forEach((box, i) => {
    need(hasKeys(box, ["j", "enc", "ct", "c"]) && box.j === expected[i], BAD, "boxes");
    unb64u(box.enc, 32, BAD);
    unb64u(box.ct, 48, BAD);
    unb64u(box.c, 32, BAD);
  });
  return { header, headerHash: await headerHash(header), ctxHash: await contextHash(value.ctx), ...value };
}

const boxOf = (parsed, j) => parsed.boxes.find((b) => b.j === j) ?? refuse("CONTEXT_MISMATCH", `no box ${j}`);

/** True iff `part` is the one the bidder committed to in box j. */
export async function partMatches(parsed, j, part) {
  return equal(await shareCommit(parsed.ctxHash, j, part), unb64u(boxOf(parsed, j).c, 32));
}

/** Open box j with the secret key it was sealed to and check c_j. Refuses: `SHARE_OPEN`, `SHARE_COMMIT`. Gives the part. */
export async function openBox(parsed, j, sk) {
  const box = boxOf(parsed, j);
  const part = await hpkeOpen(sk, boxInfo(j, parsed.ctxHash), unb64u(box.enc, 32), unb64u(box.ct, 48));
  need(part.length === 32 && (await partMatches(parsed, j, part)), "SHARE_COMMIT", "the box holds another part", { j });
  return part;
}

/** REDERIVE: refuse a seed whose header is not byte for byte this one. Refuses: `REDERIVE`. */
export async function rederive(parsed, seed) {
  let same = false;
  try {
    same = equal((await deriveHeader(seed, parsed.ctx)).header, parsed.header);
  } catch (fault) {
    if (!(fault instanceof SealedBidError)) throw fault; // an officer's key of small order: no header can be derived for it
  }
  need(same, "REDERIVE", "the seed gives another header");
}

/**
 * The seed from posted parts: Map j → bytes (j = 0: the bidder's own). Uses the t lowest good indices.
 * Refuses: `BIDDER_PART_MISSING`, `SHARE_COMMIT` (facts.j), `TOO_FEW_SHARES`, `REDERIVE`.
 */
export async function joinSeed(parsed, parts) {
  const { ctx } = parsed;
  if (ctx.co_opening) {
    need(parts.has(0), "BIDDER_PART_MISSING", "the bidder did not post its part");
    need(await partMatches(parsed, 0, parts.get(0)), "SHARE_COMMIT", "the bidder's part is wrong", { j: 0 });
  }
  const good = new Map();
  let bad;
  for (const j of [...parts.keys()].filter((k) => k > 0).sort((a, b) => a - b)) {
    if (j <= ctx.n && (await partMatches(parsed, j, parts.get(j)))) {
      if (good.size < ctx.t) good.set(j, parts.get(j));
    } else {
      bad ??= j;
    }
  }
  if (good.size < ctx.t) {
    need(bad === undefined, "SHARE_COMMIT", "a posted part is wrong", { j: bad });
    refuse("TOO_FEW_SHARES", `${good.size} of ${ctx.t}`, { good: good.size, t: ctx.t });
  }
  const shared = join(good);
  const seed = ctx.co_opening ? xor(shared, parts.get(0)) : shared;
  await rederive(parsed, seed);
  return seed;
}
