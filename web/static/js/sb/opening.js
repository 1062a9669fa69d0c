/**
 * The officer's client at an opening (the protocol §5): replay the log to the set, open the own boxes, sign `shares`,
 * repeat REDERIVE before countersigning `opened`. Nothing the server computed is believed where it can be recomputed.
 */
import { b64u, compareBytes, equal, unb64u } from "./bytes.js";
import { canonical, hasKeys } from "./canonical.js";
import { copies } from "./copied.js";
import { checkDocument, documentHash, setName, signDocument } from "./documents.js";
import { addSignature, payloadType, readEnvelope, verifyAny, verifyEnvelope } from "./dsse.js";
import { verifyEntry } from "./entries.js";
import { need, SealedBidError } from "./errors.js";
import { H } from "./hashes.js";
import { headerHash, joinSeed, openBox, parseHeader, partMatches, rederive } from "./header.js";
import { verifyConsistency } from "./merkle.js";
import { checkContextOfPolicy, peekPolicy, policyId, verifyPolicy } from "./policy.js";
import { boxOf, causeOfSides, checkSealedUnder, generationOf, generationsOf, POLICY_DEAD } from "./policy_line.js";
import { inspect, open, openWithSeed } from "./sealed_bid.js";
import { claimsEnd, CLOSING_DELAY, LATE_AFTER, verifyLeaf, verifyTickProof } from "./ticks.js";
import { formatTime, seconds } from "./times.js";

const PLACE = ["platform", "tender", "lot", "envelope"];
const OUTCOMES = new Set(["bid-received", "bid-replaced", "bid-withdrawn"]);
const COSIGN_WITHIN = 60;
const LEFT_SEALED = "UNAVAILABLE";

const samePlace = (value, place, keys = PLACE) => keys.every((key) => value[key] === place[key]);
const conflict = (ok, why, facts) => need(ok, "SET_CONFLICT", why, facts);

/** deadline.entries: H("entries", salt32, sorted c…), from an unordered list of c (bytes). */
export function entriesHash(salt, hashes) {
  return H("entries", salt, ...[...hashes].sort(compareBytes));
}

/**
 * Replay listed entries to the set of current bids. `entries`: `[{entry, c: bytes}…]`, checked; `documents`: documentHash → value,
 * signatures checked; `place`: `{platform, tender, lot, envelope}`.
 * Gives `[{entry, header_hash, statement}…]` sorted by raw header_hash. Refuses: `SET_CONFLICT`. No order of entries is assumed.
 */
export async function replay(entries, documents, place) {
  const accepted = new Map();
  const named = new Map();
  const withdrawals = new Set();
  const name = (target, by) => {
    conflict(!named.has(target), "a bid is named twice", { statement: target });
    named.set(target, by);
  };
  for (const { entry, c } of entries) {
    conflict(samePlace(entry, place, ["tender", "lot", "envelope"]), "an entry of another lot");
    if (!OUTCOMES.has(entry.event)) continue;
    const document = documents[entry.statement];
    conflict(document !== undefined, "a listed entry without its document", { statement: entry.statement });
    const kind = entry.event === "bid-withdrawn" ? "withdrawal" : "submission";
    try {
      checkDocument(kind, document);
    } catch (fault) {
      throw new SealedBidError("SET_CONFLICT", fault.why);
    }
    conflict((await documentHash(canonical(document))) === entry.statement, "another document than the entry names");
    conflict(samePlace(document, place), "a document of another lot");
    conflict(!accepted.has(entry.statement) && !withdrawals.has(entry.statement), "a statement accepted twice", { statement: entry.statement });
    if (kind === "withdrawal") {
      withdrawals.add(entry.statement);
      name(document.statement, document);
    } else {
      conflict((document.replaces === "") === (entry.event === "bid-received"), "the event does not fit the document");
      accepted.set(entry.statement, { document, c });
      if (document.replaces) name(document.replaces, document);
    }
  }
  for (const [target, by] of named) {
    conflict(accepted.get(target)?.document.bidder === by.bidder, "an unknown bid, or another's, is named", { statement: target });
  }
  const current = [...accepted].filter(([statement]) => !named.has(statement));
  conflict(new Set(current.map(([, { document }]) => document.bidder)).size === current.length, "two current bids of one bidder");
  return current
    .map(([statement, { document, c }]) => ({ entry: b64u(c), header_hash: document.header_hash, statement }))
    .sort((a, b) => compareBytes(unb64u(a.header_hash, 32), unb64u(b.header_hash, 32)));
}

