/**
 * Ed25519 and X25519 over raw 32-byte keys. WebCrypto does the work where it has the curve and passes the self-test below;
 * older browsers get noble-curves. Both sides accept exactly the signatures of the protocol §2: no cofactor, R byte for byte.
 */
import { concat, equal, unb64u, unhex, utf8 } from "./bytes.js";
import { need, refuse } from "./errors.js";

const subtle = globalThis.crypto.subtle;
const PKCS8 = { ed25519: unhex("302e020100300506032b657004220420"), x25519: unhex("302e020100300506032b656e04220420") };
const WEB_NAME = { ed25519: "Ed25519", x25519: "X25519" };
const P = 2n ** 255n - 19n;

let wanted = "auto";
const chosen = {};
let nobleModule;

const noble = () => (nobleModule ??= import("../../vendor/noble-curves-2.4.0.min.js"));

/** Choose who computes: "auto" (default), "webcrypto" or "noble". For tests and for `bidhall doctor`-like pages. */
export function useCurves(which) {
  need(["auto", "webcrypto", "noble"].includes(which), "FORMAT", "unknown provider");
  wanted = which;
  delete chosen.ed25519;
  delete chosen.x25519;
}

/** Who computes a curve ("ed25519" or "x25519") here: "webcrypto" or "noble". */
export async function curveProvider(curve) {
  chosen[curve] ??= (async () => {
    if (wanted !== "auto") return wanted;
    try {
      return (await SELF_TEST[curve]()) ? "webcrypto" : "noble";
    } catch {
      return "noble";
    }
  })();
  return chosen[curve];
}

// A verifier that is too lax lets the platform sign receipts only some accept; one too strict refuses what others accept.
const SELF_TEST = {
  async ed25519() {
    const pk = unhex("d8db86571b59a1d3201af796179379267e2319a63b1d21e33d11edceaa13d5e5");
    const message = utf8("DSSEv1 test");
    const sound = unhex("cf16114c6bc8d743fd5274b0a1b58d94bb9281a556c1b95e0e0140968e113aa3" +
      "7db60b360bd53346344739d3df82da8c87ddae3feed0abf523a5c933eaaa9a01");
    const torsion = unhex("a61586afb4e22adc9305b17cee3feb547da18bf1ff02c2312add12836ce69062" +
      "dd1b116f57ae705ab28363f80f7deab221350253c067631bca90f4dc546f2a0b");
    const smallR = unhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a" +
      "aa8d6a8b280a7f7d44a8dcc193440dea86ae6ca2ee6b4a0706b27fe340c58103");
    const nonceZero = { pk: unhex(NONCE_ZERO.pk), sig: unhex(NONCE_ZERO.sig), message: utf8("bidhall self-test") };
    const signs = await webSign(new Uint8Array(32).fill(7), message);
    return (await webVerify(pk, message, sound)) && !(await webVerify(pk, message, torsion)) &&
      !(await webVerify(pk, message, smallR)) && (await webVerify(nonceZero.pk, nonceZero.message, nonceZero.sig)) &&
      (await webVerify(await webPublic("ed25519", new Uint8Array(32).fill(7)), message, signs));
  },
  async x25519() {
    const one = new Uint8Array(32).fill(1);
    const two = new Uint8Array(32).fill(2);
    return equal(await webX25519(one, await webPublic("x25519", two)), await webX25519(two, await webPublic("x25519", one)));
  },
};

// Key 07…07, message "bidhall self-test", nonce 0: R is the identity, the equation holds, so the protocol accepts it.
const NONCE_ZERO = {
  pk: "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c",
  sig: "010000000000000000000000000000000000000000000000000000000000000018f0d4f1fee00a49e2b490787fdab2cb1f47505c0c1d379ae27e7fb3b283730b",
};

const webPrivate = (curve, secret, uses, extractable = false) =>
  subtle.importKey("pkcs8", concat(PKCS8[curve], secret), WEB_NAME[curve], extractable, uses);

async function webPublic(curve, secret) {
  const uses = curve === "ed25519" ? ["sign"] : ["deriveBits"];
  const jwk = await subtle.exportKey("jwk", await webPrivate(curve, secret, uses, true));
  return unb64u(jwk.x, 32);
}

async function webSign(secret, message) {
  return new Uint8Array(await subtle.sign("Ed25519", await webPrivate("ed25519", secret, ["sign"]), message));
}

