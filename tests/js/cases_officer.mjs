/** An opening played whole, in small: a log of ticks, two bids, a withdrawal, officers who check, open, sign and countersign. */
import { b64u, unb64u, unhex } from "../../web/static/js/sb/bytes.js";
import { canonical } from "../../web/static/js/sb/canonical.js";
import { copies } from "../../web/static/js/sb/copied.js";
import { sign } from "../../web/static/js/sb/curves.js";
import { documentHash, hashOf, makeBidderPart, makeSubmission, makeWithdrawal, signDocument } from "../../web/static/js/sb/documents.js";
import { signEnvelope, verifyEnvelope } from "../../web/static/js/sb/dsse.js";
import { entryHash } from "../../web/static/js/sb/entries.js";
import { random } from "../../web/static/js/sb/hashes.js";
import { openBox, parseHeader } from "../../web/static/js/sb/header.js";
import { keyOf, newKey, officerTenderKey } from "../../web/static/js/sb/keys.js";
import { inclusionProof, leafHash, treeRoot } from "../../web/static/js/sb/merkle.js";
import { formatTlogProof, formatVkey, parseVkey } from "../../web/static/js/sb/notes.js";
import {
  checkOpened, checkOpening, countersignOpened, entriesHash, makeShares, openDrill, takeHeaders,
} from "../../web/static/js/sb/opening.js";
import { contextOf, policyId } from "../../web/static/js/sb/policy.js";
import { inspect, openWithSeed, seal } from "../../web/static/js/sb/sealed_bid.js";
import { makeTickProof, tickBy, tickTree } from "../../web/static/js/sb/ticks.js";
import { seconds } from "../../web/static/js/sb/times.js";
import { b64, utf8 } from "../../web/static/js/sb/bytes.js";
import { deriveHeader } from "../../web/static/js/sb/header.js";
import { refused, same, truth } from "./check.mjs";

const ORIGIN = "bidhall.example/log";
const PLACE = { platform: "bidhall.example", tender: "KP-1", lot: "1", envelope: "price" };
const DEADLINE = "2026-03-01T01:30:00Z";
const SIDES = ["platform", "tenderee", "supervisor", "platform", "tenderee"];

async function makeOffice() {
  const office = { platform: await newKey("ed25519"), log: await newKey("ed25519"), officers: [], supervisor: await newKey("ed25519") };
  for (const side of SIDES) {
    const root = random(32);
    const tender = await officerTenderKey(root, { ...PLACE, serial: 1 });
    office.officers.push({ side, key: await newKey("ed25519"), ...tender });
  }
  office.policy = {
    ...PLACE, v: 1, suite: "sb1-x25519-sha256-aes256gcm", co_opening: true, deadline: DEADLINE, opens_at: DEADLINE, file_names: true,
    max_plen: 1048576, mirror: "none", n: 5, t: 3, rescue: true, serial: 1, supersedes: "", window: 30,
    officers: office.officers.map((o, i) => ({ name: `officer ${i + 1}`, pk: b64u(o.pk), side: o.side, sign_kid: o.key.kid })),
  };
  return office;
}

async function makeEntry(office, event, statement, at, reason = "") {
  const { platform: _, ...place } = PLACE;
  const value = { v: 1, id: b64u(random(16)), salt: b64u(random(32)), at, tick_by: tickBy(at), event, ...place, statement, reason };
  return { envelope: await signEnvelope("entry", value, [office.platform]), c: await entryHash(canonical(value)), value };
}

