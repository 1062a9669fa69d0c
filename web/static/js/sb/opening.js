/**
 * The officer's client at an opening (the protocol §5): replay the log to the set, open the own boxes, sign `shares`,
 * repeat REDERIVE before countersigning `opened`. Nothing the server computed is believed where it can be recomputed.
 */
import { b64u, compareBytes, equal, unb64u } from "./bytes.js";
import { canonical, hasKeys } from "./canonical.js";
import { checkDocument, documentHash, setName, signDocument } from "./documents.js";
import { addSignature, readEnvelope, verifyEnvelope } from "./dsse.js";
import { verifyEntry } from "./entries.js";
import { need, SealedBidError } from "./errors.js";
import { H } from "./hashes.js";
import { headerHash, joinSeed, openBox, parseHeader, partMatches, rederive } from "./header.js";
import { checkContextOfPolicy, policyId } from "./policy.js";
import { inspect, open, openWithSeed } from "./sealed_bid.js";
import { claimsEnd, CLOSING_DELAY, LATE_AFTER, verifyLeaf, verifyTickProof } from "./ticks.js";
import { formatTime, seconds } from "./times.js";

const PLACE = ["platform", "tender", "lot", "envelope"];
const OUTCOMES = new Set(["bid-received", "bid-replaced", "bid-withdrawn"]);
const COSIGN_WITHIN = 60;

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
 * Step 2: verify what the platform hands over, before any header. `trust`: `{platformKey, log, witnesses, quorum, supervisorKey,
 * keysOf(bidder) → [Ed25519 bytes…] enrolled}`; `now`: seconds of the officer's clock.
 * `handed`: `{policies: [document…] (the chain, verified and oldest first), deadline: {entry, document, proof}, before: {leaf, tlog},
 *   late_close?: {envelope, entry, proof}, list: entry-list document, entries: [{entry, proof, list?}…],
 *   documents: [DSSE envelope…] of submissions and withdrawals, set: {envelope, entry, proof}}`.
 * Gives `{set: name, setDocument, bids, policy, ids, closing, claimsEnd, unwitnessed}`.
 * Refuses: `SET_CONFLICT`, `SET_OMISSION`, `LOG_OMISSION`, `TICK_PROOF`, `SIG`, `CONTEXT_MISMATCH`, `JSON_PROFILE`, `UNAVAILABLE` (too early).
 */
export async function checkOpening(handed, trust, now) {
  const policy = handed.policies[handed.policies.length - 1];
  const ids = await Promise.all(handed.policies.map(policyId));
  need(now >= seconds(policy.opens_at), "UNAVAILABLE", "not before opens_at", { opens_at: policy.opens_at });

  const deadline = await checkDeadline(handed, policy, ids, trust);
  const listed = await checkList(handed, deadline, policy, trust);
  const documents = await checkDocuments(handed.documents, trust);
  const bids = await replay(listed, documents, policy);
  for (const { statement } of bids) conflict(ids.includes(documents[statement].policy), "a bid under another policy");

  const { value: set, payload } = await verifyEnvelope(handed.set.envelope, "opening-set", [trust.platformKey]);
  checkDocument("opening-set", set);
  const entry = await verifyEntry(handed.set.entry, trust.platformKey);
  need(entry.entry.event === "opening-set" && entry.entry.statement === (await documentHash(payload)), "CONTEXT_MISMATCH", "entry of the set");
  await verifyTickProof(entry.c, handed.set.proof, trust);
  need(samePlace(set, policy) && ids[ids.length - 1] === set.policy, "CONTEXT_MISMATCH", "a set of another lot or policy");
  need(set.deadline === b64u(deadline.c), "CONTEXT_MISMATCH", "the set names another deadline entry");
  const short = bids.find((bid) => !set.bids.some((b) => b.statement === bid.statement));
  need(!short, "SET_OMISSION", "a current bid is not in the set", { statement: short?.statement });
  conflict(JSON.stringify(set.bids.map(bidKey)) === JSON.stringify(bids.map(bidKey)), "the set is not what the log replays to");
  return {
    set: await setName(payload), setDocument: set, bids, policy, ids, closing: deadline.leaf, submissions: documents,
    claimsEnd: claimsEnd(deadline.leaf.at, policy.opens_at), unwitnessed: !trust.quorum,
  };
}

