/**
 * The package of an opening or of a draw's escrow as the hall hands it out, checked whole: enrolments proved from the log first, for the
 * keys of officers and bidders come from them and from nothing else; then sb/opening.js replays the log to the set.
 */
import { enrolledKeys, packageTrust, receiptOf } from "./enrolled_keys.js";
import { b64u, unb64u } from "./sb/bytes.js";
import { checkDocument, documentHash, hashOf, setName } from "./sb/documents.js";
import { readEnvelope, verifyAny, verifyEnvelope } from "./sb/dsse.js";
import { checkEscrow } from "./sb/draws.js";
import { verifyEntry } from "./sb/entries.js";
import { need, SealedBidError } from "./sb/errors.js";
import { openBox } from "./sb/header.js";
import { verifyConsistency } from "./sb/merkle.js";
import { checkOpening, takeHeaders } from "./sb/opening.js";
import { peekPolicy, policyId, verifyPolicy } from "./sb/policy.js";
import { verifyTickProof } from "./sb/ticks.js";
import { formatTime, seconds } from "./sb/times.js";

/**
 * Hold platform and log keys against those this browser saw before; remembers them the first time.
 * Gives `{state: "same" | "new" | "other", since}`.
 */
export function rememberTrust(told, now) {
  const place = `bidhall-trust:${told.origin}`;
  const mine = JSON.stringify([told.log_key, [...told.platform_keys].sort()]);
  let kept = null;
  try {
    kept = JSON.parse(localStorage.getItem(place));
    if (!kept) localStorage.setItem(place, JSON.stringify({ keys: mine, since: formatTime(now) }));
  } catch { /* storage is off: nothing to compare with */ }
  if (!kept) return { state: "new", since: "" };
  return { state: kept.keys === mine ? "same" : "other", since: kept.since };
}

// Each key was in the log no later than what it signed (the protocol §2).
async function enrolledBefore(value, keys, trust) {
  const signed = value.policies.map((envelope, i) => [envelope, "policy", value.policy_receipts[i]]);
  const byStatement = new Map();
  for (const envelope of value.statements) {
    const kind = envelope.payloadType.includes("withdrawal") ? "withdrawal" : "submission";
    byStatement.set(await documentHash(readEnvelope(envelope, kind).payload), [envelope, kind]);
  }
  for (const receipt of value.entries) {
    const { entry } = await verifyEntry(receipt.entry, trust.platformKey);
    if (byStatement.has(entry.statement)) signed.push([...byStatement.get(entry.statement), receipt]);
  }
  for (const [envelope, kind, receipt] of signed) {
    const { peek } = readEnvelope(envelope, kind);
    const own = kind === "policy" ? peek().officers.map((o) => keys.officerKeys[o.sign_kid]) : [(await signerOf(envelope, kind, keys.keysOf(peek().bidder, "bidder")))];
    for (const key of own) need(keys.tickOf(key) <= receipt.proof.leaf.tick, "SIG", "signed with a key that was enrolled later");
  }
}

const signerOf = async (envelope, kind, keys) => (await verifyAny(envelope, kind, keys)).key;

/**
 * Check the whole package of an opening (the protocol §5 step 2), headers included. `now`: seconds of the officer's own clock.
 * Gives `{opening, headers, officerKeys, trust, officer, enrolments, tick}`. Refuses: as sb/opening.js, `SIG` for a key enrolled too late.
 */
export async function checkPackage(value, now) {
  need(value?.type === "bidhall-opening" && value.v === 1, "JSON_PROFILE", "not the package of an opening, version 1");
  const told = await packageTrust(value.trust);
  const keys = await enrolledKeys(value.enrolments, told, value.platform);
  const trust = { ...told, officerKeys: keys.officerKeys, keysOf: (bidder) => keys.keysOf(bidder, "bidder") };
  const opening = await checkOpening(value, trust, now);
  await enrolledBefore(value, keys, trust);
  const { c } = await verifyEntry(value.deadline_receipt.entry, trust.platformKey);
  const { checkpoint } = await verifyTickProof(c, value.deadline_receipt.proof, trust);
  for (const shown of keys.seen) await sameLog(shown, checkpoint, value.consistency);
  const headers = await takeHeaders(opening, value.headers.map((text) => unb64u(text)));
  return { opening, headers, officerKeys: keys.officerKeys, trust, officer: value.officer, enrolments: keys.count, tick: opening.closing.tick };
}

async function sameLog(one, other, proofs) {
  const [old, young] = one.size <= other.size ? [one, other] : [other, one];
  const given = proofs.find((p) => p.from === old.size && p.to === young.size);
  const proof = (given?.proof ?? []).map((h) => unb64u(h, 32, "TICK_PROOF"));
  await verifyConsistency({ from: old.size, to: young.size, fromRoot: old.root, toRoot: young.root, proof });
}

