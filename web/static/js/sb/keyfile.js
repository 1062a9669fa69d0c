/** Key files (the protocol §2): a secret wrapped under a passphrase with Argon2id and AES-256-GCM; keyrings; keeper files. */
import { b64u, equal, unb64u, utf8 } from "./bytes.js";
import { canonical, hasKeys, parseCanonical } from "./canonical.js";
import { need, refuse } from "./errors.js";
import { random } from "./hashes.js";
import { keyOf, kid, newKey, publicOf } from "./keys.js";

const subtle = globalThis.crypto.subtle;
const KEYS = ["alg", "ct", "iv", "kdf", "kid", "lanes", "memory_kib", "passes", "pub", "salt", "type", "v"];
const WRITE = { memory_kib: 65536, passes: 3 };
const MAX = { memory_kib: 262144, passes: 10 };
const MIN = { memory_kib: 8, passes: 1 };
const TYPES = { ed25519: "bidhall-key", x25519: "bidhall-key", root: "bidhall-key", seed: "bidhall-seed" };

/** The key-encryption key of a passphrase (Unicode is normalised to NFC). `onProgress(0..1)`. Takes about two seconds. */
export async function deriveKek(passphrase, salt, { memory_kib: m, passes: t }, onProgress) {
  const { argon2idAsync } = await import("../../vendor/noble-hashes-2.4.0.min.js");
  return argon2idAsync(utf8(passphrase.normalize("NFC")), salt, { m, t, p: 1, dkLen: 32, maxmem: 2 ** 29, onProgress });
}

async function wrapParts(kek, head, secret) {
  const key = await subtle.importKey("raw", kek, "AES-GCM", false, ["encrypt"]);
  const params = { name: "AES-GCM", iv: unb64u(head.iv, 12), additionalData: canonical(head) };
  return canonical({ ...head, ct: b64u(new Uint8Array(await subtle.encrypt(params, key, secret))) });
}

/**
 * Wrap a key `{alg, secret}` (alg: ed25519, x25519, root, seed) under a passphrase. Gives the key file's bytes.
 * Refuses: `FORMAT` on an empty passphrase or unknown alg.
 */
export async function wrapKey({ alg, secret }, passphrase, { onProgress } = {}) {
  need(typeof passphrase === "string" && passphrase.length > 0, "FORMAT", "no passphrase");
  need(TYPES[alg] && secret.length === 32, "FORMAT", "unknown key");
  const pub = await publicOf(alg, secret);
  const salt = random(16);
  const head = {
    alg, iv: b64u(random(12)), kdf: "argon2id", kid: await kid(alg, pub), lanes: 1, ...WRITE, pub: b64u(pub), salt: b64u(salt),
    type: TYPES[alg], v: 1,
  };
  return wrapParts(await deriveKek(passphrase, salt, head, onProgress), head, secret);
}

/** The keeper file of a bid: its seed under the bidder's passphrase (rescue, the protocol §5.2). */
export const wrapSeed = (seed, passphrase, options) => wrapKey({ alg: "seed", secret: seed }, passphrase, options);

/** A key file's public part, without a passphrase: `{alg, kid, pub: bytes, type}`. Refuses: `JSON_PROFILE`, `FORMAT`. */
export async function readKeyFile(bytes) {
  const file = parseCanonical(bytes);
  need(hasKeys(file, KEYS) && file.v === 1 && file.kdf === "argon2id" && file.lanes === 1, "FORMAT", "not a key file");
  need(Object.hasOwn(TYPES, file.alg) && TYPES[file.alg] === file.type, "FORMAT", "unknown key");
  for (const key of ["memory_kib", "passes"]) {
    need(Number.isSafeInteger(file[key]) && file[key] >= MIN[key] && file[key] <= MAX[key], "FORMAT", `${key} out of bounds`);
  }
  const pub = unb64u(file.pub, 32, "FORMAT");
  unb64u(file.salt, 16, "FORMAT");
  unb64u(file.iv, 12, "FORMAT");
  unb64u(file.ct, 48, "FORMAT");
  need((await kid(file.alg, pub)) === file.kid, "FORMAT", "kid is not the one of pub");
  return { alg: file.alg, kid: file.kid, pub, type: file.type, file };
}