const bidKey = ({ entry, header_hash: hash, statement }) => [entry, hash, statement];

async function checkDeadline(handed, policy, ids, trust) {
  const { entry, c } = await verifyEntry(handed.deadline.entry, trust.platformKey);
  const document = checkDocument("deadline", handed.deadline.document);
  need(entry.event === "deadline" && entry.statement === (await documentHash(canonical(document))), "CONTEXT_MISMATCH", "deadline entry");
  need(samePlace(document, policy) && document.deadline === policy.deadline && document.policy === ids[ids.length - 1],
    "CONTEXT_MISMATCH", "a deadline of another lot or policy");
  const proof = await verifyTickProof(c, handed.deadline.proof, trust);
  cosignedInTime(proof, trust);
  const due = seconds(policy.deadline) + CLOSING_DELAY;
  need(seconds(proof.leaf.at) >= due, "CONTEXT_MISMATCH", "the closing tick is too early");
  if (proof.leaf.tick > 0) {
    const before = await verifyLeaf(handed.before.leaf, handed.before.tlog, trust);
    need(before.leaf.tick === proof.leaf.tick - 1 && seconds(before.leaf.at) < due, "CONTEXT_MISMATCH", "an earlier tick was the closing one");
  }
  if (seconds(proof.leaf.at) > seconds(policy.deadline) + LATE_AFTER) await checkLateClose(handed.late_close, b64u(c), proof.leaf, policy, ids, trust);
  return { c, document, leaf: proof.leaf };
}

async function checkLateClose(late, deadlineHash, closing, policy, ids, trust) {
  need(late, "UNAVAILABLE", "the closing tick is late: the supervisory body must confirm it first");
  const { value, payload } = await verifyEnvelope(late.envelope, "late-close", [trust.supervisorKey]);
  checkDocument("late-close", value);
  const { entry, c } = await verifyEntry(late.entry, trust.platformKey);
  need(entry.event === "late-close" && entry.statement === (await documentHash(payload)), "CONTEXT_MISMATCH", "late-close entry");
  await verifyTickProof(c, late.proof, trust);
  need(samePlace(value, policy) && value.closing === closing.tick && value.deadline === deadlineHash && ids.includes(value.policy),
    "CONTEXT_MISMATCH", "a late-close of another lot or tick");
}

async function checkList(handed, deadline, policy, trust) {
  const list = checkDocument("entry-list", handed.list);
  const hashes = list.entries.map((e) => unb64u(e, 32));
  need(b64u(await entriesHash(unb64u(list.salt, 32), hashes)) === deadline.document.entries, "SET_CONFLICT", "the list is not the sealed one");
  conflict(new Set(list.entries).size === list.entries.length, "an entry listed twice");
  conflict(handed.entries.length === list.entries.length, "listed entries are missing, or others were added");
  const out = [];
  for (const { entry: envelope, proof } of handed.entries) {
    const { entry, c } = await verifyEntry(envelope, trust.platformKey);
    conflict(list.entries.includes(b64u(c)) && !out.some((x) => equal(x.c, c)), "an entry that is not on the list");
    const { leaf } = await verifyTickProof(c, proof, trust);
    need(leaf.tick <= deadline.leaf.tick, "LOG_OMISSION", "an entry sealed after the closing tick", { entry: b64u(c) });
    if (OUTCOMES.has(entry.event)) need(entry.at < policy.deadline, "LATE", "accepted at or after the deadline", { at: entry.at });
    out.push({ entry, c });
  }
  return out;
}

async function checkDocuments(envelopes, trust) {
  const documents = {};
  for (const envelope of envelopes) {
    const kind = envelope?.payloadType?.includes(".withdrawal+") ? "withdrawal" : "submission";
    const { bidder } = readEnvelope(envelope, kind).peek();
    let signed = null;
    for (const key of await trust.keysOf(bidder)) {
      signed = await verifyEnvelope(envelope, kind, [key]).catch(() => null);
      if (signed) break;
    }
    conflict(signed, "a document not signed by the bidder's enrolled key", { bidder });
    documents[await documentHash(signed.payload)] = signed.value;
  }
  return documents;
}

