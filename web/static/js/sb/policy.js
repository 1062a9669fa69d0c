/** Opening policies (the protocol §2): who can open, when, how large a bid may be. One for each lot and envelope. */
import { b64u, unb64u } from "./bytes.js";
import { canonical, hasKeys } from "./canonical.js";
import { checkX25519Key } from "./curves.js";
import { checkDocument } from "./documents.js";
import { readEnvelope, verifyEnvelope } from "./dsse.js";
import { need } from "./errors.js";
import { H } from "./hashes.js";
import { kid } from "./keys.js";
import { seconds } from "./times.js";

export const SUITE = "sb1-x25519-sha256-aes256gcm";
const SIDES = ["platform", "tenderee", "supervisor", "notary"];
const MIRRORS = ["none", "digests", "files"];

/** The policy id: b64u(H("policy", CJ)). */
export const policyId = async (policy) => b64u(await H("policy", canonical(policy)));

/**
 * Refuse a value that is not a policy, or breaks its rules: thresholds, sides, moments, distinct keys. Gives the value.
 * Refuses: `JSON_PROFILE`, `SUITE_UNKNOWN`, `CONTEXT_MISMATCH` (a rule of sides, keys or moments).
 */
export function checkPolicy(policy) {
  checkDocument("policy", policy);
  need(policy.suite === SUITE, "SUITE_UNKNOWN", policy.suite);
  const { t, n, officers } = policy;
  need(2 <= t && t <= n && n <= 15 && officers.length === n, "JSON_PROFILE", "2 <= t <= n <= 15 officers");
  for (const o of officers) {
    need(hasKeys(o, ["name", "pk", "side", "sign_kid"]) && typeof o.name === "string" && o.name, "JSON_PROFILE", "officer");
    need(SIDES.includes(o.side), "JSON_PROFILE", "officer.side");
    unb64u(o.sign_kid, 16);
    const pk = unb64u(o.pk, 32);
    try {
      checkX25519Key(pk);
    } catch {
      need(false, "JSON_PROFILE", "officer.pk");
    }
  }
  for (const key of ["pk", "sign_kid"]) need(new Set(officers.map((o) => o[key])).size === n, "CONTEXT_MISMATCH", `two officers share a ${key}`);
  for (const side of SIDES) {
    const count = officers.filter((o) => o.side === side).length;
    need(count < t, "CONTEXT_MISMATCH", `${side} could open alone`);
    need(n - count >= t, "CONTEXT_MISMATCH", `${side} could block alone`);
  }
  for (const key of ["deadline", "opens_at"]) need(seconds(policy[key]) % 60 === 0, "CONTEXT_MISMATCH", `${key} is not a whole minute`);
  need(policy.opens_at >= policy.deadline, "CONTEXT_MISMATCH", "opens before the deadline");
  need(policy.window >= 1 && policy.window <= 1440, "JSON_PROFILE", "window");
  need(MIRRORS.includes(policy.mirror), "JSON_PROFILE", "mirror");
  return policy;
}

/** The policy an envelope claims to hold, nothing verified: to learn whose keys to fetch. Refuses: `SIG`, `SIG_TYPE`, `JSON_PROFILE`. */
export const peekPolicy = (envelope) => checkPolicy(readEnvelope(envelope, "policy").peek());

/**
 * Verify a signed policy. `platformKey`: bytes; `officerKeys`: Ed25519 bytes in the order of `officers`, from the enrolments.
 * Gives `{policy, id}`. Refuses: `SIG`, `SIG_TYPE`, `JSON_PROFILE`, `SUITE_UNKNOWN`, `CONTEXT_MISMATCH`.
 */
export async function verifyPolicy(envelope, { platformKey, officerKeys }) {
  const { value } = await verifyEnvelope(envelope, "policy", [platformKey, ...officerKeys]);
  const policy = checkPolicy(value);
  for (let i = 0; i < policy.n; i++) {
    need((await kid("ed25519", officerKeys[i])) === policy.officers[i].sign_kid, "SIG", `officer ${i + 1} is enrolled with another key`);
  }
  return { policy, id: await policyId(policy) };
}

/** The context of a bid under a policy: `ctx` of the protocol §3. `bidderKey`: X25519 bytes iff co-opening; `id`: the policy's id. */
export async function contextOf(policy, { bidder, bidderKey, plen }) {
  need(policy.co_opening === Boolean(bidderKey), "CONTEXT_MISMATCH", "co-opening needs the bidder's sealing key, and only it");
  return {
    v: 1, suite: policy.suite, platform: policy.platform, tender: policy.tender, lot: policy.lot, envelope: policy.envelope, bidder,
    policy: await policyId(policy), t: policy.t, n: policy.n, officers: policy.officers.map((o) => o.pk),
    co_opening: policy.co_opening, bidder_key: bidderKey ? b64u(bidderKey) : "", plen,
  };
}

/** Refuse a header's ctx that is not of this policy, or one it keeps valid. `ids`: of its generation (policy_line.js). Refuses: `CONTEXT_MISMATCH`, `TOO_LARGE`. */
export function checkContextOfPolicy(ctx, policy, ids) {
  for (const key of ["suite", "platform", "tender", "lot", "envelope", "t", "n", "co_opening"]) {
    need(ctx[key] === policy[key], "CONTEXT_MISMATCH", `${key} is another than the policy's`);
  }
  need(ids.includes(ctx.policy), "CONTEXT_MISMATCH", "another policy");
  need(ctx.officers.every((pk, i) => pk === policy.officers[i].pk), "CONTEXT_MISMATCH", "other officers");
  need(ctx.plen <= policy.max_plen, "TOO_LARGE", "plen above max_plen", { plen: ctx.plen, max_plen: policy.max_plen });
}
