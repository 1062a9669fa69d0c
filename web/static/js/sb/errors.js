/** A refusal of the sealed-bid protocol: a stable code of the protocol §7, the reason for a log, and facts for the words shown. */
export class SealedBidError extends Error {
  /** @param {string} code  @param {string} [why]  @param {object} [facts] plain values, safe to show */
  constructor(code, why = "", facts = {}) {
    super(why ? `${code}: ${why}` : code);
    this.name = "SealedBidError";
    this.code = code;
    this.why = why;
    this.facts = facts;
  }
}

/** Refuse with a code; never returns. */
export function refuse(code, why, facts) {
  throw new SealedBidError(code, why, facts);
}

/** Refuse with `code` unless `ok`. */
export function need(ok, code, why, facts) {
  if (!ok) throw new SealedBidError(code, why, facts);
}

/** Run `work`; any failure in it (a refusal or not) becomes a refusal with `code`. For "any flaw is X" rules. */
export async function refuseAs(code, work) {
  try {
    return await work();
  } catch (fault) {
    if (fault instanceof SealedBidError && fault.code === code) throw fault;
    throw new SealedBidError(code, fault instanceof Error ? fault.message : String(fault), fault.facts || {});
  }
}

/** Every code the protocol §7 knows; log entries may carry no other. */
export const CODES = Object.freeze(new Set((
  "FORMAT SIZE HEADER_CANONICAL HEADER_SCHEMA SUITE_UNKNOWN JSON_PROFILE CONTEXT_MISMATCH TOO_LARGE SEALED_ROOT SIG SIG_TYPE " +
  "LATE TICK_PROOF LOG_OMISSION SHARE_OPEN SHARE_COMMIT TOO_FEW_SHARES BIDDER_PART_MISSING REDERIVE CHUNK_AUTH MANIFEST " +
  "PADDING SET_OMISSION SET_CONFLICT FALSE_COMPLAINT UNRESOLVED POLICY_DEAD DRAW_ESCROW UNAVAILABLE"
).split(" ")));
