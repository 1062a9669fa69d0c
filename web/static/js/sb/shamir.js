/** Shamir sharing bytewise in GF(256), x^8+x^4+x^3+x+1 (the protocol §3.1). */
import { need } from "./errors.js";

/** Product in GF(256), without tables or branches on secrets. */
export function gfMul(a, b) {
  let product = 0;
  for (let i = 0; i < 8; i++) {
    product ^= a & -(b & 1);
    a = ((a << 1) ^ (0x11b & -(a >> 7))) & 0x1ff;
    b >>= 1;
  }
  return product & 255;
}

function gfInverse(a) {
  let power = a, out = 1; // a^254 = product of a^2, a^4 … a^128
  for (let i = 0; i < 7; i++) {
    power = gfMul(power, power);
    out = gfMul(out, power);
  }
  return out;
}

/** The share of index j (1..255): secret + a_1·j + … for coefficients a_1 … a_{t−1}, each as long as the secret. */
export function shareAt(secret, coefficients, j) {
  const out = new Uint8Array(secret.length);
  for (let i = 0; i < secret.length; i++) {
    let value = 0;
    for (let k = coefficients.length - 1; k >= 0; k--) value = gfMul(value ^ coefficients[k][i], j);
    out[i] = value ^ secret[i];
  }
  return out;
}

/** Join shares: a Map of index to bytes, exactly the t to use. Gives the secret (some value, if a share is wrong). */
export function join(shares) {
  const indices = [...shares.keys()];
  need(indices.length > 0 && indices.every((j) => Number.isInteger(j) && j >= 1 && j <= 255), "FORMAT", "share index");
  const length = shares.get(indices[0]).length;
  need([...shares.values()].every((s) => s.length === length), "FORMAT", "share length");
  const out = new Uint8Array(length);
  for (const j of indices) {
    let weight = 1;
    for (const m of indices) if (m !== j) weight = gfMul(weight, gfMul(m, gfInverse(m ^ j)));
    const share = shares.get(j);
    for (let i = 0; i < length; i++) out[i] ^= gfMul(share[i], weight);
  }
  return out;
}
