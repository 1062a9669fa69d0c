/** Log entries (the protocol §4): what the platform signs for every act, one leaf of a tick tree each. */
import { unb64u, utf8 } from "./bytes.js";
import { hasKeys } from "./canonical.js";
import { verifyAny } from "./dsse.js";
import { CODES, need } from "./errors.js";
import { H } from "./hashes.js";
import { tickBy } from "./ticks.js";

const KEYS = ["v", "id", "salt", "at", "tick_by", "event", "tender", "lot", "envelope", "statement", "reason"];

/** Events shown at once with payload and proof. */
export const PUBLIC_EVENTS = Object.freeze(new Set((
  "policy drill published deadline late-close opening-set opened bid-failed finding draw-notice commit-list draw draw-void ranking"
).split(" ")));

/** Events hidden until the opening, draw, reveal or disclosure they belong to. */
export const HIDDEN_EVENTS = Object.freeze(new Set((
  "act key-enrolled bid-received bid-replaced bid-withdrawn bid-refused bid-refusals mirror-ack omission-claim bidder-part " +
  "shares rescue draw-commit draw-reveal sheet-commit sheet"
).split(" ")));

const NEEDS_REASON = new Set(["bid-refused", "bid-failed"]);

/** Refuse a value that is not an entry. Refuses: `JSON_PROFILE`. Gives the value. */
export function checkEntry(entry) {
  need(hasKeys(entry, KEYS) && entry.v === 1, "JSON_PROFILE", "keys of an entry");
  for (const key of KEYS.slice(1)) {
    need(typeof entry[key] === "string" && utf8(entry[key]).length <= 128, "JSON_PROFILE", `entry.${key}`);
  }
  unb64u(entry.id, 16);
  unb64u(entry.salt, 32);
  if (entry.statement !== "") unb64u(entry.statement, 32);
  need(PUBLIC_EVENTS.has(entry.event) || HIDDEN_EVENTS.has(entry.event), "JSON_PROFILE", "unknown event");
  need(NEEDS_REASON.has(entry.event) ? CODES.has(entry.reason) : entry.reason === "", "JSON_PROFILE", "reason");
  need(entry.tick_by === tickBy(entry.at), "JSON_PROFILE", "tick_by is not the one of at");
  return entry;
}

/** c = H("log", payload), the leaf of the entry in its tick. Bytes. */
export const entryHash = (payload) => H("log", payload);

/** Verify a signed entry. `platformKey`: bytes, or a list where it was rotated. Gives `{entry, payload, c}`. Refuses: `SIG`, `SIG_TYPE`, `JSON_PROFILE`. */
export async function verifyEntry(envelope, platformKey) {
  const { value, payload } = await verifyAny(envelope, "entry", platformKey);
  return { entry: checkEntry(value), payload, c: await entryHash(payload) };
}
