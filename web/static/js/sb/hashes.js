/** Hashing and derivation with domain separation (the protocol §1). All results are Uint8Array. */
import { concat, utf8 } from "./bytes.js";

const subtle = globalThis.crypto.subtle;
const PREFIX = "bidhall/sb1/";

/** SHA-256. */
export const sha256 = async (bytes) => new Uint8Array(await subtle.digest("SHA-256", bytes));

/** H(tag, x…) = SHA-256("bidhall/sb1/" + tag || 0x00 || x…). */
export const H = (tag, ...parts) => sha256(concat(utf8(PREFIX + tag), Uint8Array.of(0), ...parts));

/** D(ikm, salt, label, length) = HKDF-SHA-256 with info "bidhall/sb1/" + label. */
export async function D(ikm, salt, label, length = 32) {
  const key = ikm instanceof CryptoKey ? ikm : await subtle.importKey("raw", ikm, "HKDF", false, ["deriveBits"]);
  const params = { name: "HKDF", hash: "SHA-256", salt, info: utf8(PREFIX + label) };
  return new Uint8Array(await subtle.deriveBits(params, key, length * 8));
}

/** HMAC-SHA-256. */
export async function hmac(key, bytes) {
  return (await hmacWith(key))(bytes);
}

/** A function that MACs under one key: spares the import when many are made. */
export async function hmacWith(key) {
  const held = await subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return async (bytes) => new Uint8Array(await subtle.sign("HMAC", held, bytes));
}

/** Random bytes of the operating system. */
export function random(length) {
  return globalThis.crypto.getRandomValues(new Uint8Array(length));
}

/** The prefix of every domain of this protocol. */
export const domain = (rest) => utf8(PREFIX + rest);

/** An incremental SHA-256 (`update(bytes)`, `digest()`): WebCrypto has none, files of any size need one. */
export async function streamingSha256() {
  const { sha256: create } = await import("../../vendor/noble-hashes-2.4.0.min.js");
  return create.create();
}