/**
 * Unwrap a key file: `{alg, secret, pub, kid}`. Refuses: `JSON_PROFILE`, `FORMAT` (not a key file, or its costs are beyond the caps),
 * `SHARE_OPEN` (wrong passphrase or damaged file; the two cannot be told apart).
 */
export async function unwrapKey(bytes, passphrase, { onProgress } = {}) {
  const { file, pub } = await readKeyFile(bytes);
  const kek = await deriveKek(passphrase, unb64u(file.salt, 16), file, onProgress);
  const { ct, ...head } = file;
  const key = await subtle.importKey("raw", kek, "AES-GCM", false, ["decrypt"]);
  let secret;
  try {
    const params = { name: "AES-GCM", iv: unb64u(file.iv, 12), additionalData: canonical(head) };
    secret = new Uint8Array(await subtle.decrypt(params, key, unb64u(ct, 48)));
  } catch {
    return refuse("SHARE_OPEN", "wrong passphrase or damaged key file");
  }
  need(equal(await publicOf(file.alg, secret), pub), "FORMAT", "the secret does not yield pub");
  return keyOf(file.alg, secret);
}

const ROLES = { bidder: ["ed25519", "x25519"], officer: ["ed25519", "root"] };

/**
 * A person's keys, new, as one keyring file: CJ `{keys: [key file…], party, role, type: "bidhall-keyring", v: 1}`, keys sorted by alg.
 * `role`: "bidder" (ed25519 + x25519), "officer" (ed25519 + root), any other: ed25519 alone.
 * Gives `{party, role, keys: {alg: {alg, secret, pub, kid}}, bytes, name}`. Takes two seconds a key.
 */
export async function newKeyring({ party, role, passphrase, onProgress }) {
  const keys = {};
  for (const alg of ROLES[role] ?? ["ed25519"]) keys[alg] = await newKey(alg);
  return makeKeyring({ party, role, keys, passphrase, onProgress });
}

/** The keyring of given keys (to change a passphrase or restore): as newKeyring. */
export async function makeKeyring({ party, role, keys, passphrase, onProgress }) {
  const files = [];
  for (const alg of Object.keys(keys).sort()) files.push(parseCanonical(await wrapKey(keys[alg], passphrase, { onProgress })));
  const bytes = canonical({ keys: files, party, role, type: "bidhall-keyring", v: 1 });
  readKeyring(bytes);
  return { party, role, keys, bytes, name: `bidhall-${role}-${keys.ed25519?.kid ?? files[0].kid}.json` };
}

/** A keyring file without its passphrase: `{party, role, files: [value…]}`. Refuses: `JSON_PROFILE`, `FORMAT`. */
export function readKeyring(bytes) {
  const ring = parseCanonical(bytes);
  need(hasKeys(ring, ["keys", "party", "role", "type", "v"]) && ring.type === "bidhall-keyring" && ring.v === 1, "FORMAT", "not a keyring");
  for (const key of ["party", "role"]) {
    need(typeof ring[key] === "string" && ring[key] && utf8(ring[key]).length <= 128, "FORMAT", `keyring.${key}`);
  }
  need(Array.isArray(ring.keys) && ring.keys.length > 0 && ring.keys.length <= 8, "FORMAT", "keys of a keyring");
  need(new Set(ring.keys.map((k) => k.alg)).size === ring.keys.length, "FORMAT", "two keys of one algorithm");
  return { party: ring.party, role: ring.role, files: ring.keys };
}

/** Unwrap a keyring: `{party, role, keys: {alg: {alg, secret, pub, kid}}}`. Refuses: as readKeyring and unwrapKey. */
export async function openKeyring(bytes, passphrase, options) {
  const { party, role, files } = readKeyring(bytes);
  const keys = {};
  for (const file of files) keys[file.alg] = await unwrapKey(canonical(file), passphrase, options);
  return { party, role, keys };
}