/**
 * Step 2, end: take the headers handed out. `opening`: checkOpening's result; `headers`: [bytes…] in the order of the set.
 * Every header is hashed and read here. Gives the parsed headers, in that order. Refuses: `CONTEXT_MISMATCH`, `HEADER_*`, `TOO_LARGE`.
 */
export async function takeHeaders(opening, headers) {
  need(headers.length === opening.bids.length, "CONTEXT_MISMATCH", "number of headers");
  const out = [];
  for (let i = 0; i < headers.length; i++) {
    const bid = opening.bids[i];
    need(b64u(await headerHash(headers[i])) === bid.header_hash, "CONTEXT_MISMATCH", "a header that is not in the set");
    const parsed = await parseHeader(headers[i]);
    checkContextOfPolicy(parsed.ctx, opening.policy, opening.ids);
    const statement = opening.submissions?.[bid.statement];
    if (statement) need(parsed.ctx.bidder === statement.bidder && parsed.ctx.policy === statement.policy, "CONTEXT_MISMATCH", "another's header");
    out.push(parsed);
  }
  return out;
}

/**
 * Step 4: open the own box of every header and sign one `shares`. `j`: own index 1..n; `sk`: officerTenderKey(...).sk;
 * `signKey`: `{secret, kid}`; `at`: time, `now`: seconds. A box that fails is reported, never guessed.
 * Gives `{envelope, value}`. Refuses: `UNAVAILABLE` before claims end.
 */
export async function makeShares({ opening, headers, j, sk, signKey, now }) {
  need(now >= seconds(opening.claimsEnd), "UNAVAILABLE", "not before claims end", { claims_end: opening.claimsEnd });
  const items = [];
  for (const parsed of headers) {
    const item = { error: "", header_hash: b64u(parsed.headerHash), part: "" };
    try {
      item.part = b64u(await openBox(parsed, j, sk));
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
 * `headers`: takeHeaders' result; `parts`: header_hash → Map j → bytes (posted shares, 0 = bidder's part);
 * `seeds`: header_hash → bytes for rescued bids; `blobs`: header_hash → Blob, optional; `roots`: header_hash → bytes, with the blobs.
 * Gives `[{header_hash, verdict, found, checked: "rederive" | "content" | "parts"}…]`; refuses when one differs: `CONTEXT_MISMATCH`.
 */
export async function checkOpened({ opened, opening, headers, parts, seeds = {}, blobs = {}, roots = {} }) {
  checkDocument("opened", opened);
  need(opened.set === opening.set && opened.bids.length === headers.length, "CONTEXT_MISMATCH", "opened speaks of another set");
  const report = [];
  for (let i = 0; i < headers.length; i++) {
    const parsed = headers[i];
    const bid = opened.bids[i];
    need(hasKeys(bid, ["announce", "cause", "files", "header_hash", "verdict"]), "JSON_PROFILE", "keys of an opened bid");
    need(bid.header_hash === b64u(parsed.headerHash), "CONTEXT_MISMATCH", "bids in another order");
    const found = await verdictOf(parsed, {
      parts: parts[bid.header_hash] ?? new Map(), seed: seeds[bid.header_hash], blob: blobs[bid.header_hash], root: roots[bid.header_hash],
    });
    const agrees = found.checked === "content" ? found.verdict === bid.verdict : mayBe(found.verdict, bid.verdict);
    need(agrees, "CONTEXT_MISMATCH", `recomputed ${found.verdict}, not ${bid.verdict}`, { header_hash: bid.header_hash });
    if (found.checked === "content" && found.verdict === "opened") await compareContent(bid, found, opening.policy);
    report.push({ header_hash: bid.header_hash, verdict: bid.verdict, found: found.verdict, checked: found.checked });
  }
  return report;
}

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