/** A log whose ticks hold the given entries: `[{at, entries}…]`; gives a proof for each entry and for each leaf. */
async function makeLog(office, ticks) {
  const built = [];
  for (let tick = 0; tick < ticks.length; tick++) {
    const slots = ticks[tick].entries.map((e, i) => ({ c: e.c, slot: 1000 * (i + 1) }));
    const tree = await tickTree(random(32), slots);
    built.push({ tree, slots, leaf: { at: ticks[tick].at, root: b64u(tree.root), tick, v: 1 } });
  }
  const bytes = built.map((b) => canonical(b.leaf));
  const hashes = await Promise.all(bytes.map(leafHash));
  const body = `${ORIGIN}\n${hashes.length}\n${b64(await treeRoot(bytes))}\n`;
  const hash = (await parseVkey(await formatVkey(ORIGIN, 1, office.log.pub))).hash;
  const checkpoint = `${body}\n\u2014 ${ORIGIN} ${b64(Uint8Array.of(...hash, ...(await sign(office.log.secret, utf8(body)))))}\n`;
  const tlog = async (i) => formatTlogProof({ index: i, path: await inclusionProof(hashes, i), checkpoint });
  return {
    before: async (i) => ({ leaf: built[i].leaf, tlog: await tlog(i) }),
    async proof(c) {
      const i = built.findIndex((b) => b.slots.some((s) => b64u(s.c) === b64u(c)));
      const { slot } = built[i].slots.find((s) => b64u(s.c) === b64u(c));
      return makeTickProof({ leaf: built[i].leaf, path: await built[i].tree.path(slot), slot, tlog: await tlog(i) });
    },
  };
}

async function makeBid(office, name, replaces = "") {
  const sign_ = await newKey("ed25519");
  const kem = await newKey("x25519");
  const pieces = [];
  const files = [{ name: "bid.pdf", type: "application/pdf", blob: new Blob([random(1000)]) }];
  const sealed = await seal({ policy: office.policy, bidder: name, bidderKey: kem.pub, announce: { price: "1.00" }, files, sink: (p) => { pieces.push(p); } });
  const blob = new Blob(pieces);
  const submission = await makeSubmission({ sealed, replaces, sealedAt: "2026-03-01T00:30:00Z", tool: "t/1", key: sign_ });
  return { name, key: sign_, kem, sealed, blob, submission };
}

async function play(change = {}, office = null) {
  office ??= await makeOffice();
  const bids = [await makeBid(office, "A"), await makeBid(office, "B"), await makeBid(office, "C")];
  const at = "2026-03-01T00:30:05Z";
  const received = [];
  for (const bid of bids) received.push(await makeEntry(office, "bid-received", bid.submission.hash, change.at ?? at));
  const gone = await makeWithdrawal({ submission: bids[2].submission.value, at, key: bids[2].key });
  received.push(await makeEntry(office, "bid-withdrawn", gone.hash, at));
  const salt = random(32);
  const listed = change.hide ? received.slice(1) : received;
  const id = await policyId(office.policy);
  const document = {
    ...PLACE, at: change.closing ?? "2026-03-01T01:31:00Z", deadline: DEADLINE, policy: id, v: 1,
    entries: b64u(await entriesHash(salt, listed.map((e) => e.c))),
  };
  const policyEnvelope = await signEnvelope("policy", office.policy, [office.platform, ...office.officers.map((o) => o.key)]);
  const published = await makeEntry(office, "policy", await hashOf(office.policy), "2026-02-01T00:00:05Z");
  const deadline = await makeEntry(office, "deadline", await hashOf(document), document.at);
  const inSet = bids.slice(change.drop ? 1 : 0, change.slip ? 3 : 2);
  const set = {
    ...PLACE, at: "2026-03-01T01:31:12Z", deadline: b64u(deadline.c), policy: id, v: 1,
    bids: inSet.map((b) => ({
      entry: b64u(received[bids.indexOf(b)].c), header_hash: b64u(b.sealed.headerHash), statement: b.submission.hash,
    })).sort((a, b) => (Buffer64(a.header_hash) < Buffer64(b.header_hash) ? -1 : 1)),
  };
  const setEnvelope = await signDocument("opening-set", set, office.platform);
  const setEntry = await makeEntry(office, "opening-set", await documentHash(canonical(set)), set.at);
  const ticks = [
    { at: "2026-03-01T00:30:10Z", entries: [published, ...(change.lateTick ? received.slice(1) : received)] }, { at: change.before ?? "2026-03-01T01:30:50Z", entries: [] },
    { at: document.at, entries: [deadline] }, { at: "2026-03-01T01:50:20Z", entries: change.lateTick ? [received[0], setEntry] : [setEntry] },
  ];
  const log = await makeLog(office, ticks);
  const handed = {
    policies: [policyEnvelope], policy_receipts: [{ entry: published.envelope, proof: await log.proof(published.c) }],
    deadline: document, deadline_receipt: { entry: deadline.envelope, proof: await log.proof(deadline.c) }, before_closing: await log.before(1),
    entry_list: { entries: listed.map((e) => b64u(e.c)), salt: b64u(salt), v: 1 },
    entries: await Promise.all(listed.map(async (e) => ({ entry: e.envelope, proof: await log.proof(e.c) }))),
    statements: [...bids.map((b) => b.submission.envelope), gone.envelope],
    opening_set: setEnvelope, opening_set_receipt: { entry: setEntry.envelope, proof: await log.proof(setEntry.c) },
  };
  const trust = {
    platformKey: office.platform.pub, log: await parseVkey(await formatVkey(ORIGIN, 1, office.log.pub)), witnesses: [], quorum: 0,
    supervisorKey: office.supervisor.pub,
    officerKeys: Object.fromEntries(office.officers.map((o) => [o.key.kid, o.key.pub])), keysOf: (name) => bids.filter((b) => b.name === name).map((b) => b.key.pub),
  };
  return { office, bids, handed, trust, log, deadline, received };
}

