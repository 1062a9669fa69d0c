/** Public draws (the protocol §6): commitments with escrow, the seed, numbers without bias, recomputation by anyone. */
import { b64u, compareBytes, concat, equal, u32, u8, unb64u, utf8 } from "./bytes.js";
import { canonical } from "./canonical.js";
import { checkDocument } from "./documents.js";
import { need, SealedBidError } from "./errors.js";
import { domain, H, hmacWith } from "./hashes.js";
import { deriveHeader, parseHeader } from "./header.js";

const ESCROW_PLEN = 65536;
const SPAN = 2 ** 48;
const LABELS = ["experts", "invited", "k"];

/** The pool in its order: by UTF-8 bytes. */
export const sortPool = (pool) => [...pool].sort((a, b) => compareBytes(utf8(a), utf8(b)));

/** pool_hash of a frozen pool. Refuses: `FORMAT` when it is not sorted or names one twice. */
export async function poolHash(salt, pool) {
  need(pool.every((x, i) => i === 0 || compareBytes(utf8(pool[i - 1]), utf8(x)) < 0), "FORMAT", "pool not sorted");
  return H("draw-pool", salt, canonical(pool));
}

/** A party's commitment to r. */
export const drawCommit = (draw, party, r) => H("draw-commit", canonical({ draw, party }), r);

/** The escrow's context: a bid of nothing, whose seed is r. `base`: any ctx of the draw's policy (`contextOf` with bidder = party, plen 65536). */
export async function makeCommit({ draw, party, r, ctx }) {
  const { header, headerHash, ctxHash } = await deriveHeader(r, ctx);
  await checkEscrow(header, { draw, party, policy: ctx.policy });
  return { commit: await drawCommit(draw, party, r), header, headerHash, ctxHash };
}

/**
 * Refuse an escrow header that is not of this draw, party and policy (id). Gives the parsed header.
 * Refuses: `CONTEXT_MISMATCH`, `HEADER_*`.
 */
export async function checkEscrow(header, { draw, party, policy }) {
  const parsed = await parseHeader(header);
  const { ctx } = parsed;
  const wrong = (what) => `the escrow is of another ${what}`;
  const id = draw.startsWith(`${ctx.tender}/`) ? draw.slice(ctx.tender.length + 1) : null;
  need(id && ctx.envelope === `draw:${id}`, "CONTEXT_MISMATCH", wrong("draw"));
  need(ctx.bidder === party, "CONTEXT_MISMATCH", wrong("party"));
  need(ctx.policy === policy, "CONTEXT_MISMATCH", wrong("policy"));
  need(ctx.plen === ESCROW_PLEN && !ctx.co_opening, "CONTEXT_MISMATCH", wrong("size or kind"));
  return parsed;
}

/**
 * What a reveal counts as: r iff it gives both commit and header, else 32 zero bytes and `DRAW_ESCROW`.
 * `parsed`: checkEscrow's result; `r` may be null (nothing revealed and the escrow not opened).
 */
export async function countReveal({ draw, party, commit, parsed, r }) {
  let good = r !== null && r.length === 32 && equal(await drawCommit(draw, party, r), commit);
  if (good) {
    try {
      good = equal((await deriveHeader(r, parsed.ctx)).header, parsed.header);
    } catch (fault) {
      if (!(fault instanceof SealedBidError)) throw fault;
      good = false;
    }
  }
  return good ? { countsAs: r, fault: "" } : { countsAs: new Uint8Array(32), fault: "DRAW_ESCROW" };
}

/** The seed of a draw. `commits`, `reveals` (as counted), bytes in party order; `pool`: pool_hash; `root`: root R. */
export const drawSeed = ({ draw, beacon, commits, pool, reveals, root }) =>
  H("draw-seed", canonical({ beacon, commits: commits.map(b64u), draw, pool: b64u(pool), reveals: reveals.map(b64u), root: b64u(root) }));