function cosignedInTime(proof, trust) {
  const within = seconds(proof.leaf.at) + COSIGN_WITHIN;
  const count = proof.checkpoint.cosigned.filter((c) => c.at <= within).length;
  need(count >= (trust.quorum || 0), "TICK_PROOF", "the closing checkpoint was not cosigned in time");
}

/**
 * Step 2: verify what the platform hands over, before any header. `now`: seconds of the officer's own clock.
 * `trust`: `{platformKey: bytes | [bytes…], log: vkey, witnesses: [vkey…], quorum, supervisorKey: bytes | [bytes…],
 *   officerKeys: {sign_kid: bytes}, keysOf(bidder) → [Ed25519 bytes…] enrolled}` (keysOf may return a promise).
 * `handed`: `{policies: [DSSE…] (the line, oldest first), policy_receipts: [{entry, proof}…], deadline: document, deadline_receipt,
 *   before_closing: {leaf, tlog}, entry_list: document, entries: [{entry, proof}…], statements: [DSSE…], opening_set: DSSE,
 *   opening_set_receipt?, left_sealed?: [{document: DSSE, receipt?}…], late_close?: DSSE, late_close_receipt?, consistency?: [{from, to, proof: [b64u…]}…]}`;
 * `consistency` joins checkpoints that differ from the closing one: all proofs must be of one log.
 * Gives `{set: name, setDocument, bids, left: Map header_hash → cause of the bids that stay sealed, policy (the newest), generations
 *   (policy_line.js), submissions: documentHash → value, closing: leaf, claimsEnd, unwitnessed}`.
 * Refuses: `UNAVAILABLE` (too early, late-close missing), `SIG`, `SIG_TYPE`, `JSON_PROFILE`, `TICK_PROOF`, `CONTEXT_MISMATCH`, `LATE`,
 * `LOG_OMISSION`, `SET_OMISSION`, `SET_CONFLICT`.
 */
export async function checkOpening(handed, trust, now) {
  const seen = [];
  const generations = await checkPolicies(handed, trust, seen);
  const { policy, ids } = generations.at(-1);
  need(now >= seconds(policy.opens_at), "UNAVAILABLE", "not before opens_at", { opens_at: policy.opens_at });

  const deadline = await checkDeadline(handed, policy, ids, trust, seen);
  const listed = await checkList(handed, deadline, policy, trust, seen);
  const submissions = await checkStatements(handed.statements, listed, trust);
  const bids = await replay(listed, submissions, policy);
  for (const { statement } of bids) conflict(generations.some((one) => one.ids.includes(submissions[statement].policy)), "a bid under another policy");

  const { value: set, payload } = await verifyAny(handed.opening_set, "opening-set", trust.platformKey);
  checkDocument("opening-set", set);
  if (handed.opening_set_receipt) await inLog(handed.opening_set_receipt, "opening-set", await documentHash(payload), trust, seen);
  ofPolicy(set, policy, ids);
  need(set.deadline === b64u(deadline.c), "CONTEXT_MISMATCH", "the set names another deadline entry");
  const short = bids.find((bid) => !set.bids.some((b) => b.statement === bid.statement));
  need(!short, "SET_OMISSION", "a current bid is not in the set", { statement: short?.statement });
  conflict(equal(canonical(set.bids), canonical(bids)), "the set is not what the log replays to");
  const name = await setName(payload);
  const left = await checkLeftSealed(handed.left_sealed ?? [], name, bids, trust, seen);
  await oneLog(seen, deadline.checkpoint, handed.consistency ?? []);
  return {
    set: name, setDocument: set, bids, left, policy, generations, closing: deadline.leaf, submissions,
    claimsEnd: claimsEnd(deadline.leaf.at, policy.opens_at), unwitnessed: !trust.quorum,
  };
}