const Buffer64 = (text) => [...unb64u(text)].map((b) => b.toString(16).padStart(2, "0")).join("");
const NOW = seconds("2026-03-01T01:31:20Z");
const headersOf = (opening, bids) => opening.bids.map((x) => bids.find((b) => b64u(b.sealed.headerHash) === x.header_hash).sealed.header);

/** The bids of a set of the vectors as an officer's client holds them: `{headers, parts, seeds, copied}`. */
async function readSet({ bids }) {
  const held = { headers: [], parts: {}, seeds: {}, copied: [] };
  for (const { header, shares, seed, copied } of bids) {
    const parsed = await parseHeader(utf8(header));
    const name = b64u(parsed.headerHash);
    held.headers.push(parsed);
    held.parts[name] = new Map(Object.entries(shares).map(([j, part]) => [Number(j), unhex(part)]));
    if (seed) held.seeds[name] = unhex(seed);
    if (copied) held.copied.push(name);
  }
  return held;
}

/** A countersigning of a list that gives these verdicts `[[code, cause]…]`, in the order of the vectors. */
async function listed({ headers, parts, seeds }, told) {
  const generation = { policy: {}, ids: [headers[0].ctx.policy], alive: true, sidesMissing: [] };
  const opening = { set: b64u(random(32)), generations: [generation], left: new Map() };
  const bids = headers.map((parsed, i) => ({ announce: {}, cause: told[i][1], files: [], header_hash: b64u(parsed.headerHash), verdict: told[i][0] }));
  return checkOpened({ opened: { at: "2026-03-01T01:40:00Z", bids, set: opening.set, v: 1 }, opening, headers, parts, seeds });
}