/** The stream of a label: an async `below(m)` without bias, 1 ≤ m ≤ 2^48. */
export async function numberStream(seed, label) {
  const mac = await hmacWith(seed);
  const prefix = concat(domain(`draw/${label}`), u8(0));
  let counter = 0;
  return async function below(m) {
    need(Number.isSafeInteger(m) && m >= 1 && m <= SPAN, "FORMAT", "below");
    const limit = SPAN - (SPAN % m);
    for (;;) {
      const out = await mac(concat(prefix, u32(counter++)));
      let v = 0;
      for (let i = 0; i < 6; i++) v = v * 256 + out[i];
      if (v < limit) return v % m;
    }
  };
}

/** The permutation of 0..n−1 a seed gives under a label. */
export async function permutation(seed, label, n) {
  const below = await numberStream(seed, label);
  const a = Array.from({ length: n }, (_, i) => i);
  for (let i = 0; i < n - 1; i++) {
    const j = i + (await below(n - i));
    [a[i], a[j]] = [a[j], a[i]];
  }
  return a;
}

/** The picks: for "experts" and "invited" the first `take` of the permutation (`substitutes` follow in order); for "k" one index. */
export async function picks(seed, { label, size, take }) {
  need(LABELS.includes(label), "FORMAT", "unknown label");
  if (label === "k") return { picks: [await (await numberStream(seed, label))(size)], substitutes: [] };
  need(take <= size, "FORMAT", "more wanted than there are");
  const order = await permutation(seed, label, size);
  return { picks: order.slice(0, take), substitutes: order.slice(take) };
}

/**
 * Recompute a whole draw from what is public. `notice`: draw-notice document; `root`: bytes of the tree root of step 3; `beacon`: its
 * value or ""; `parties`: in the notice's order `[{party, commit: bytes, header: bytes, r: bytes | null}…]`;
 * `pool`, `salt`: optional, checked against the notice and used to name the picked.
 * Gives `{seed, picks, substitutes, picked, faults: [party…], reveals}`. Refuses: `CONTEXT_MISMATCH`, `HEADER_*`, `JSON_PROFILE`.
 */
export async function recomputeDraw({ notice, root, beacon, parties, pool, salt }) {
  checkDocument("draw-notice", notice);
  const { draw, policy } = notice;
  need(parties.length === notice.parties.length && parties.every((p, i) => p.party === notice.parties[i]),
    "CONTEXT_MISMATCH", "other parties than announced");
  need((notice.beacon === "") === (beacon === ""), "CONTEXT_MISMATCH", "beacon");
  const poolBytes = unb64u(notice.pool, 32);
  if (pool) {
    need(pool.length === notice.size && equal(await poolHash(salt, pool), poolBytes), "CONTEXT_MISMATCH", "another pool");
  }
  const counted = [];
  for (const { party, commit, header, r } of parties) {
    const parsed = await checkEscrow(header, { draw, party, policy });
    counted.push({ party, commit, ...(await countReveal({ draw, party, commit, parsed, r })) });
  }
  const reveals = counted.map((c) => c.countsAs);
  const seed = await drawSeed({ draw, beacon, commits: counted.map((c) => c.commit), pool: poolBytes, reveals, root });
  const drawn = await picks(seed, notice);
  return {
    seed, ...drawn, picked: pool ? drawn.picks.map((i) => pool[i]) : [], faults: counted.filter((c) => c.fault).map((c) => c.party), reveals,
  };
}

/** Refuse a published `draw` document that is not what was recomputed. Refuses: `CONTEXT_MISMATCH`, `JSON_PROFILE`. */
export function checkDrawResult(result, notice, drawn, root) {
  checkDocument("draw", result);
  const due = {
    draw: notice.draw, label: notice.label, size: notice.size, pool: notice.pool, root: b64u(root), seed: b64u(drawn.seed),
    picks: JSON.stringify(drawn.picks), faults: JSON.stringify(drawn.faults),
  };
  for (const [key, value] of Object.entries(due)) {
    const found = Array.isArray(result[key]) ? JSON.stringify(result[key]) : result[key];
    need(found === value, "CONTEXT_MISMATCH", `${key} of the draw`);
  }
}

/** The commitment to a score sheet: H("score", salt32, CJ(sheet)). */
export const scoreCommit = (salt, sheet) => H("score", salt, canonical(sheet));
