/** Vectors of the sealed file, its tampered forms, openings and draws. */
import { b64u, hex, unb64u, unhex, utf8 } from "../../web/static/js/sb/bytes.js";
import { canonical, parseCanonical } from "../../web/static/js/sb/canonical.js";
import { checkManifest, fileDigest, nonce, padded, padme, sealedSize } from "../../web/static/js/sb/content.js";
import { documentHash, makeSubmission, makeWithdrawal } from "../../web/static/js/sb/documents.js";
import {
  checkDrawResult, checkEscrow, countReveal, drawCommit, drawSeed, numberStream, permutation, poolHash, recomputeDraw, scoreCommit,
} from "../../web/static/js/sb/draws.js";
import { verifyEnvelope } from "../../web/static/js/sb/dsse.js";
import { entryHash } from "../../web/static/js/sb/entries.js";
import { D, random, sha256 } from "../../web/static/js/sb/hashes.js";
import { contentKey, deriveHeader, joinSeed, openBox, parseHeader } from "../../web/static/js/sb/header.js";
import { keyOf } from "../../web/static/js/sb/keys.js";
import { entriesHash, replay } from "../../web/static/js/sb/opening.js";
import { checkStatement, inspect, open, openWithSeed, seal, sealedRoot, selfCheck } from "../../web/static/js/sb/sealed_bid.js";
import { codeOf, refused, same, sorted, truth } from "./check.mjs";
import { gen, sealVector, sha256Hex, tamper } from "./sealing_kit.mjs";

const partsOf = (shares) => new Map(Object.entries(shares).map(([j, s]) => [Number(j), unhex(s)]));
const bases = new Map();

async function base(v, id) {
  if (!bases.has(id)) {
    const c = v.sealed.find((s) => s.id === id);
    bases.set(id, { ...(await sealVector(c)), seed: unhex(c.seed), vector: c });
  }
  return bases.get(id);
}

