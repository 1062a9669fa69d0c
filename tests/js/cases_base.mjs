/** Vectors of the ground: bytes, canonical JSON, times, keys, curves, HPKE, sharing, trees, signed documents. */
import { b64, b64u, fromUtf8, hex, unb64u, unhex, utf8 } from "../../web/static/js/sb/bytes.js";
import { canonical, canonicalText, parseCanonical } from "../../web/static/js/sb/canonical.js";
import * as curves from "../../web/static/js/sb/curves.js";
import { checkDocument, documentHash, hashOf, KINDS, keysOf, setName } from "../../web/static/js/sb/documents.js";
import { pae, payloadType, signEnvelope, verifyEnvelope } from "../../web/static/js/sb/dsse.js";
import { checkEntry } from "../../web/static/js/sb/entries.js";
import { random, sha256 } from "../../web/static/js/sb/hashes.js";
import { deriveKeyPair, hpkeOpen, hpkeSeal } from "../../web/static/js/sb/hpke.js";
import { newKeyring, openKeyring, readKeyFile, readKeyring, unwrapKey, wrapSeed } from "../../web/static/js/sb/keyfile.js";
import { answerEnrolmentChallenge, keyOf, kid, makeEnrolment, newKey, officerTenderKey, verifyEnrolment } from "../../web/static/js/sb/keys.js";
import { checkPolicy, policyId, verifyPolicy } from "../../web/static/js/sb/policy.js";
import { generationsOf } from "../../web/static/js/sb/policy_line.js";
import { gfMul, join, shareAt } from "../../web/static/js/sb/shamir.js";
import { formatTime, isTime, seconds } from "../../web/static/js/sb/times.js";
import { domain } from "../../web/static/js/sb/hashes.js";
import { refused, same, sorted, truth } from "./check.mjs";

