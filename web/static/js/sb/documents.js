/** The kinds of documents of the protocol §4–§6: their exact keys, the form of each field, their hashes, and makers of those a person signs. */
import { b64u, unb64u, utf8 } from "./bytes.js";
import { canonical, hasKeys } from "./canonical.js";
import { signEnvelope } from "./dsse.js";
import { need } from "./errors.js";
import { H } from "./hashes.js";
import { isTime } from "./times.js";

const PLACE = "platform:name tender:name lot:name envelope:name";

// name: 1..128 bytes; text: any string; hash: 32 bytes b64u; hash?: or ""; kid?: 16 bytes b64u or ""; n: integer ≥ 0; list, map, bool.
const FORMS = {
  "enrolment": "at:time party:name platform:name replaces:kid? role:name seal_pk:hash? sign_pk:hash v:1",
  "policy": `${PLACE} co_opening:bool deadline:time file_names:bool max_plen:n mirror:name n:n officers:list opens_at:time rescue:bool ` +
    "serial:n suite:name supersedes:hash? t:n v:1 window:n",
  "drill": `${PLACE} at:time header_hash:hash j:n policy:hash v:1`,
  "published": "at:time files:list platform:name policies:list tender:name v:1",
  "submission": `${PLACE} bidder:name header_hash:hash policy:hash replaces:hash? sealed_at:time sealed_root:hash sealed_size:n tool:name v:1`,
  "withdrawal": `${PLACE} at:time bidder:name statement:hash v:1`,
  "refusal-list": `${PLACE} bidder:name entries:hashes v:1`,
  "mirror-ack": `${PLACE} at:time header_hash:hash kind:name sealed_root:hash v:1`,
  "deadline": `${PLACE} at:time deadline:time entries:hash policy:hash v:1`,
  "late-close": `${PLACE} at:time closing:n deadline:hash finding:text policy:hash v:1`,
  "entry-list": "entries:hashes salt:hash v:1",
  "omission-claim": `${PLACE} at:time bidder:name entry:hash v:1`,
  "opening-set": `${PLACE} at:time bids:list deadline:hash policy:hash v:1`,
  "bidder-part": "at:time header_hash:hash part:hash set:hash v:1",
  "shares": "at:time items:list j:n set:hash v:1",
  "bid-failed": "at:time cause:name code:name header_hash:hash set:hash v:1",
  "rescue": "at:time header_hash:hash seed:hash set:hash v:1",
  "finding": "at:time code:name header_hash:hash j:n set:hash v:1",
  "opened": "at:time bids:list set:hash v:1",
  "draw-notice": "at:time beacon:text draw:name label:name parties:list policy:hash pool:hash replaces:text size:n take:n v:1",
  "draw-commit": "at:time commit:hash draw:name header_hash:hash party:name v:1",
  "commit-list": "at:time entries:hashes of:name root:hash v:1",
  "draw-reveal": "at:time draw:name party:name r:hash v:1",
  "draw": "at:time beacon:text draw:name faults:list label:name picks:list pool:hash root:hash seed:hash size:n v:1",
  "draw-void": "at:time draw:name missing:list next:name v:1",
  "sheet-commit": "at:time commit:hash expert:name lot:name reason:text tender:name v:1",
  "sheet": "bids:list expert:name lot:name tender:name v:1",
  "ranking": "at:time lot:name platform:name ranking:list rules:hash tender:name v:1",
  "approval": "approver:name at:time facts:map log:name of:text person:name platform:name prepared:hash v:1 what:name",
  "act": "act:name actor:name at:time facts:map of:text platform:name salt:hash v:1",
  "attempt": `${PLACE} bidder:name bytes:n declared:hash? first_at:time last_at:time sha256:hash v:1`,
  "index": "files:list profile:name tender:name v:1",
};

const isBytes = (v, length) => {
  try {
    return unb64u(v, length).length === length;
  } catch {
    return false;
  }
};