export const groups = {
  async padme(v) {
    for (const c of v.padme) {
      same(padme(c.n), c.padme, `padme ${c.n}`);
      same(padded(c.n), c.padded, `padded ${c.n}`);
    }
  },
  async sealed_size(v) {
    for (const c of v.sealed_size) same(sealedSize(c.header_len, c.plen), c.size);
  },
  async nonces(v) {
    for (const c of v.nonces) same(nonce(c.i, c.last), c.nonce);
  },
  async sealed(v) {
    for (const c of v.sealed) {
      const { bytes, sealed, laid, plain } = await base(v, c.id);
      const blob = new Blob([bytes]);
      same(sorted(laid.manifest), sorted(c.manifest), c.id);
      same(sealed.header, utf8(c.header_jcs), "header");
      same(sealed.headerHash, c.header_hash);
      same(await contentKey(unhex(c.seed), sealed.headerHash), c.content_key);
      same(await sha256(plain), c.content_sha256);
      same([bytes.length, sealed.sealedSize], [c.sealed_size, c.sealed_size]);
      same(await sha256(bytes), c.sealed_sha256);
      same(sealed.sealedRoot, c.sealed_root);
      if (c.sealed_base64) same(bytes, Uint8Array.from(atob(c.sealed_base64), (ch) => ch.charCodeAt(0)));
      for (const [j, part] of Object.entries(c.parts)) same(sealed.parts.get(Number(j)), part);

      const info = await inspect(blob);
      same(info.ctxHash, c.ctx_hash);
      for (const o of v.keys.officers) same(await openBox(info, o.index, unhex(o.sk)), c.parts[o.index]);
      await refused("SHARE_OPEN", () => openBox(info, 1, unhex(v.keys.officers[1].sk)), "another officer's key");
      if (c.ctx.co_opening) same(await openBox(info, 0, unhex(v.keys.bidder_kem.sk)), c.parts[0]);
      for (const indices of c.open_with) {
        const parts = new Map(indices.map((j) => [j, unhex(c.parts[j])]));
        const files = [];
        const openFile = (item, i) => {
          const got = [];
          files[i] = got;
          return { write: (b) => { got.push(b.slice()); }, close() {} };
        };
        const opened = await open({ blob, signedRoot: unhex(c.sealed_root), parts, hashFiles: true, openFile });
        same(opened.seed, c.seed);
        same(opened.sha256.map(hex), c.files.map((f) => f.sha256), c.id);
        for (let i = 0; i < files.length; i++) same(await sha256Hex(new Uint8Array(await new Blob(files[i]).arrayBuffer())), c.files[i].sha256);
      }
      await refused("SEALED_ROOT", () => open({ blob, signedRoot: random(32), parts: new Map() }));
    }
  },
  async boundary(v) {
    for (const c of v.boundary) {
      const { bytes, sealed, laid } = await sealVector(c);
      same(laid.size, c.content_bytes_before_padding);
      same(laid.plen, c.plen);
      same(bytes.length, c.sealed_size);
      same(await sha256(bytes), c.sealed_sha256);
      same(sealed.sealedRoot, c.sealed_root);
      const blob = new Blob([bytes]);
      const info = await inspect(blob);
      same(info.chunks, c.chunks);
      same(sorted((await openWithSeed({ blob, info, seed: unhex(c.seed) })).manifest), sorted(c.manifest));
    }
  },
  async bad(v) {
    for (const c of v.bad) {
      const bytes = await tamper(c, c.base ? await base(v, c.base) : null);
      same(await sha256(bytes), c.sealed_sha256, `recipe of ${c.id}`);
      const blob = new Blob([bytes]);
      const known = await inspect(blob).then((info) => sealedRoot(blob, info), () => null);
      if (known && c.sealed_root) same(known, c.sealed_root, `root of ${c.id}`);
      const signedRoot = c.sealed_root ? unhex(c.sealed_root) : (known ?? new Uint8Array(32));
      const parts = partsOf(c.shares);
      const fault = await refused(c.expect, () => open({ blob, signedRoot, parts, hashFiles: true }), c.id);
      if (c.id === "false-share-2") same(fault.facts.j, 2);
      if (c.open_box_5_expect) {
        const info = await inspect(blob);
        await refused(c.open_box_5_expect, () => openBox(info, 5, unhex(v.keys.officers[4].sk)), `${c.id}, box 5`);
      }
    }
    const mixed = v.bad.find((c) => c.id === "padding-not-zero");
    const broken = await tamper(mixed, null);
    broken[broken.length - 1] ^= 1;
    const blob = new Blob([broken]);
    const info = await inspect(blob);
    const signedRoot = await sealedRoot(blob, info);
    await refused("CHUNK_AUTH", () => open({ blob, signedRoot, parts: partsOf(mixed.shares) }), "a bad tag outranks bad padding");
  },
  async bad_headers(v) {
    for (const c of v.bad_headers) await refused(c.expect, () => parseHeader(utf8(c.header)), c.id);
  },
  async file_digests(v) {
    for (const c of v.file_digests) {
      const { vector, sealed, seed, bytes } = await base(v, c.base);
      same(await D(seed, sealed.headerHash, "file-salt"), c.file_salt);
      const found = [];
      for (let i = 0; i < vector.files.length; i++) {
        found.push(await fileDigest(seed, sealed.headerHash, vector.manifest.files[i], unhex(vector.files[i].sha256)));
      }
      same(found, c.digests, c.base);
      const blob = new Blob([bytes]);
      same((await openWithSeed({ blob, info: await inspect(blob), seed, hashFiles: true })).digests, c.digests);
    }
  },
  async opening_sets(v) {
    const place = { platform: "bidhall.example", tender: "KP-2026-0031", lot: "1", envelope: "price" };
    for (const c of v.opening_sets) {
      const entries = await Promise.all(c.entries.map(async (entry) => ({ entry, c: await entryHash(canonical(entry)) })));
      same(await entriesHash(unhex(c.list_salt), entries.map((e) => e.c)), c.list_hash, c.id);
      if (c.expect) await refused(c.expect, () => replay(entries, c.documents, place), c.id);
      else {
        same(await replay(entries, c.documents, place), c.bids, c.id);
        same(await replay([...entries].reverse(), c.documents, place), c.bids, `${c.id}, in another order`);
      }
    }
  },
  async opening(v) {
    const o = v.opening;
    const deadline = parseCanonical(utf8(o.deadline_jcs));
    const entry = parseCanonical(utf8(o.deadline_entry_jcs));
    same(entry.statement, await documentHash(utf8(o.deadline_jcs)));
    const set = parseCanonical(utf8(o.set_jcs));
    same(set.deadline, b64u(await entryHash(utf8(o.deadline_entry_jcs))));
    const salt = /^[0-9a-f]{64}$/.test(o.list.salt) ? unhex(o.list.salt) : unb64u(o.list.salt, 32);
    same(b64u(await entriesHash(salt, o.list.entries.map((e) => unb64u(e, 32)))), deadline.entries);
    truth(set.bids.every((b) => o.list.entries.includes(b.entry)), "every bid of the set is listed");
  },
  async draws(v) {
    for (const c of v.draws) {
      same(await poolHash(unhex(c.pool_salt), c.pool), c.pool_hash, c.id);
      const parties = [];
      for (const p of c.parties) {
        const header = utf8(p.escrow_jcs);
        const parsed = await checkEscrow(header, { draw: c.draw, party: p.party, policy: c.policy });
        same(parsed.headerHash, p.header_hash, c.id);
        const counted = await countReveal({ draw: c.draw, party: p.party, commit: unhex(p.commit), parsed, r: p.reveal ? unhex(p.reveal) : null });
        same([hex(counted.countsAs), counted.fault], [p.counts_as, p.fault], `${c.id} ${p.party}`);
        if (!p.fault) {
          same(await drawCommit(c.draw, p.party, unhex(p.reveal)), p.commit);
          same((await deriveHeader(unhex(p.reveal), p.ctx)).header, header);
        }
        parties.push({ party: p.party, commit: unhex(p.commit), header, r: p.reveal ? unhex(p.reveal) : null });
      }
      const root = unhex(c.log_root);
      const about = { notice: c.notice, root, beacon: c.beacon, parties, pool: c.pool, salt: unhex(c.pool_salt) };
      const drawn = await recomputeDraw(about);
      same(drawn.seed, c.seed, c.id);
      same(drawn.picks, c.picks);
      same(drawn.picked, c.picked);
      if (c.permutation && c.label === "experts") same(await permutation(drawn.seed, c.label, c.pool.length), c.permutation);
      checkDrawResult(c.result, c.notice, drawn, root);
      await refused("CONTEXT_MISMATCH", () => checkDrawResult({ ...c.result, picks: [...c.picks].reverse().concat(1) }, c.notice, drawn, root));
      await refused("CONTEXT_MISMATCH", () => recomputeDraw({ ...about, parties: parties.slice(1) }));
      await refused("CONTEXT_MISMATCH", () => recomputeDraw({ ...about, pool: [...c.pool.slice(0, -1), "zz"] }));
      const other = await recomputeDraw({ ...about, parties: parties.map((p, i) => (i ? p : { ...p, r: null })) });
      same(other.faults.includes(c.parties[0].party), true, "silence counts as zeros");
      truth(hex(other.seed) !== c.seed, "another reveal, another seed");
      same(await drawSeed({ ...c, pool: unhex(c.pool_hash), root, commits: parties.map((p) => p.commit), reveals: drawn.reveals }), c.seed);
    }
  },
  async bad_escrows(v) {
    for (const c of v.bad_escrows) {
      await refused(c.expect, () => checkEscrow(utf8(c.header), { draw: c.draw, party: c.party, policy: c.policy }), c.id);
    }
  },
  async below(v) {
    const c = v.below;
    const below = await numberStream(unhex(c.seed), c.label);
    const found = [];
    for (let i = 0; i < c.first_8.length; i++) found.push(await below(c.m));
    same(found, c.first_8);
    for (const m of [0, -1, 1.5, 2 ** 48 + 1]) await refused("FORMAT", () => below(m));
  },
  async score_commit(v) {
    const c = v.score_commit;
    same(await scoreCommit(unhex(c.salt), parseCanonical(utf8(c.sheet_jcs))), c.commit);
  },
  async any_order(v) {
    // An engine that finishes early chunks last must not change a byte: the first calls are held back.
    const c = v.sealed.find((s) => s.id === "tech-five-chunks");
    const { subtle } = globalThis.crypto;
    const held = { encrypt: subtle.encrypt, digest: subtle.digest };
    try {
      for (const name of Object.keys(held)) {
        let calls = 0;
        subtle[name] = async (...args) => {
          const result = held[name].apply(subtle, args);
          const wait = args.at(-1).length > 100_000 ? 40 - 8 * calls++ : 0;
          if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
          return result;
        };
      }
      const { bytes, sealed } = await sealVector(c);
      const blob = new Blob([bytes]);
      same(sealed.sealedRoot, c.sealed_root);
      same(await sealedRoot(blob, await inspect(blob)), c.sealed_root);
      await openWithSeed({ blob, info: await inspect(blob), seed: unhex(c.seed) });
    } finally {
      for (const name of Object.keys(held)) delete subtle[name];
    }
  },
  async round_trip(v) {
    const policy = JSON.parse(v.policies.find((p) => p.policy_jcs.includes('"co_opening":true')).policy_jcs);
    const data = await gen("round trip", 1_300_000);
    const files = [
      { name: "empty", type: "", blob: new Blob([]) }, { name: "标书.pdf", type: "application/pdf", blob: new Blob([data.subarray(0, 900_000), data.subarray(900_000)]) },
      { name: "last", type: "", blob: new Blob(["x"]) },
    ];
    const bidderKey = unhex(v.keys.bidder_kem.pk);
    const job = { policy, bidder: "91130205MA0ABCDE1X", bidderKey, announce: { price: "1.00" }, files };
    const runs = [];
    for (let i = 0; i < 2; i++) {
      const pieces = [];
      let last = 0;
      const sealed = await seal({ ...job, sink: (p) => { pieces.push(p); }, onProgress: (done) => { last = done; } });
      same(last, sealed.ctx.plen);
      runs.push({ sealed, blob: new Blob(pieces) });
    }
    truth(hex(runs[0].sealed.seed) !== hex(runs[1].sealed.seed), "a fresh seed for each call");
    const { sealed, blob } = runs[0];
    const info = await selfCheck(blob, sealed);
    const other = new Uint8Array(await blob.arrayBuffer());
    other[other.length - 20] ^= 1;
    await refused("SEALED_ROOT", () => selfCheck(new Blob([other]), sealed), "a byte of the last chunk");
    await refused("REDERIVE", () => selfCheck(blob, { ...sealed, seed: random(32) }));
    await refused("CONTEXT_MISMATCH", () => selfCheck(runs[1].blob, sealed));
    await refused("MANIFEST", () => selfCheck(blob, { ...sealed, manifest: { ...sealed.manifest, files: [] } }));
    const parts = new Map([[0, await openBox(info, 0, unhex(v.keys.bidder_kem.sk))]]);
    for (const o of v.keys.officers.slice(2)) parts.set(o.index, await openBox(info, o.index, unhex(o.sk)));
    const opened = await open({ blob, signedRoot: sealed.sealedRoot, parts, hashFiles: true });
    same(opened.sha256.map(hex), [await sha256Hex(new Uint8Array(0)), await sha256Hex(data), await sha256Hex(utf8("x"))]);
    await refused("BIDDER_PART_MISSING", () => joinSeed(info, new Map([...parts].slice(1))));
    await refused("TOO_FEW_SHARES", () => joinSeed(info, new Map([...parts].slice(0, 3))));
    const extra = new Map([...parts, [1, random(32)]]);
    same(await joinSeed(info, extra), sealed.seed, "three good parts are enough beside a bad one");

    const key = await keyOf("ed25519", unhex(v.keys.bidder_sign.sk));
    const sub = await makeSubmission({ sealed, sealedAt: "2026-03-01T00:30:00Z", tool: "t/1", key });
    const { value } = await verifyEnvelope(sub.envelope, "submission", [key.pub]);
    checkStatement(value, info, await sealedRoot(blob, info));
    await refused("SIZE", () => checkStatement({ ...value, sealed_size: 1 }, info, sealed.sealedRoot));
    await refused("SEALED_ROOT", () => checkStatement(value, info, random(32)));
    await refused("CONTEXT_MISMATCH", () => checkStatement({ ...value, lot: "2" }, info, sealed.sealedRoot));
    const gone = await makeWithdrawal({ submission: value, at: "2026-03-01T00:40:00Z", key });
    same(gone.value.statement, sub.hash);

    const sink = () => {};
    await refused("CONTEXT_MISMATCH", () => seal({ ...job, bidder: "drill", sink }), "drill");
    await refused("CONTEXT_MISMATCH", () => seal({ ...job, bidderKey: undefined, sink }), "no bidder key");
    await refused("TOO_LARGE", () => seal({ ...job, policy: { ...policy, max_plen: 65536 }, sink }));
    for (const name of ["", ".", "..", "a/b", "a\\b", "a\nb", "a\u007f", "a\u0085", "x".repeat(256), "last"]) {
      await refused("MANIFEST", () => seal({ ...job, files: [{ name, type: "", blob: new Blob([]) }, files[2]], sink }), JSON.stringify(name));
    }
    await refused("MANIFEST", () => seal({ ...job, announce: { Price: "1" }, sink }));
    await refused("MANIFEST", () => seal({ ...job, announce: { price: 1 }, sink }));
    const stop = new AbortController();
    let name = "";
    await seal({ ...job, sink: () => stop.abort(), signal: stop.signal }).catch((e) => { name = e.name; });
    same(name, "AbortError", "cancel");
    same(await codeOf(() => seal({ ...job, sink: () => { throw new RangeError("disk full"); } }).catch((e) => { if (!(e instanceof RangeError)) throw e; })), "");
    same(checkManifest({ v: 1, announce: {}, files: [] }).v, 1);
  },
};
