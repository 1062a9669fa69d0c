/** Secrets held by the browser itself: keys that sign and derive, whose bytes no script can read out again. */
import { concat, unhex, utf8 } from "./bytes.js";
import { verify } from "./curves.js";

const subtle = globalThis.crypto.subtle;
const PKCS8 = unhex("302e020100300506032b657004220420");
const PREFIX = "bidhall/sb1/";

/**
 * Hand an Ed25519 secret to the browser: `{sign, keep}`, CryptoKeys that cannot be exported. `sign` is null where the browser cannot sign
 * with Ed25519 itself; `keep` derives what `D(secret, …)` derives.
 */
export async function holdSecret(secret, pub) {
  const keep = await subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
  try {
    const sign = await subtle.importKey("pkcs8", concat(PKCS8, secret), "Ed25519", false, ["sign"]);
    const message = utf8("bidhall self-test");
    const made = new Uint8Array(await subtle.sign("Ed25519", sign, message));
    return { sign: (await verify(pub, message, made)) ? sign : null, keep };
  } catch {
    return { sign: null, keep };
  }
}

/** An AES-256-GCM key with the bytes of `D(secret, salt, label)`, which cannot be exported either. `keep`: of `holdSecret`. */
export function derivedKey(keep, salt, label) {
  const params = { name: "HKDF", hash: "SHA-256", salt, info: utf8(PREFIX + label) };
  return subtle.deriveKey(params, keep, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

/** Hand a root to the browser: a CryptoKey that `D` takes in its place and that cannot be exported. */
export const holdRoot = (root) => subtle.importKey("raw", root, "HKDF", false, ["deriveBits"]);
