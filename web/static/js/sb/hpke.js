/** HPKE base mode, RFC 9180: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, first message only. */
import { concat, u8, utf8 } from "./bytes.js";
import { publicKey, x25519 } from "./curves.js";
import { refuse } from "./errors.js";
import { hmac } from "./hashes.js";

const subtle = globalThis.crypto.subtle;
const KEM_SUITE = concat(utf8("KEM"), Uint8Array.of(0, 0x20));
const HPKE_SUITE = concat(utf8("HPKE"), Uint8Array.of(0, 0x20, 0, 0x01, 0, 0x02));
const NONE = new Uint8Array(0);
const ZERO_SALT = new Uint8Array(32); // an empty HMAC key equals a zero one, and WebCrypto refuses to import empty keys

const extract = (suite, salt, label, ikm) =>
  hmac(salt.length ? salt : ZERO_SALT, concat(utf8("HPKE-v1"), suite, utf8(label), ikm));

async function expand(suite, prk, label, info, length) {
  const full = concat(Uint8Array.of(length >> 8, length & 255), utf8("HPKE-v1"), suite, utf8(label), info);
  return (await hmac(prk, concat(full, u8(1)))).slice(0, length); // every length here is ≤ 32: one block
}

/** RFC 9180 §7.1.3: the X25519 key pair of some key material, `{sk, pk}`. */
export async function deriveKeyPair(ikm) {
  const prk = await extract(KEM_SUITE, NONE, "dkp_prk", ikm);
  const sk = await expand(KEM_SUITE, prk, "sk", NONE, 32);
  return { sk, pk: await publicKey("x25519", sk) };
}

async function schedule(dh, kemContext, info) {
  const eaePrk = await extract(KEM_SUITE, NONE, "eae_prk", dh);
  const shared = await expand(KEM_SUITE, eaePrk, "shared_secret", kemContext, 32);
  const context = concat(u8(0), await extract(HPKE_SUITE, NONE, "psk_id_hash", NONE), await extract(HPKE_SUITE, NONE, "info_hash", info));
  const secret = await extract(HPKE_SUITE, shared, "secret", NONE);
  return {
    key: await expand(HPKE_SUITE, secret, "key", context, 32),
    nonce: await expand(HPKE_SUITE, secret, "base_nonce", context, 12),
  };
}

const gcmKey = (raw, use) => subtle.importKey("raw", raw, "AES-GCM", false, [use]);

/** Seal `plaintext` to `pkR` with the ephemeral pair `eph` = `{sk, pk}`. Gives `{enc, ct}`. */
export async function hpkeSeal(pkR, info, plaintext, eph, aad = NONE) {
  const { key, nonce } = await schedule(await x25519(eph.sk, pkR), concat(eph.pk, pkR), info);
  const params = { name: "AES-GCM", iv: nonce, additionalData: aad };
  return { enc: eph.pk, ct: new Uint8Array(await subtle.encrypt(params, await gcmKey(key, "encrypt"), plaintext)) };
}

/** Open a sealed box. Refuses: `SHARE_OPEN`. */
export async function hpkeOpen(skR, info, enc, ct, aad = NONE) {
  try {
    const { key, nonce } = await schedule(await x25519(skR, enc), concat(enc, await publicKey("x25519", skR)), info);
    const params = { name: "AES-GCM", iv: nonce, additionalData: aad };
    return new Uint8Array(await subtle.decrypt(params, await gcmKey(key, "decrypt"), ct));
  } catch {
    return refuse("SHARE_OPEN", "the box does not open with this key");
  }
}