// What of the set is not to be opened: the platform signed for each (`bid-failed`, UNAVAILABLE) and, where a receipt is there, logged it.
async function checkLeftSealed(rows, set, bids, trust, seen) {
  const left = new Map();
  for (const { document, receipt } of rows) {
    const { value, payload } = await verifyAny(document, "bid-failed", trust.platformKey);
    checkDocument("bid-failed", value);
    need(value.set === set && value.code === LEFT_SEALED && !left.has(value.header_hash), "CONTEXT_MISMATCH", "not a bid of this set that stays sealed");
    conflict(bids.some((bid) => bid.header_hash === value.header_hash), "what stays sealed is not in the set");
    if (receipt) await inLog(receipt, "bid-failed", await documentHash(payload), trust, seen);
    left.set(value.header_hash, value.cause);
  }
  return left;
}

const toOpen = ({ bids, left }) => bids.filter((bid) => !left?.has(bid.header_hash));

function ofPolicy(document, policy, ids) {
  need(samePlace(document, policy) && document.policy === ids[ids.length - 1], "CONTEXT_MISMATCH", "a document of another lot or policy");
}

// A logged document's receipt: its entry speaks of it, its proof holds. The checkpoint goes to `seen`.
async function inLog(receipt, event, statement, trust, seen) {
  need(hasKeys(receipt, ["entry", "proof"]), "TICK_PROOF", `the ${event} is not shown to be in the log`);
  const { entry, c } = await verifyEntry(receipt.entry, trust.platformKey);
  need(entry.event === event && entry.statement === statement, "CONTEXT_MISMATCH", `an entry that does not speak of this ${event}`);
  const proof = await verifyTickProof(c, receipt.proof, trust);
  seen.push(proof.checkpoint);
  return { c, ...proof };
}

async function oneLog(seen, closing, proofs) {
  for (const checkpoint of seen) {
    const [old, young] = checkpoint.size <= closing.size ? [checkpoint, closing] : [closing, checkpoint];
    const given = proofs.find((p) => p.from === old.size && p.to === young.size);
    const proof = (given?.proof ?? []).map((h) => unb64u(h, 32, "TICK_PROOF"));
    await verifyConsistency({ from: old.size, to: young.size, fromRoot: old.root, toRoot: young.root, proof });
  }
}

async function checkPolicies(handed, trust, seen) {
  need(handed.policies.length > 0 && handed.policies.length === handed.policy_receipts.length, "CONTEXT_MISMATCH", "a policy without its receipt");
  const policies = [], times = [];
  const platformKeys = trust.platformKey instanceof Uint8Array ? [trust.platformKey] : trust.platformKey;
  for (let i = 0; i < handed.policies.length; i++) {
    const officerKeys = peekPolicy(handed.policies[i]).officers.map((o) => trust.officerKeys[o.sign_kid]);
    need(officerKeys.every(Boolean), "SIG", "an officer who is not enrolled");
    let policy, fault;
    for (const platformKey of platformKeys) {
      try {
        ({ policy } = await verifyPolicy(handed.policies[i], { platformKey, officerKeys }));
        break;
      } catch (found) {
        fault = found;
      }
    }
    if (!policy) throw fault;
    const { leaf } = await inLog(handed.policy_receipts[i], "policy", await documentHash(canonical(policy)), trust, seen);
    policies.push(policy);
    times.push(leaf.at);
  }
  return generationsOf(policies, times);
}

async function checkDeadline(handed, policy, ids, trust, seen) {
  const document = checkDocument("deadline", handed.deadline);
  const closing = await inLog(handed.deadline_receipt, "deadline", await documentHash(canonical(document)), trust, seen);
  ofPolicy(document, policy, ids);
  need(document.deadline === policy.deadline, "CONTEXT_MISMATCH", "another deadline than the policy's");
  cosignedInTime(closing, trust);
  const { c, leaf, checkpoint } = closing;
  const due = seconds(policy.deadline) + CLOSING_DELAY;
  need(seconds(leaf.at) >= due, "TICK_PROOF", "the deadline entry is in a tick before the closing one");
  if (leaf.tick > 0) {
    need(hasKeys(handed.before_closing, ["leaf", "tlog"]), "TICK_PROOF", "the tick before the closing one is not shown");
    const before = await verifyLeaf(handed.before_closing.leaf, handed.before_closing.tlog, trust);
    seen.push(before.checkpoint);
    need(before.leaf.tick === leaf.tick - 1 && seconds(before.leaf.at) < due, "TICK_PROOF", "there was an earlier closing tick");
  }
  if (seconds(leaf.at) > seconds(policy.deadline) + LATE_AFTER) await checkLateClose(handed, b64u(c), leaf, policy, ids, trust, seen);
  return { c, document, leaf, checkpoint };
}