/**
 * Check the package of a draw's escrow opening (the protocol §6): policy, notice, commits and the list all parties signed.
 * Gives `{policy, set, headers (parsed, sorted), officerKeys, officer}`. Refuses: `UNAVAILABLE` before `opens_at`, and as above.
 */
export async function checkEscrowPackage(value, now) {
  need(value?.type === "bidhall-draw-opening" && value.v === 1, "JSON_PROFILE", "not the package of a draw's escrow, version 1");
  const trust = await packageTrust(value.trust);
  const keys = await enrolledKeys(value.enrolments, trust, value.platform);
  const policy = await drawPolicy(value, keys.officerKeys, trust);
  need(now >= seconds(policy.opens_at), "UNAVAILABLE", "no escrow is opened before opens_at", { opens_at: policy.opens_at });
  const notice = await drawNotice(value, policy, trust);
  const parties = notice.parties.map((party) => (party === "platform" ? trust.platformKey : keys.ofRole(party)));
  need(parties.every((list) => list.length > 0), "SIG", "a party of the draw without an enrolled key");
  const { listing, payload } = await commitList(value.listing, parties);
  await receiptOf(value.listing_receipt, "commit-list", await documentHash(payload), trust, []);
  need(listing.of === notice.draw && listing.entries.length === notice.parties.length, "CONTEXT_MISMATCH", "a commit list of another draw");
  const raws = new Map();
  for (const text of value.headers) {
    const parsed = await checkEscrowAny(unb64u(text), notice, policy);
    raws.set(b64u(parsed.headerHash), parsed);
  }
  for (let i = 0; i < notice.parties.length; i++) {
    const { value: commit, payload: bytes } = await verifyAny(value.commits[i], "draw-commit", parties[i]);
    checkDocument("draw-commit", commit);
    const { c } = await receiptOf(value.commit_receipts[i], "draw-commit", await documentHash(bytes), trust, []);
    need(b64u(c) === listing.entries[i] && commit.draw === notice.draw && commit.party === notice.parties[i], "CONTEXT_MISMATCH", "a commit that is not the listed one");
    need(raws.get(commit.header_hash)?.ctx.bidder === notice.parties[i], "SET_CONFLICT", "an escrow that was committed to is missing");
  }
  need(raws.size === notice.parties.length, "SET_CONFLICT", "an escrow that nobody committed to");
  const headers = [...raws.values()].sort((a, b) => compare(a.headerHash, b.headerHash));
  return { policy, set: await setName(payload), headers, officerKeys: keys.officerKeys, officer: value.officer, enrolments: keys.count };
}

const compare = (a, b) => {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return 0;
};

const checkEscrowAny = async (raw, notice, policy) => {
  const id = await policyId(policy);
  let fault = null;
  for (const party of notice.parties) {
    try {
      return await checkEscrow(raw, { draw: notice.draw, party, policy: id });
    } catch (found) {
      fault = found;
    }
  }
  throw fault;
};

/** The newest policy of a draw's package, signed by the platform and every officer, in the log. */
export async function drawPolicy(value, officerKeys, trust) {
  const envelope = value.policies.at(-1);
  const own = peekPolicy(envelope).officers.map((o) => officerKeys[o.sign_kid]);
  need(own.every(Boolean), "SIG", "an officer who is not enrolled");
  let policy = null, fault = null;
  for (const platformKey of trust.platformKey) {
    try {
      ({ policy } = await verifyPolicy(envelope, { platformKey, officerKeys: own }));
      break;
    } catch (found) {
      fault = found;
    }
  }
  if (!policy) throw fault;
  await receiptOf(value.policy_receipts.at(-1), "policy", await hashOf(policy), trust, []);
  return policy;
}

/** The notice of a draw: signed by the platform, in the log, of this policy. */
export async function drawNotice(value, policy, trust) {
  const { value: notice, payload } = await verifyAny(value.notice, "draw-notice", trust.platformKey);
  checkDocument("draw-notice", notice);
  await receiptOf(value.notice_receipt, "draw-notice", await documentHash(payload), trust, []);
  const name = `${policy.tender}/${policy.envelope.slice("draw:".length)}`;
  need(notice.policy === (await policyId(policy)) && notice.draw === name, "CONTEXT_MISMATCH", "a notice of another policy or draw");
  return notice;
}

async function commitList(envelope, parties) {
  let fault = null;
  for (const keys of combinations(parties)) {
    try {
      const { value, payload } = await verifyEnvelope(envelope, "commit-list", keys);
      return { listing: checkDocument("commit-list", value), payload };
    } catch (found) {
      if (!(found instanceof SealedBidError)) throw found;
      fault = found;
    }
  }
  throw fault;
}

const combinations = (lists) => lists.reduce((made, list) => made.flatMap((front) => list.map((key) => [...front, key])), [[]]);

/** Open the own box of every header: `[{header_hash, part, error}]`, errors told, never guessed. */
export async function openBoxes(headers, j, sk) {
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
  return items;
}

