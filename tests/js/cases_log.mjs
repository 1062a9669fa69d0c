/** Vectors of the log: entries, ticks, trees, proofs, receipts, deadlines, claims, check words. */
import { b64u, concat, hex, unb64u, unhex, utf8 } from "../../web/static/js/sb/bytes.js";
import { canonical, parseCanonical } from "../../web/static/js/sb/canonical.js";
import { checkEntry, entryHash, HIDDEN_EVENTS, PUBLIC_EVENTS } from "../../web/static/js/sb/entries.js";
import { consistencyProof, inclusionProof, leafHash, treeRoot, verifyConsistency, verifyInclusion } from "../../web/static/js/sb/merkle.js";
import { formatTlogProof, formatVkey, parseTlogProof, parseVkey, verifyCheckpoint } from "../../web/static/js/sb/notes.js";
import { entriesHash } from "../../web/static/js/sb/opening.js";
import { checkWords, verifyExtends, verifyReceipt } from "../../web/static/js/sb/receipts.js";
import {
  claimCounts, claimsEnd, closingTick, emptyNode, entryState, isTick, makeTickProof, tickBy, tickMoments, tickTree, verifyTickProof,
} from "../../web/static/js/sb/ticks.js";
import { seconds } from "../../web/static/js/sb/times.js";
import { refused, same, truth } from "./check.mjs";

async function trustOf(v, quorum = 1) {
  return {
    platformKey: unhex(v.keys.platform_sign.pk), log: await parseVkey(v.receipt.vkey_log),
    witnesses: [await parseVkey(v.receipt.vkey_witness)], quorum,
  };
}

