/** Bytes and their spellings (the protocol §1). Decoders are strict: one spelling for one value. */
import { need, refuse } from "./errors.js";

const ENCODER = new TextEncoder();
const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));
const URL_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const STD_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** UTF-8 bytes of a string. */
export const utf8 = (text) => ENCODER.encode(text);

/** The string of UTF-8 bytes; malformed bytes or a swallowed byte order mark are refused (`JSON_PROFILE`). */
export function fromUtf8(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return refuse("JSON_PROFILE", "not UTF-8");
  }
}

/** Join byte arrays. */
export function concat(...parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** One byte. */
export const u8 = (i) => Uint8Array.of(i);

/** Four bytes, big-endian. */
export function u32(i) {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, i);
  return out;
}

/** Read four bytes, big-endian. */
export const readU32 = (bytes, at = 0) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at);

export function hex(bytes) {
  let out = "";
  for (const b of bytes) out += HEX[b];
  return out;
}

export function unhex(text) {
  need(typeof text === "string" && /^([0-9a-f]{2})*$/.test(text), "JSON_PROFILE", "not lower-case hex");
  const out = new Uint8Array(text.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return out;
}

function encode64(bytes, alphabet, pad) {
  let out = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const v = (bytes[i] << 16) | ((left > 1 ? bytes[i + 1] : 0) << 8) | (left > 2 ? bytes[i + 2] : 0);
    out += alphabet[v >> 18] + alphabet[(v >> 12) & 63];
    out += left > 1 ? alphabet[(v >> 6) & 63] : pad;
    out += left > 2 ? alphabet[v & 63] : pad;
  }
  return out;
}

function decode64(text, alphabet, pad, code, length) {
  need(typeof text === "string", code, "not a string");
  const bare = pad ? text.replace(/={1,2}$/, "") : text;
  need(bare.length % 4 !== 1, code, "not base64");
  const out = new Uint8Array(Math.floor((bare.length * 3) / 4));
  let held = 0, bits = 0, at = 0;
  for (const ch of bare) {
    const v = ch.length === 1 ? alphabet.indexOf(ch) : -1;
    need(v >= 0, code, "not base64");
    held = ((held << 6) | v) & 0xffffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out[at++] = (held >> bits) & 255;
    }
  }
  need(encode64(out, alphabet, pad) === text, code, "sloppy base64");
  need(length === undefined || out.length === length, code, `${length} bytes expected`);
  return out;
}

/** base64url without padding. */
export const b64u = (bytes) => encode64(bytes, URL_ALPHABET, "");

/** Bytes of base64url without padding; foreign characters, `=`, trailing bits or another length are refused with `code`. */
export const unb64u = (text, length, code = "JSON_PROFILE") => decode64(text, URL_ALPHABET, "", code, length);

/** Standard base64 with padding (DSSE, signed notes). */
export const b64 = (bytes) => encode64(bytes, STD_ALPHABET, "=");

export const unb64 = (text, length, code = "JSON_PROFILE") => decode64(text, STD_ALPHABET, "=", code, length);

/** Equality in time that depends on lengths only. */
export function equal(a, b) {
  if (a.length !== b.length) return false;
  let differs = 0;
  for (let i = 0; i < a.length; i++) differs |= a[i] ^ b[i];
  return differs === 0;
}

/** Order of byte strings; for sorting. */
export function compareBytes(a, b) {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}