async function checkLateClose(handed, deadlineHash, closing, policy, ids, trust, seen) {
  need(handed.late_close && handed.late_close_receipt, "UNAVAILABLE", "the closing tick is late: the supervisory body must confirm it first");
  const { value, payload } = await verifyAny(handed.late_close, "late-close", trust.supervisorKey);
  checkDocument("late-close", value);
  await inLog(handed.late_close_receipt, "late-close", await documentHash(payload), trust, seen);
  ofPolicy(value, policy, ids);
  need(value.closing === closing.tick && value.deadline === deadlineHash, "CONTEXT_MISMATCH", "a late-close of another closing");
}

async function checkList(handed, deadline, policy, trust, seen) {
  const list = checkDocument("entry-list", handed.entry_list);
  const hashes = list.entries.map((e) => unb64u(e, 32));
  conflict(b64u(await entriesHash(unb64u(list.salt, 32), hashes)) === deadline.document.entries, "not the list the deadline entry commits to");
  const due = new Set(list.entries);
  conflict(due.size === list.entries.length, "an entry listed twice");
  const found = new Map();
  for (const receipt of handed.entries) {
    need(hasKeys(receipt, ["entry", "proof"]), "LOG_OMISSION", "a listed entry without a proof of its own");
    const { entry, c } = await verifyEntry(receipt.entry, trust.platformKey);
    const { leaf, checkpoint } = await verifyTickProof(c, receipt.proof, trust);
    seen.push(checkpoint);
    need(leaf.tick <= deadline.leaf.tick, "LOG_OMISSION", "a listed entry in a tick after the closing one", { entry: b64u(c) });
    if (OUTCOMES.has(entry.event)) need(entry.at < policy.deadline, "LATE", "accepted at or after the deadline", { at: entry.at });
    found.set(b64u(c), { entry, c });
  }
  need(found.size === due.size && [...found.keys()].every((c) => due.has(c)), "LOG_OMISSION", "the entries shown are not those of the list");
  return [...found.values()];
}

async function checkStatements(envelopes, listed, trust) {
  const wanted = new Map(listed.filter(({ entry }) => OUTCOMES.has(entry.event))
    .map(({ entry }) => [entry.statement, entry.event === "bid-withdrawn" ? "withdrawal" : "submission"]));
  const documents = {};
  for (const envelope of envelopes) {
    for (const kind of ["submission", "withdrawal"]) {
      if (envelope?.payloadType !== payloadType(kind)) continue;
      const { payload, peek } = readEnvelope(envelope, kind);
      const name = await documentHash(payload);
      if (wanted.get(name) !== kind) continue;
      try {
        documents[name] = (await verifyAny(envelope, kind, await trust.keysOf(peek().bidder))).value;
      } catch (fault) {
        throw new SealedBidError("SET_CONFLICT", `a listed entry without its valid document: ${fault.message}`);
      }
    }
  }
  return documents;
}

/**
 * Step 2, end: take the headers handed out. `opening`: checkOpening's result; `headers`: [bytes…] in the order of the set, without those
 * of bids that stay sealed, which nobody gets.
 * Every header is hashed and read here. Gives the parsed headers, in that order. Refuses: `CONTEXT_MISMATCH`, `HEADER_*`, `TOO_LARGE`.
 */
export async function takeHeaders(opening, headers) {
  const wanted = toOpen(opening);
  need(headers.length === wanted.length, "CONTEXT_MISMATCH", "number of headers");
  const out = [];
  for (let i = 0; i < headers.length; i++) {
    const bid = wanted[i];
    need(b64u(await headerHash(headers[i])) === bid.header_hash, "CONTEXT_MISMATCH", "a header that is not in the set");
    const parsed = await parseHeader(headers[i]);
    checkSealedUnder(parsed.ctx, opening.generations);
    const statement = opening.submissions?.[bid.statement];
    if (statement) need(parsed.ctx.bidder === statement.bidder && parsed.ctx.policy === statement.policy, "CONTEXT_MISMATCH", "another's header");
    out.push(parsed);
  }
  return out;
}