async function webVerify(publicKey, message, signature) {
  try {
    const key = await subtle.importKey("raw", publicKey, "Ed25519", false, ["verify"]);
    return await subtle.verify("Ed25519", key, signature, message);
  } catch (fault) {
    if (fault?.name === "NotSupportedError") throw fault;
    return false; // a key or signature the engine cannot even read
  }
}

async function webX25519(secret, publicKey) {
  const mine = await webPrivate("x25519", secret, ["deriveBits"]);
  const theirs = await subtle.importKey("raw", publicKey, "X25519", false, []);
  return new Uint8Array(await subtle.deriveBits({ name: "X25519", public: theirs }, mine, 256));
}

/** The public key of a 32-byte secret. */
export async function publicKey(curve, secret) {
  need(secret.length === 32, "FORMAT", "a secret key has 32 bytes");
  if ((await curveProvider(curve)) === "webcrypto") return webPublic(curve, secret);
  return (await noble())[curve].getPublicKey(secret);
}

/** Ed25519 signature, 64 bytes. `secret`: 32 bytes, or a key the browser holds (held.js). */
export async function sign(secret, message) {
  if (secret instanceof CryptoKey) return new Uint8Array(await subtle.sign("Ed25519", secret, message));
  need(secret.length === 32, "FORMAT", "a secret key has 32 bytes");
  if ((await curveProvider("ed25519")) === "webcrypto") return webSign(secret, message);
  return (await noble()).ed25519.sign(message, secret);
}

/** True iff S < L and encode(S·B − k·A) equals R byte for byte (the protocol §2). */
export async function verify(publicKeyBytes, message, signature) {
  if (publicKeyBytes.length !== 32 || signature.length !== 64) return false;
  if ((await curveProvider("ed25519")) === "webcrypto") return webVerify(publicKeyBytes, message, signature);
  const { ed25519 } = await noble();
  try {
    const r = ed25519.Point.fromBytes(signature.slice(0, 32), false);
    return r.isTorsionFree() && ed25519.verify(signature, message, publicKeyBytes, { zip215: false });
  } catch {
    return false;
  }
}

/** The X25519 shared secret. Refuses: `FORMAT` when the result is zero (a key of small order). */
export async function x25519(secret, publicKeyBytes) {
  need(secret.length === 32 && publicKeyBytes.length === 32, "FORMAT", "X25519 keys have 32 bytes");
  let shared;
  try {
    shared = (await curveProvider("x25519")) === "webcrypto"
      ? await webX25519(secret, publicKeyBytes)
      : (await noble()).x25519.getSharedSecret(secret, publicKeyBytes);
  } catch {
    return refuse("FORMAT", "X25519 refused the key");
  }
  need(shared.some((b) => b !== 0), "FORMAT", "X25519 gave zero");
  return shared;
}

/** Refuse an Ed25519 public key that is not canonical or not of order L (enrolment, the protocol §2). Refuses: `SIG`. */
export async function checkEd25519Key(bytes) {
  need(bytes.length === 32, "SIG", "an Ed25519 key has 32 bytes");
  const { ed25519 } = await noble();
  let point;
  try {
    point = ed25519.Point.fromBytes(bytes, false);
  } catch {
    return refuse("SIG", "not a canonical point");
  }
  need(equal(point.toBytes(), bytes) && !point.is0() && point.isTorsionFree(), "SIG", "not of order L");
}

const SMALL_ORDER_X25519 = [
  0n, 1n, P - 1n,
  0x00b8495f16056286fdb1329ceb8d09da6ac49ff1fae35616aeb8413b7c7aebe0n,
  0x57119fd0dd4e22d8868e1c58c45c44045bef839c55b1d0b1248c50a3bc959c5fn,
];

/** Refuse an X25519 public key that is not canonical or of small order (enrolment). Refuses: `FORMAT`. */
export function checkX25519Key(bytes) {
  need(bytes.length === 32, "FORMAT", "an X25519 key has 32 bytes");
  let u = 0n;
  for (let i = 31; i >= 0; i--) u = (u << 8n) | BigInt(bytes[i]);
  need(u < P, "FORMAT", "X25519 key not canonical");
  need(!SMALL_ORDER_X25519.includes(u), "FORMAT", "X25519 key of small order");
}