const CHECKS = {
  "time": isTime,
  "name": (v) => typeof v === "string" && v.length > 0 && utf8(v).length <= 128,
  "text": (v) => typeof v === "string",
  "hash": (v) => isBytes(v, 32),
  "hash?": (v) => v === "" || isBytes(v, 32),
  "kid?": (v) => v === "" || isBytes(v, 16),
  "hashes": (v) => Array.isArray(v) && v.every((x) => isBytes(x, 32)),
  "n": (v) => Number.isSafeInteger(v) && v >= 0,
  "bool": (v) => typeof v === "boolean",
  "list": Array.isArray,
  "map": (v) => typeof v === "object" && v !== null && !Array.isArray(v),
  "1": (v) => v === 1,
};

const SPECS = Object.fromEntries(Object.entries(FORMS).map(([kind, form]) => [kind, form.split(" ").map((f) => f.split(":"))]));

/** The kinds known here. */
export const KINDS = Object.freeze(Object.keys(FORMS));

/** The exact keys of a kind, sorted. */
export const keysOf = (kind) => SPECS[kind].map(([key]) => key).sort();

/** Refuse a value that is not a document of `kind`: keys and forms of its fields. Refuses: `JSON_PROFILE`. Gives the value. */
export function checkDocument(kind, value) {
  const spec = SPECS[kind];
  need(spec, "JSON_PROFILE", `no such kind: ${kind}`);
  need(hasKeys(value, spec.map(([key]) => key)), "JSON_PROFILE", `keys of ${kind}`);
  for (const [key, form] of spec) need(CHECKS[form](value[key]), "JSON_PROFILE", `${kind}.${key}`);
  return value;
}

/** Hash by which other documents and entries name a document: b64u(H("entry", payload)). */
export const documentHash = async (payload) => b64u(await H("entry", payload));

/** documentHash of a value. */
export const hashOf = (value) => documentHash(canonical(value));

/** The name of an opening set: b64u(H("set", payload)); also of a draw's commit-list where officers open escrows. */
export const setName = async (payload) => b64u(await H("set", payload));

/** Sign a checked document of `kind`; `key`: `{secret, kid}`. Gives the envelope. */
export async function signDocument(kind, value, key) {
  return signEnvelope(kind, checkDocument(kind, value), [key]);
}

/**
 * The signed submission of a sealed bid. `sealed`: what `seal` gave; `replaces`: documentHash of the current submission or "".
 * Gives `{envelope, value, hash}`; post the envelope, keep the hash (the receipt's `statement`).
 */
export async function makeSubmission({ sealed, replaces = "", sealedAt, tool, key }) {
  const { platform, tender, lot, envelope, bidder, policy } = sealed.ctx;
  const value = {
    bidder, envelope, header_hash: b64u(sealed.headerHash), lot, platform, policy, replaces, sealed_at: sealedAt,
    sealed_root: b64u(sealed.sealedRoot), sealed_size: sealed.sealedSize, tender, tool, v: 1,
  };
  return { envelope: await signDocument("submission", value, key), value, hash: await hashOf(value) };
}

/** The signed withdrawal of a submission value; `statement` is its documentHash. Gives `{envelope, value, hash}`. */
export async function makeWithdrawal({ submission, at, key }) {
  const { platform, tender, lot, envelope, bidder } = submission;
  const value = { at, bidder, envelope, lot, platform, statement: await hashOf(submission), tender, v: 1 };
  return { envelope: await signDocument("withdrawal", value, key), value, hash: await hashOf(value) };
}

/** The bidder's own part (co-opening), the keeper's seed (rescue): signed, for a named set. Bytes in, envelope out. */
export const makeBidderPart = ({ headerHash, part, set, at, key }) =>
  signDocument("bidder-part", { at, header_hash: b64u(headerHash), part: b64u(part), set, v: 1 }, key);

export const makeRescue = ({ headerHash, seed, set, at, key }) =>
  signDocument("rescue", { at, header_hash: b64u(headerHash), seed: b64u(seed), set, v: 1 }, key);

/** A claim that an entry (its c, b64u) is missing from ticks or list. */
export const makeOmissionClaim = ({ platform, tender, lot, envelope, bidder, entry, at, key }) =>
  signDocument("omission-claim", { at, bidder, entry, envelope, lot, platform, tender, v: 1 }, key);

/** An officer's word that the drill bid opened. */
export const makeDrill = ({ platform, tender, lot, envelope, policy, headerHash, j, at, key }) =>
  signDocument("drill", { at, envelope, header_hash: b64u(headerHash), j, lot, platform, policy, tender, v: 1 }, key);