/**
 * Step 4: open the own box of every header and sign one `shares`. `j`: own index 1..n of the newest policy; `secretOf(policy)`: the sk of
 * officerTenderKey for that policy's scope (may return a promise); `signKey`: `{secret, kid}`; `now`: seconds. A bid sealed under earlier
 * officers is opened with the key of that policy, where its generation is alive and this officer was in it; else it is not in the shares.
 * A box that fails is reported, never guessed; of a bid that stays sealed no part is given, code UNAVAILABLE.
 * Gives `{envelope, value}`. Refuses: `UNAVAILABLE` before claims end.
 */
export async function makeShares({ opening, headers, j, secretOf, signKey, now }) {
  need(now >= seconds(opening.claimsEnd), "UNAVAILABLE", "not before claims end", { claims_end: opening.claimsEnd });
  const items = [];
  const byName = new Map(headers.map((parsed) => [b64u(parsed.headerHash), parsed]));
  for (const { header_hash } of opening.bids) {
    const parsed = byName.get(header_hash);
    const item = { error: "", header_hash, part: "" };
    if (opening.left?.has(header_hash)) {
      items.push({ ...item, error: LEFT_SEALED });
      continue;
    }
    const box = boxOf(opening.generations, parsed.ctx.policy, j);
    if (!box) continue;
    try {
      item.part = b64u(await openBox(parsed, box, await secretOf(generationOf(opening.generations, parsed.ctx.policy).policy)));
    } catch (fault) {
      if (!(fault instanceof SealedBidError)) throw fault;
      item.error = fault.code;
    }
    items.push(item);
  }
  const value = { at: formatTime(now), items, j, set: opening.set, v: 1 };
  return { envelope: await signDocument("shares", value, signKey), value };
}

/** Before publication: open the drill bid's box under the real policy. Refuses: as openBox; `CONTEXT_MISMATCH` if it is no drill. */
export async function openDrill(header, policy, j, sk) {
  const parsed = await parseHeader(header);
  need(parsed.ctx.bidder === "drill", "CONTEXT_MISMATCH", "not a drill: before opens_at nothing else is opened");
  checkContextOfPolicy(parsed.ctx, policy, [await policyId(policy)]);
  await openBox(parsed, j, sk);
  return parsed;
}

/**
 * Step 6: repeat REDERIVE (and, where a sealed blob is given, the decryption) for every bid of an `opened` document.
 * `headers`: takeHeaders' result; `parts`: header_hash → Map j → bytes (posted shares by the number of their box, 0 = bidder's part);
 * `seeds`: header_hash → bytes for rescued bids; `blobs`: header_hash → Blob, optional; `roots`: header_hash → bytes, with the blobs.
 * Gives `[{header_hash, verdict, found, checked: "rederive" | "content" | "parts"}…]`; refuses when one differs: `CONTEXT_MISMATCH`.
 */
export async function checkOpened({ opened, opening, headers, parts, seeds = {}, blobs = {}, roots = {} }) {
  checkDocument("opened", opened);
  const left = opening.left ?? new Map();
  need(opened.set === opening.set && opened.bids.length === headers.length + left.size, "CONTEXT_MISMATCH", "opened speaks of another set");
  const alive = headers.filter((parsed) => generationOf(opening.generations, parsed.ctx.policy).alive);
  const copied = await copies(alive, parts, seeds);
  const report = [];
  let at = 0;
  for (const bid of opened.bids) {
    need(hasKeys(bid, ["announce", "cause", "files", "header_hash", "verdict"]), "JSON_PROFILE", "keys of an opened bid");
    if (left.has(bid.header_hash)) {
      need(bid.verdict === LEFT_SEALED && bid.cause === left.get(bid.header_hash), "CONTEXT_MISMATCH", "a bid that stays sealed, listed as another");
      report.push({ header_hash: bid.header_hash, verdict: bid.verdict, found: LEFT_SEALED, checked: "parts" });
      continue;
    }
    const parsed = headers[at++];
    need(parsed !== undefined, "CONTEXT_MISMATCH", "opened speaks of another set");
    need(bid.header_hash === b64u(parsed.headerHash), "CONTEXT_MISMATCH", "bids in another order");
    const generation = generationOf(opening.generations, parsed.ctx.policy);
    if (!generation.alive) {
      need(bid.verdict === POLICY_DEAD && bid.cause === causeOfSides(generation.sidesMissing), "CONTEXT_MISMATCH", "a bid of a dead policy, listed as another");
      report.push({ header_hash: bid.header_hash, verdict: bid.verdict, found: POLICY_DEAD, checked: "parts" });
      continue;
    }
    need(bid.verdict !== POLICY_DEAD, "CONTEXT_MISMATCH", "its policy is not dead", { header_hash: bid.header_hash });
    const found = await verdictOf(parsed, {
      parts: parts[bid.header_hash] ?? new Map(), seed: seeds[bid.header_hash], blob: blobs[bid.header_hash], root: roots[bid.header_hash],
    });
    if (copied.has(bid.header_hash) && NO_SEED.has(found.verdict)) {
      found.verdict = COPIED;
      need(isCopy(bid) || (found.checked === "parts" && bid.verdict === "SEALED_ROOT"), "CONTEXT_MISMATCH", `a copied bid, listed as ${bid.verdict}`,
        { header_hash: bid.header_hash });
    } else {
      const agrees = found.checked === "content" ? found.verdict === bid.verdict : mayBe(found.verdict, bid.verdict);
      need(agrees, "CONTEXT_MISMATCH", `recomputed ${found.verdict}, not ${bid.verdict}`, { header_hash: bid.header_hash });
    }
    if (found.checked === "content" && found.verdict === "opened") await compareContent(bid, found, opening.policy);
    report.push({ header_hash: bid.header_hash, verdict: bid.verdict, found: found.verdict, checked: found.checked });
  }
  return report;
}

