/** Keys of the protocol §2: names (kid), generation, the officer's key of one tender, enrolment. */
import { b64u, unb64u, utf8 } from "./bytes.js";
import { canonical } from "./canonical.js";
import { checkEd25519Key, checkX25519Key, publicKey } from "./curves.js";
import { readEnvelope, signEnvelope, verifyEnvelope } from "./dsse.js";
import { checkDocument } from "./documents.js";
import { need, refuse } from "./errors.js";
import { D, domain, H, random } from "./hashes.js";
import { deriveKeyPair, hpkeOpen } from "./hpke.js";

/** kid of a public key: alg "ed25519" or "x25519" (key files also "seed", "root"). */
export async function kid(alg, pub) {
  return b64u((await H("kid", utf8(alg), Uint8Array.of(0), pub)).slice(0, 16));
}

/** A new key: `{alg, secret, pub, kid}`. `alg`: ed25519, x25519, root (32 random bytes; pub is its secret-id). */
export async function newKey(alg) {
  return keyOf(alg, random(32));
}

/** The key of a secret: `{alg, secret, pub, kid}`. */
export async function keyOf(alg, secret) {
  const pub = await publicOf(alg, secret);
  return { alg, secret, pub, kid: await kid(alg, pub) };
}

/** The public value a secret yields: the public key, or for "seed" and "root" H("secret-id", secret). */
export async function publicOf(alg, secret) {
  if (alg === "ed25519" || alg === "x25519") return publicKey(alg, secret);
  need(alg === "seed" || alg === "root", "FORMAT", "unknown algorithm of a key");
  return H("secret-id", secret);
}

/** An officer's X25519 pair for one `scope` = `{envelope, lot, platform, serial, tender}`: `{sk, pk}`. */
export async function officerTenderKey(root, scope) {
  const { envelope, lot, platform, serial, tender } = scope;
  const scopeHash = await H("officer-scope", canonical({ envelope, lot, platform, serial, tender }));
  return deriveKeyPair(await D(root, scopeHash, "officer-tender-key"));
}

/**
 * A signed enrolment document. `key`: the new ed25519 key; `sealPk`: X25519 public bytes or none;
 * `replaces`: the key it replaces (signs too), or none. Gives the DSSE envelope.
 */
export async function makeEnrolment({ platform, party, role, key, sealPk, replaces, at }) {
  const value = {
    at, party, platform, role, replaces: replaces ? replaces.kid : "",
    seal_pk: sealPk ? b64u(sealPk) : "", sign_pk: b64u(key.pub), v: 1,
  };
  return signEnvelope("enrolment", value, replaces ? [key, replaces] : [key]);
}

/**
 * Verify an enrolment against the key in force. `current`: its public bytes or null; `supervisor`: public bytes.
 * Gives `{value, how}`, how = "first" | "rotated" | "replaced by supervisor".
 * Refuses: `SIG`, `CONTEXT_MISMATCH`, `JSON_PROFILE`.
 */
export async function verifyEnrolment(envelope, { current, supervisor }) {
  const claimed = readEnvelope(envelope, "enrolment").peek(); // its own key stands inside: looked at, believed only once signed
  const signPk = unb64u(claimed.sign_pk, 32, "SIG");
  await checkEd25519Key(signPk);
  const inForce = current ? await kid("ed25519", current) : "";
  need(claimed.replaces === inForce, "CONTEXT_MISMATCH", "it does not replace the key in force");
  let signed, how = "first";
  if (!current) {
    signed = await verifyEnvelope(envelope, "enrolment", [signPk]);
  } else {
    try {
      signed = await verifyEnvelope(envelope, "enrolment", [signPk, current]);
      how = "rotated";
    } catch {
      need(supervisor, "SIG", "not signed by the key it replaces");
      signed = await verifyEnvelope(envelope, "enrolment", [signPk, supervisor]);
      how = "replaced by supervisor";
    }
  }
  checkDocument("enrolment", signed.value);
  need(signed.value.party !== "drill", "CONTEXT_MISMATCH", "drill is nobody's name");
  if (signed.value.seal_pk) checkX25519Key(unb64u(signed.value.seal_pk, 32));
  return { value: signed.value, how };
}

/** Answer the server's proof of possession: open `{enc, ct}` (b64u) sealed under the enrolment's own info; gives b64u. */
export async function answerEnrolmentChallenge(sk, { enc, ct }) {
  const bytes = await hpkeOpen(sk, domain("enrol"), unb64u(enc, 32), unb64u(ct, 48)); // the info is ours: any other would open boxes
  return bytes.length === 32 ? b64u(bytes) : refuse("SHARE_OPEN", "a challenge has 32 bytes");
}
