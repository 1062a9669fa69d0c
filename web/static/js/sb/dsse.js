/** Signed documents: DSSE envelopes over canonical JSON (the protocol §4). Bytes are verified first and parsed after. */
import { b64, concat, unb64, utf8 } from "./bytes.js";
import { canonical, hasKeys, parseCanonical } from "./canonical.js";
import { sign, verify } from "./curves.js";
import { need } from "./errors.js";

/** The payload type of a kind of document. */
export const payloadType = (kind) => `application/vnd.bidhall.${kind}+json;v=1`;

/** DSSE pre-authentication encoding. */
export function pae(type, payload) {
  const t = utf8(type);
  return concat(utf8(`DSSEv1 ${t.length} `), t, utf8(` ${payload.length} `), payload);
}

/** Sign a document. `keys`: `[{secret, kid}…]`. Gives the envelope. */
export async function signEnvelope(kind, value, keys) {
  const payload = canonical(value);
  const envelope = { payload: b64(payload), payloadType: payloadType(kind), signatures: [] };
  for (const key of keys) envelope.signatures.push(await signature(kind, payload, key));
  return envelope;
}

async function signature(kind, payload, { secret, kid }) {
  return { keyid: kid, sig: b64(await sign(secret, pae(payloadType(kind), payload))) };
}

/** Add one signature to an envelope of `kind` without touching the others. Check the content before! */
export async function addSignature(envelope, kind, key) {
  const { payload } = readEnvelope(envelope, kind);
  return { ...envelope, signatures: [...envelope.signatures, await signature(kind, payload, key)] };
}

/**
 * The parts of an envelope, nothing verified: `{payload, signatures: [{keyid, sig: bytes}…], peek()}`.
 * Refuses: `SIG` (shape, base64), `SIG_TYPE` (another kind than expected).
 */
export function readEnvelope(envelope, kind) {
  need(hasKeys(envelope, ["payload", "payloadType", "signatures"]), "SIG", "not an envelope");
  need(typeof envelope.payloadType === "string" && Array.isArray(envelope.signatures), "SIG", "not an envelope");
  const payload = unb64(envelope.payload, undefined, "SIG");
  need(envelope.payloadType === payloadType(kind), "SIG_TYPE", `expected ${kind}`);
  const signatures = envelope.signatures.map((s) => {
    need(hasKeys(s, ["keyid", "sig"]) && typeof s.keyid === "string", "SIG", "not a signature");
    return { keyid: s.keyid, sig: unb64(s.sig, 64, "SIG") };
  });
  need(signatures.length > 0, "SIG", "no signature");
  return { payload, signatures, peek: () => parseCanonical(payload) };
}

/**
 * Verify an envelope of `kind` signed by every key of `keys` (public bytes) and, when given, by at least `least` of `among`,
 * one signature each, in any order, and by nobody else. Gives `{value, payload, among: [indices of `among` that signed]}`.
 * Refuses: `SIG`, `SIG_TYPE`, then `JSON_PROFILE`.
 */
export async function verifyEnvelope(envelope, kind, keys, { among = [], least = 0 } = {}) {
  const { payload, signatures } = readEnvelope(envelope, kind);
  need(signatures.length >= keys.length + least && signatures.length <= keys.length + among.length, "SIG", "number of signatures");
  const message = pae(payloadType(kind), payload);
  const open = [...keys, ...among].map((key, i) => ({ key, i }));
  for (const { sig } of signatures) {
    let found = -1;
    for (let k = 0; k < open.length && found < 0; k++) if (await verify(open[k].key, message, sig)) found = k;
    need(found >= 0, "SIG", "a signature by none of the expected keys");
    open.splice(found, 1);
  }
  need(open.every(({ i }) => i >= keys.length), "SIG", "a signature is missing");
  const signed = among.map((_, k) => k).filter((k) => !open.some(({ i }) => i === keys.length + k));
  return { value: parseCanonical(payload), payload, among: signed };
}

/** Verify an envelope signed by exactly one of `keys` (public bytes, or one of them alone): a party whose key was rotated. As verifyEnvelope. */
export async function verifyAny(envelope, kind, keys) {
  const list = keys instanceof Uint8Array ? [keys] : [...keys];
  need(list.length > 0, "SIG", "no key to check with");
  const found = await verifyEnvelope(envelope, kind, [], { among: list, least: 1 });
  need(found.among.length === 1, "SIG", "one signature expected");
  return { ...found, key: list[found.among[0]] };
}