export const groups = {
  async jcs_good(v) {
    for (const c of v.jcs_good) {
      const bytes = canonical(JSON.parse(c.value_text));
      same(fromUtf8(bytes), c.canonical);
      same(await sha256(bytes), c.sha256);
      same(canonicalText(parseCanonical(bytes)), c.canonical);
    }
    for (const bad of [null, undefined, 1.5, -0, NaN, 2 ** 53, 1n, () => 1, new Date(), new Map(), { A: 1 }, { a: null }, ["\ud800"]]) {
      await refused("JSON_PROFILE", () => canonical(bad), String(bad));
    }
  },
  async jcs_reject(v) {
    for (const c of v.jcs_reject) await refused("JSON_PROFILE", () => parseCanonical(unhex(c.bytes)), c.why);
  },
  async bytes() {
    for (let n = 0; n < 50; n++) {
      const bytes = random(n);
      same(unb64u(b64u(bytes)), bytes);
      same(b64(bytes), btoa(String.fromCharCode(...bytes)));
    }
    for (const bad of ["A", "AB", "AA=", "AA==", "A+AA", "A/AA", " AAA", "AAA\n", "AAé"]) await refused("JSON_PROFILE", () => unb64u(bad), bad);
  },
  async bad_times(v) {
    for (const t of v.bad_times) {
      truth(!isTime(t), t);
      await refused("JSON_PROFILE", () => seconds(t), t);
    }
    for (const t of ["1970-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "9999-12-31T23:59:59Z"]) same(formatTime(seconds(t)), t);
  },
  async keys(v) {
    for (const o of v.keys.officers) {
      const pair = await deriveKeyPair(unhex(o.ikm));
      same(pair.sk, o.sk);
      same(pair.pk, o.pk);
      same(await kid("x25519", pair.pk), o.kid);
    }
    same((await keyOf("x25519", unhex(v.keys.bidder_kem.sk))).kid, v.keys.bidder_kem.kid);
    for (const name of ["bidder_sign", "platform_sign", "officer_sign_1", "bidder_sign_2", "supervisor_sign"]) {
      const key = await keyOf("ed25519", unhex(v.keys[name].sk));
      same(key.pub, v.keys[name].pk, name);
      same(key.kid, v.keys[name].kid, name);
    }
    same((await keyOf("ed25519", unhex(v.keys.witness_sign.sk))).pub, v.keys.witness_sign.pk);
  },
  async ed25519_signatures(v) {
    for (const c of v.ed25519_signatures) {
      same(await curves.verify(unhex(c.pk), unhex(c.msg), unhex(c.sig)), c.valid, c.id);
    }
    const key = await newKey("ed25519");
    const sig = await curves.sign(key.secret, utf8("x"));
    truth(await curves.verify(key.pub, utf8("x"), sig), "own signature");
    truth(!(await curves.verify(key.pub, utf8("y"), sig)), "other message");
  },
  async ed25519_refuse_keys(v) {
    for (const pk of v.ed25519_refuse_keys) await refused("SIG", () => curves.checkEd25519Key(unhex(pk)), pk);
    await curves.checkEd25519Key(unhex(v.keys.platform_sign.pk));
  },
  async x25519_refuse_keys(v) {
    for (const pk of v.x25519_refuse_keys) await refused("FORMAT", () => curves.checkX25519Key(unhex(pk)), pk);
    for (const pk of v.x25519_refuse_keys.slice(0, 5)) await refused("FORMAT", () => curves.x25519(random(32), unhex(pk)), pk);
    curves.checkX25519Key(unhex(v.keys.bidder_kem.pk));
  },
  async hpke_base(v) {
    const c = v.hpke_base;
    const eph = await deriveKeyPair(unhex(c.ikm_e));
    same(eph.sk, c.sk_e);
    const { enc, ct } = await hpkeSeal(unhex(c.pk_r), unhex(c.info), unhex(c.pt), eph);
    same(enc, c.enc);
    same(ct, c.ct);
    same(await hpkeOpen(unhex(c.sk_r), unhex(c.info), enc, ct), c.pt);
    await refused("SHARE_OPEN", () => hpkeOpen(unhex(c.sk_r), utf8("other"), enc, ct));
    await refused("SHARE_OPEN", () => hpkeOpen(random(32), unhex(c.info), enc, ct));
    await refused("SHARE_OPEN", () => hpkeOpen(unhex(c.sk_r), unhex(c.info), new Uint8Array(32), ct));
    const sk = random(32);
    const challenge = random(32);
    const sealed = await hpkeSeal(await curves.publicKey("x25519", sk), domain("enrol"), challenge, await deriveKeyPair(random(32)));
    same(await answerEnrolmentChallenge(sk, { enc: b64u(sealed.enc), ct: b64u(sealed.ct) }), b64u(challenge));
    const box = await hpkeSeal(await curves.publicKey("x25519", sk), domain("share/1"), challenge, await deriveKeyPair(random(32)));
    await refused("SHARE_OPEN", () => answerEnrolmentChallenge(sk, { enc: b64u(box.enc), ct: b64u(box.ct) }), "a share's box as a challenge");
  },
  async officer_tender_key(v) {
    const c = v.officer_tender_key;
    same((await officerTenderKey(unhex(c.root), JSON.parse(c.scope_jcs))).pk, c.pk);
  },
  async shamir(v) {
    const c = v.shamir;
    for (const [a, b, p] of c.gf_mul) same(gfMul(a, b), p);
    for (const [j, share] of Object.entries(c.shares)) same(shareAt(unhex(c.secret), c.coefs.map(unhex), Number(j)), share);
    const all = Object.entries(c.shares).map(([j, s]) => [Number(j), unhex(s)]);
    let subsets = 0;
    for (let i = 0; i < 5; i++) for (let k = i + 1; k < 5; k++) for (let l = k + 1; l < 5; l++, subsets++) {
      same(join(new Map([all[i], all[k], all[l]])), c.secret);
    }
    same(subsets, 10);
    truth(hex(join(new Map(all.slice(0, 2)))) !== c.secret, "two shares tell nothing");
  },
  async policies(v) {
    for (const c of v.policies) {
      const policy = parseCanonical(utf8(c.policy_jcs));
      same(await policyId(checkPolicy(policy)), c.policy_id);
    }
    const base = JSON.parse(v.policies[0].policy_jcs);
    const changed = (change) => checkPolicy({ ...structuredClone(base), ...change });
    for (const change of [{ v: true }, { v: 2 }, { extra: 1 }, { t: 1 }, { t: 6 }, { n: 4 }, { window: 0 }, { window: 1441 }, { mirror: "all" }]) {
      await refused("JSON_PROFILE", () => changed(change), JSON.stringify(change));
    }
    await refused("SUITE_UNKNOWN", () => changed({ suite: "sb2" }));
    for (const change of [{ t: 2 }, { t: 5 }, { deadline: "2026-03-01T01:30:01Z" }, { opens_at: "2026-03-01T01:29:00Z" }]) {
      await refused("CONTEXT_MISMATCH", () => changed(change), JSON.stringify(change));
    }
    const twins = structuredClone(base.officers);
    twins[1].pk = twins[0].pk;
    await refused("CONTEXT_MISMATCH", () => changed({ officers: twins }));
    const id = await policyId(base);
    const later = { ...base, supersedes: id, deadline: "2026-03-02T01:30:00Z", opens_at: "2026-03-02T01:30:00Z" };
    same((await generationsOf([base, later], ["", "2026-03-01T01:29:50Z"])).map((g) => g.ids.length), [2]);
    await refused("CONTEXT_MISMATCH", () => generationsOf([base, later], ["", "2026-03-01T01:30:00Z"]), "too late");
    await refused("CONTEXT_MISMATCH", () => generationsOf([base, { ...later, window: 31 }], ["", "2026-02-01T00:00:00Z"]), "under the same keys");
    await refused("CONTEXT_MISMATCH", () => generationsOf([base, { ...later, supersedes: "" }], ["", "2026-02-01T00:00:00Z"]));
    const signed = v.multi.find((m) => m.id === "policy-any-order");
    const [platformKey, ...officerKeys] = v.multi[0].keys.map(unhex);
    same((await verifyPolicy(signed.envelope, { platformKey, officerKeys })).id, v.policies[0].policy_id);
    await refused("SIG", () => verifyPolicy(signed.envelope, { platformKey, officerKeys: [officerKeys[1], officerKeys[0], ...officerKeys.slice(2)] }));
  },
  async submission(v) {
    const c = v.submission;
    const payload = utf8(c.statement_jcs);
    same(pae(payloadType("submission"), payload), c.pae);
    const key = await keyOf("ed25519", unhex(v.keys.bidder_sign.sk));
    same(await signEnvelope("submission", parseCanonical(payload), [key]), c.envelope);
    const { value } = await verifyEnvelope(c.envelope, "submission", [key.pub]);
    checkDocument("submission", value);
    same(hex(unb64u(await documentHash(payload))), c.statement_hash);
    await refused("SIG", () => verifyEnvelope(c.envelope, "submission", [unhex(v.keys.platform_sign.pk)]));
  },
  async good_envelopes(v) {
    for (const c of v.good_envelopes) await verifyEnvelope(c.envelope, "submission", [unhex(v.keys.bidder_sign.pk)]);
  },
  async bad_envelopes(v) {
    for (const c of v.bad_envelopes) {
      await refused(c.expect, () => verifyEnvelope(c.envelope, "submission", [unhex(v.keys.bidder_sign.pk)]), c.id);
    }
  },
  async multi(v) {
    for (const c of v.multi) {
      const work = () => verifyEnvelope(c.envelope, c.kind, c.keys.map(unhex));
      if (c.expect) await refused(c.expect, work, c.id);
      else await work();
    }
    const all = v.multi[0];
    const [platform, ...officers] = all.keys.map(unhex);
    const few = { ...all.envelope, signatures: all.envelope.signatures.slice(0, 4) };
    same((await verifyEnvelope(few, "policy", [platform], { among: officers, least: 3 })).among.length, 3);
    await refused("SIG", () => verifyEnvelope(few, "policy", [platform], { among: officers, least: 4 }));
    await refused("SIG", () => verifyEnvelope({ ...few, signatures: few.signatures.slice(1) }, "policy", [platform], { among: officers, least: 2 }));
  },
  async commit_lists(v) {
    for (const c of v.commit_lists) {
      const { value } = await verifyEnvelope(c.envelope, "commit-list", c.keys.map(unhex));
      checkDocument("commit-list", value);
      const fewer = { ...c.envelope, signatures: c.envelope.signatures.slice(1) };
      await refused("SIG", () => verifyEnvelope(fewer, "commit-list", c.keys.map(unhex)));
    }
  },
  async enrolments(v) {
    for (const c of v.enrolments) {
      const trust = { current: c.current ? unhex(c.current) : null, supervisor: unhex(v.keys.supervisor_sign.pk) };
      const work = () => verifyEnrolment(c.envelope, trust);
      if (/^[A-Z_]+$/.test(c.expect)) await refused(c.expect, work, c.id);
      else same((await work()).how, c.expect, c.id);
    }
    const first = await newKey("ed25519");
    const second = await newKey("ed25519");
    const seal = await newKey("x25519");
    const about = { platform: "p.example", party: "91130205MA0ABCDE1X", role: "bidder", at: "2026-02-20T02:00:00Z" };
    const one = await makeEnrolment({ ...about, key: first, sealPk: seal.pub });
    same((await verifyEnrolment(one, { current: null })).how, "first");
    const two = await makeEnrolment({ ...about, key: second, replaces: first });
    same((await verifyEnrolment(two, { current: first.pub })).how, "rotated");
    await refused("CONTEXT_MISMATCH", async () => verifyEnrolment(await makeEnrolment({ ...about, party: "drill", key: first }), { current: null }));
  },
  async documents(v) {
    for (const [kind, c] of Object.entries(v.documents)) {
      const payload = utf8(c.payload_jcs);
      const value = parseCanonical(payload);
      same(payloadType(kind), c.payload_type);
      same(await documentHash(payload), c.hash, kind);
      same(await hashOf(value), c.hash, kind);
      if (kind === "entry") {
        checkEntry(value);
        continue;
      }
      truth(KINDS.includes(kind), kind);
      same(keysOf(kind), c.keys, kind);
      checkDocument(kind, value);
      await refused("JSON_PROFILE", () => checkDocument(kind, { ...value, zz: "" }), kind);
      for (const key of c.keys) {
        const { [key]: _, ...less } = value;
        await refused("JSON_PROFILE", () => checkDocument(kind, less), `${kind} without ${key}`);
      }
      if (c.set) same(await setName(payload), c.set);
    }
    const sealed = KINDS.filter((kind) => kind !== "approval"); // of money, not of the sealed bid
    same(sealed.length, Object.keys(v.documents).length - 1, "every kind has a vector");
    const approval = {
      approver: "controller", at: "2026-03-02T01:00:00Z", facts: { digest: "0".repeat(64), value_on: "2026-03-02" }, log: "test/log",
      of: "batch/TF-20260302-7KQ4", person: "account:7", platform: "test", prepared: b64u(new Uint8Array(32)), v: 1, what: "batch",
    };
    checkDocument("approval", approval);
    checkDocument("approval", { ...approval, what: "decision", of: "forfeit/1/decision" });
    for (const key of Object.keys(approval)) {
      const { [key]: _, ...less } = approval;
      await refused("JSON_PROFILE", () => checkDocument("approval", less), `approval without ${key}`);
    }
  },
  async key_file(v) {
    const c = v.key_file;
    const bytes = utf8(c.file_jcs);
    const key = await unwrapKey(bytes, c.passphrase);
    same(key.secret, c.secret);
    same(sorted(parseCanonical(utf8(c.aad_jcs))), sorted((({ ct, ...head }) => head)((await readKeyFile(bytes)).file)));
    await refused("SHARE_OPEN", () => unwrapKey(bytes, "correct horse"), "wrong passphrase");
    const changed = (change) => canonical({ ...parseCanonical(bytes), ...change });
    for (const change of [{ memory_kib: 262145 }, { passes: 11 }, { lanes: 2 }, { kdf: "scrypt" }, { alg: "seed" }, { v: 2 }, { pub: b64u(random(32)) }]) {
      await refused("FORMAT", () => readKeyFile(changed(change)), JSON.stringify(change));
    }
    await refused("JSON_PROFILE", () => readKeyFile(utf8(`${c.file_jcs}\n`)));
  },
  async keyrings(v) {
    const party = "91130205MA0ABCDE1X";
    const bidder = await newKeyring({ party, role: "bidder", passphrase: "口令 \u00e9" });
    const opened = await openKeyring(bidder.bytes, "口令 e\u0301");
    same([opened.party, opened.role, Object.keys(opened.keys)], [party, "bidder", ["ed25519", "x25519"]]);
    same(opened.keys.x25519.secret, bidder.keys.x25519.secret, "passphrase in another normal form");
    const officer = await newKeyring({ party: "o-1", role: "officer", passphrase: "p" });
    same(readKeyring(officer.bytes).files.map((f) => [f.alg, f.type]), [["ed25519", "bidhall-key"], ["root", "bidhall-key"]]);
    await refused("SHARE_OPEN", () => openKeyring(officer.bytes, "q"));
    await refused("FORMAT", () => readKeyring(canonical({ ...parseCanonical(officer.bytes), v: 2 })));
    const seed = random(32);
    const kept = await unwrapKey(await wrapSeed(seed, "p"), "p");
    same(kept.secret, seed);
    same(kept.alg, "seed");
  },
};