// A bid that holds boxes of another one: no part of its can be the committed one, since its ctx is in every c_j.
const COPIED = "SHARE_COMMIT";
const NO_SEED = new Set(["TOO_FEW_SHARES", "SHARE_COMMIT", "BIDDER_PART_MISSING"]);
const isCopy = (bid) => bid.verdict === COPIED && bid.cause === "bidder";

// Without the content a good seed allows "opened" and the codes that only bytes can show.
const CONTENT_CODES = new Set(["opened", "SEALED_ROOT", "CHUNK_AUTH", "MANIFEST", "PADDING"]);
const mayBe = (found, said) => found === said || (found === "opened" && CONTENT_CODES.has(said)) ||
  (["SHARE_COMMIT", "TOO_FEW_SHARES"].includes(found) && ["TOO_FEW_SHARES", "UNRESOLVED", "SHARE_COMMIT", "SEALED_ROOT"].includes(said)) ||
  (found !== "opened" && said === "SEALED_ROOT");

async function verdictOf(parsed, { parts, seed, blob, root }) {
  try {
    if (blob && !seed) {
      const result = await open({ blob, signedRoot: root, parts, hashFiles: true });
      return { verdict: "opened", checked: "content", ...result };
    }
    const known = seed ?? (await joinSeed(parsed, parts));
    if (seed) await rederive(parsed, seed);
    if (!blob) return { verdict: "opened", checked: "rederive" };
    const info = await inspect(blob);
    return { verdict: "opened", checked: "content", ...(await openWithSeed({ blob, info, seed: known, hashFiles: true })) };
  } catch (fault) {
    if (!(fault instanceof SealedBidError)) throw fault;
    return { verdict: fault.code, checked: blob ? "content" : "parts" };
  }
}

async function compareContent(bid, { manifest, digests }, policy) {
  const files = manifest.files.map((f, i) => ({ digest: digests[i], name: policy.file_names ? f.name : "" }));
  need(equal(canonical(bid.announce), canonical(manifest.announce)) && equal(canonical(bid.files), canonical(files)),
    "CONTEXT_MISMATCH", "announce or digests are others", { header_hash: bid.header_hash });
}

/**
 * Countersign `opened`: the platform's signature is verified and checkOpened repeated on the signed bytes first.
 * `platformKey`: bytes; `signKey`: `{secret, kid}`; the rest as checkOpened. Gives `{envelope, report}`.
 */
export async function countersignOpened(envelope, { platformKey, officerKeys, signKey, ...checks }) {
  const { value } = await verifyEnvelope(envelope, "opened", [platformKey], { among: officerKeys });
  const report = await checkOpened({ opened: value, ...checks });
  return { envelope: await addSignature(envelope, "opened", signKey), report };
}

/** True iff a posted part is the committed one; what the server answers per item, repeatable by anyone with the header. */
export const partIsGood = partMatches;