export const groups = {
  async good_entries(v) {
    for (const entry of v.good_entries) checkEntry(entry);
    same(PUBLIC_EVENTS.size + HIDDEN_EVENTS.size, 30);
  },
  async bad_entries(v) {
    for (const c of v.bad_entries) await refused(c.expect, () => checkEntry(c.entry), c.id);
  },
  async schedule(v) {
    const c = v.schedule;
    const moments = tickMoments(c.from, c.to, c.policies);
    same(moments, c.moments);
    for (const { t, tick } of c.is_tick) same(isTick(t, c.policies), tick, t);
    for (const { at, tick_by: due } of c.tick_by) same(tickBy(at), due, at);
    truth(c.missing.every((t) => moments.includes(t)), "missing ticks were due");
  },
  async ticks(v) {
    for (const c of v.ticks) {
      const tree = await tickTree(unhex(c.tick_secret), c.entries.map((e) => ({ c: unhex(e.c), slot: e.slot })));
      same(tree.root, c.root, c.id);
      for (const p of c.paths) same(b64u(concat(...(await tree.path(p.slot)))), p.path, c.id);
    }
    const twice = [{ c: new Uint8Array(32), slot: 1 }, { c: new Uint8Array(32), slot: 1 }];
    await refused("TICK_PROOF", () => tickTree(new Uint8Array(32), twice));
    await refused("TICK_PROOF", () => tickTree(new Uint8Array(32), [{ c: new Uint8Array(32), slot: 2 ** 24 }]));
  },
  async tick_empty_nodes(v) {
    for (const c of v.tick_empty_nodes) same(await emptyNode(unhex(c.tick_secret), c.level, c.index), c.value);
  },
  async receipt(v) {
    const r = v.receipt;
    const trust = await trustOf(v);
    const c = await entryHash(utf8(r.entry_jcs));
    same(c, r.commitment);
    same(await formatVkey(r.origin, 1, trust.log.pub), r.vkey_log);
    same(await formatVkey("witness.example/w1", 4, unhex(v.keys.witness_sign.pk)), r.vkey_witness);

    const early = await verifyReceipt(r.before, trust, { statement: b64u(unhex(v.submission.statement_hash)), now: seconds("2026-03-01T00:30:05Z") + 120 });
    same(early.state, "submitted");
    await refused("CONTEXT_MISMATCH", () => verifyReceipt(r.before, trust, { now: seconds("2026-03-01T00:30:05Z") + 121 }));
    await refused("CONTEXT_MISMATCH", () => verifyReceipt(r.before, trust, { statement: b64u(new Uint8Array(32)) }));
    const late = await verifyReceipt(r.after, trust);
    same([late.state, late.cosigned, late.unwitnessed, late.proof.checkpoint.size], ["in_log", 1, false, 7]);
    same(b64u(late.c), b64u(c));
    await refused("TICK_PROOF", () => verifyReceipt(r.after, { ...trust, witnesses: [] }), "quorum");
    same((await verifyReceipt(r.after, { ...trust, witnesses: [], quorum: 0 })).unwitnessed, true);
    const small = await verifyReceipt(r.after_small_log, { ...trust, quorum: 0 });
    same(small.proof.checkpoint.size, 3);
    same((await verifyReceipt(r.refused_many, { ...trust, quorum: 0 })).state, "in_log");

    const leaves = r.leaves.map(utf8);
    const hashes = await Promise.all(leaves.map(leafHash));
    for (let n = 0; n < r.roots.length; n++) same(await treeRoot(leaves.slice(0, n)), r.roots[n], `root of ${n}`);
    same(hashes[r.index], r.leaf_hash);
    same((await inclusionProof(hashes, r.index)).map(hex), r.inclusion_path);
    for (let n = 1; n <= hashes.length; n++) {
      for (let i = 0; i < n; i++) {
        const path = await inclusionProof(hashes.slice(0, n), i);
        const claim = { hash: hashes[i], index: i, size: n, path, root: unhex(r.roots[n]) };
        await verifyInclusion(claim);
        await refused("TICK_PROOF", () => verifyInclusion({ ...claim, path: [...path, hashes[0]] }));
        await refused("TICK_PROOF", () => verifyInclusion({ ...claim, hash: new Uint8Array(32) }));
        if (path.length) await refused("TICK_PROOF", () => verifyInclusion({ ...claim, path: path.slice(1) }));
      }
    }
    for (let m = 1; m <= hashes.length; m++) {
      for (let n = m; n <= hashes.length; n++) {
        const proof = await consistencyProof(hashes.slice(0, n), m);
        const claim = { from: m, to: n, fromRoot: unhex(r.roots[m]), toRoot: unhex(r.roots[n]), proof };
        await verifyConsistency(claim);
        await refused("TICK_PROOF", () => verifyConsistency({ ...claim, fromRoot: new Uint8Array(32) }));
        await refused("TICK_PROOF", () => verifyConsistency({ ...claim, proof: [...proof, hashes[0]] }));
      }
    }
    for (const k of r.consistency) {
      const proof = k.proof.map(unhex);
      await verifyConsistency({ from: k.from, to: k.to, fromRoot: unhex(r.roots[k.from]), toRoot: unhex(r.roots[k.to]), proof });
      same((await consistencyProof(hashes.slice(0, k.to), k.from)).map(hex), k.proof);
    }
    const last = { size: 3, root: unhex(r.roots[3]) };
    await verifyExtends(last, late.proof.checkpoint, (await consistencyProof(hashes, 3)));
    await refused("TICK_PROOF", () => verifyExtends({ size: 3, root: unhex(r.roots[4]) }, late.proof.checkpoint, []), "split view");

    const { index, path, checkpoint } = parseTlogProof(r.after.proof.tlog);
    same(formatTlogProof({ index, path, checkpoint }), r.after.proof.tlog);
    same(checkpoint, r.checkpoint);
    const seen = await verifyCheckpoint(r.checkpoint, trust);
    same(seen.cosigned.map((w) => w.name), ["witness.example/w1"]);
    const forged = r.checkpoint.replace("— witness.example/w1 vVf6MAAAAABpo4kP", "— witness.example/w1 vVf6MAAAAABpo4kQ");
    await refused("TICK_PROOF", () => verifyCheckpoint(forged, trust), "cosignature moved in time");
    await refused("TICK_PROOF", () => verifyCheckpoint(r.checkpoint.replace("\n7\n", "\n07\n"), trust));
  },
  async bad_tick_proofs(v) {
    const trust = await trustOf(v, 0);
    for (const c of v.bad_tick_proofs) {
      const hash = await entryHash(utf8(c.entry_jcs));
      await refused(c.expect, () => verifyTickProof(hash, c.proof, trust), c.id);
    }
    const good = v.receipt.after.proof;
    const hash = unhex(v.receipt.commitment);
    const { leaf } = await verifyTickProof(hash, good, trust);
    const path = unb64u(good.path);
    const slot = unb64u(good.slot);
    const siblings = Array.from({ length: 24 }, (_, i) => path.slice(32 * i, 32 * i + 32));
    same(makeTickProof({ leaf, path: siblings, slot: (slot[0] << 16) | (slot[1] << 8) | slot[2], tlog: good.tlog }), good);
    for (const junk of [null, 1, "x", [], {}]) await refused("TICK_PROOF", () => verifyTickProof(hash, junk, trust));
  },
  async bad_receipts(v) {
    const trust = await trustOf(v, 0);
    for (const c of v.bad_receipts) await refused(c.expect, () => verifyReceipt(c.receipt, trust), c.id);
    for (const junk of [null, [], {}, "x"]) await refused("JSON_PROFILE", () => verifyReceipt(junk, trust));
  },
  async closing(v) {
    for (const c of v.closing) {
      const found = closingTick(c.ticks, c.deadline);
      same(found ? found.at : "", c.closing, c.id);
      same(found ? found.late : false, c.late_close, c.id);
    }
  },
  async claims(v) {
    for (const c of v.claims) {
      same(claimsEnd(c.closing, c.opens_at), c.end);
      const about = { closing: c.closing, opensAt: c.opens_at, proofAt: c.proof_at, filedAt: c.filed_at, anchoredAt: c.anchored_at };
      same(claimCounts(about), c.counts, c.id);
    }
  },
  async omission(v) {
    for (const c of v.omission) same(entryState({ tickBy: c.tick_by, ticks: c.ticks, sealedAt: c.sealed_at }), c.expect, c.id);
  },
  async entry_lists(v) {
    for (const c of v.entry_lists) {
      const hashes = c.entries.map((e) => (/^[0-9a-f]{64}$/.test(e) ? unhex(e) : unb64u(e, 32)));
      same(await entriesHash(unhex(c.salt), hashes), c.hash, c.id);
    }
  },
  async check_words(v) {
    for (const c of v.check_words) {
      const words = await checkWords(utf8(c.payload_jcs));
      same(words.zh, c.zh);
      same(words.en, c.en);
    }
    truth(v.check_words.length > 0 && canonical(parseCanonical(utf8(v.check_words[0].payload_jcs))).length > 0, "vectors present");
  },
};