export const groups = {
  async copied_boxes(v) {
    for (const one of v.copied_boxes) {
      const held = await readSet(one);
      same([...(await copies(held.headers, held.parts, held.seeds))].sort(), held.copied.sort(), one.id);
    }
    const held = await readSet(v.copied_boxes.find((one) => one.id === "whole-header"));
    const good = ["opened", ""];
    same((await listed(held, [["SHARE_COMMIT", "bidder"], good, good])).map((r) => r.found), ["SHARE_COMMIT", "opened", "opened"]);
    same((await listed(held, [["SEALED_ROOT", "platform"], good, good]))[0].found, "SHARE_COMMIT", "only bytes can show that they were lost");
    for (const said of [["UNRESOLVED", "unknown"], ["SHARE_COMMIT", "platform"], ["TOO_FEW_SHARES", "unknown"], good]) {
      await refused("CONTEXT_MISMATCH", () => listed(held, [said, good, good]), `a copy listed as ${said}`);
    }
    await refused("CONTEXT_MISMATCH", () => listed(held, [["SHARE_COMMIT", "bidder"], ["SHARE_COMMIT", "bidder"], good]), "the origin called a copy");
  },

  async officer_client(v) {
    const { office, bids, handed, trust } = await play();
    const opening = await checkOpening(handed, trust, NOW);
    same(opening.bids.length, 2);
    same([opening.closing.at, opening.claimsEnd, opening.unwitnessed], ["2026-03-01T01:31:00Z", "2026-03-01T01:33:00Z", true]);
    await refused("UNAVAILABLE", () => checkOpening(handed, trust, seconds(DEADLINE) - 1), "before opens_at");
    await refused("SIG", () => checkOpening(handed, { ...trust, platformKey: office.supervisor.pub }, NOW), "another platform");
    await refused("SET_CONFLICT", () => checkOpening(handed, { ...trust, keysOf: () => [office.supervisor.pub] }, NOW), "unknown bidder key");
    await refused("SET_CONFLICT", () => checkOpening({ ...handed, statements: handed.statements.slice(1) }, trust, NOW), "a document missing");
    await refused("LOG_OMISSION", () => checkOpening({ ...handed, entries: handed.entries.slice(1) }, trust, NOW), "an entry missing");
    await refused("TICK_PROOF", () => checkOpening(handed, { ...trust, quorum: 1 }, NOW), "no cosignature");
    for (const [change, code] of [
      [{ drop: true }, "SET_OMISSION"], [{ slip: true }, "SET_CONFLICT"], [{ lateTick: true }, "LOG_OMISSION"], [{ at: DEADLINE }, "LATE"],
      [{ before: "2026-03-01T01:31:00Z", closing: "2026-03-01T01:31:10Z" }, "TICK_PROOF"],
      [{ closing: "2026-03-01T01:30:50Z", before: "2026-03-01T01:30:40Z" }, "TICK_PROOF"],
      [{ closing: "2026-03-01T01:41:00Z", before: "2026-03-01T01:29:00Z" }, "UNAVAILABLE"], [{ hide: true }, "SET_CONFLICT"],
    ]) {
      const bad = await play(change);
      await refused(code, () => checkOpening(bad.handed, bad.trust, NOW), JSON.stringify(change));
    }
    const other = await play({}, office); // the same log key over another tree
    const split = { ...handed, before_closing: other.handed.before_closing };
    await refused("TICK_PROOF", () => checkOpening(split, trust, NOW), "a tick of another log");
    for (const [key, code] of [["policy_receipts", "CONTEXT_MISMATCH"], ["policies", "CONTEXT_MISMATCH"]]) {
      await refused(code, () => checkOpening({ ...handed, [key]: [] }, trust, NOW), key);
    }
    await refused("SIG", () => checkOpening(handed, { ...trust, officerKeys: {} }, NOW), "officers not enrolled");
    same((await checkOpening(handed, { ...trust, platformKey: [office.supervisor.pub, office.platform.pub] }, NOW)).bids.length, 2, "a rotated key");
    {
    }

    const raw = headersOf(opening, bids);
    await refused("CONTEXT_MISMATCH", () => takeHeaders(opening, [bids[2].sealed.header, raw[1]]), "the withdrawn bid's header");
    await refused("CONTEXT_MISMATCH", () => takeHeaders(opening, raw.slice(1)));
    const headers = await takeHeaders(opening, raw);

    const parts = {};
    for (const parsed of headers) {
      const bid = bids.find((b) => b.name === parsed.ctx.bidder);
      const part = await openBox(parsed, 0, bid.kem.secret);
      await makeBidderPart({ headerHash: parsed.headerHash, part, set: opening.set, at: "2026-03-01T01:32:00Z", key: bid.key });
      parts[b64u(parsed.headerHash)] = new Map([[0, part]]);
    }
    const later = NOW + 120;
    for (const j of [1, 3, 5]) {
      const o = office.officers[j - 1];
      const about = { opening, headers, j, secretOf: () => o.sk, signKey: o.key };
      await refused("UNAVAILABLE", () => makeShares({ ...about, now: NOW }), "before claims end");
      const { envelope } = await makeShares({ ...about, now: later });
      const { value } = await verifyEnvelope(envelope, "shares", [o.key.pub]);
      for (const item of value.items) {
        same(item.error, "");
        parts[item.header_hash].set(j, unb64u(item.part, 32));
      }
    }
    const wrong = await makeShares({ opening, headers, j: 2, secretOf: () => random(32), signKey: office.officers[1].key, now: later });
    same(wrong.value.items.map((i) => [i.error, i.part]), [["SHARE_OPEN", ""], ["SHARE_OPEN", ""]]);

    const blobs = {}, roots = {}, told = [];
    for (const parsed of headers) {
      const bid = bids.find((b) => b.name === parsed.ctx.bidder);
      const name = b64u(parsed.headerHash);
      blobs[name] = bid.blob;
      roots[name] = bid.sealed.sealedRoot;
      const { manifest, digests } = await openWithSeed({ blob: bid.blob, info: await inspect(bid.blob), seed: bid.sealed.seed, hashFiles: true });
      const files = manifest.files.map((f, i) => ({ digest: digests[i], name: f.name }));
      told.push({ announce: manifest.announce, cause: "", files, header_hash: name, verdict: "opened" });
    }
    const opened = { at: "2026-03-01T01:40:00Z", bids: told, set: opening.set, v: 1 };
    const about = { opening, headers, parts };
    same((await checkOpened({ opened, ...about })).map((r) => r.checked), ["rederive", "rederive"]);
    same((await checkOpened({ opened, ...about, blobs, roots })).map((r) => r.checked), ["content", "content"]);
    const dearer = { ...opened, bids: [{ ...told[0], announce: { price: "9.00" } }, told[1]] };
    await refused("CONTEXT_MISMATCH", () => checkOpened({ opened: dearer, ...about, blobs, roots }), "another price");
    const failed = { ...opened, bids: [{ ...told[0], verdict: "REDERIVE", cause: "bidder", announce: {}, files: [] }, told[1]] };
    await refused("CONTEXT_MISMATCH", () => checkOpened({ opened: failed, ...about }), "a good bid called bad");
    await refused("CONTEXT_MISMATCH", () => checkOpened({ opened, opening, headers, parts: {} }), "no parts to repeat it with");

    const signed = await signDocument("opened", opened, office.platform);
    const officerKeys = office.officers.map((o) => o.key.pub);
    const first = await countersignOpened(signed, { platformKey: office.platform.pub, officerKeys, signKey: office.officers[0].key, ...about });
    const second = await countersignOpened(first.envelope, { platformKey: office.platform.pub, officerKeys, signKey: office.officers[2].key, ...about });
    const check = await verifyEnvelope(second.envelope, "opened", [office.platform.pub], { among: officerKeys, least: 2 });
    same(check.among, [0, 2]);
    await refused("SIG", () => countersignOpened(signed, { platformKey: office.supervisor.pub, officerKeys, signKey: office.officers[0].key, ...about }));

    const drill = { ...office.policy, co_opening: false };
    const ctx = await contextOf(drill, { bidder: "drill", plen: 65536 });
    const { header } = await deriveHeader(random(32), ctx);
    await openDrill(header, drill, 4, office.officers[3].sk);
    await refused("SHARE_OPEN", () => openDrill(header, drill, 4, office.officers[2].sk));
    await refused("CONTEXT_MISMATCH", () => openDrill(raw[0], office.policy, 1, office.officers[0].sk), "a real bid is no drill");
    truth((await keyOf("ed25519", unhex(v.keys.bidder_sign.sk))).kid === v.keys.bidder_sign.kid, "vectors are the real ones");
  },
};
