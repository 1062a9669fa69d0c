/** Sealed files of the vectors, rebuilt from seeds and recipes. */
import { concat, hex, u32, unhex, utf8 } from "../../web/static/js/sb/bytes.js";
import { canonical } from "../../web/static/js/sb/canonical.js";
import { CHUNK, layOut, nonce, TAG } from "../../web/static/js/sb/content.js";
import { sha256 } from "../../web/static/js/sb/hashes.js";
import { contentKey, headerHash } from "../../web/static/js/sb/header.js";
import { MAGIC, sealFromSeed } from "../../web/static/js/sb/sealing.js";

/** gen(label, n) of the vectors' notes. */
export async function gen(label, n) {
  const out = new Uint8Array(n);
  for (let i = 0; i * 32 < n; i++) out.set((await sha256(concat(utf8(label), u32(i)))).subarray(0, n - i * 32), i * 32);
  return out;
}

/** Seal in memory: `{bytes, sealed, plain: content with padding}`. */
export async function sealBytes(seed, ctx, blob, extra = {}) {
  const pieces = [];
  const sealed = await sealFromSeed({ seed, ctx, blob, sink: (p) => { pieces.push(p.slice()); }, ...extra });
  const plain = new Uint8Array(ctx.plen);
  plain.set(new Uint8Array(await blob.arrayBuffer()));
  return { bytes: concat(...pieces), sealed, plain };
}

/** Seal one of the `sealed` or `boundary` vectors. */
export async function sealVector(c) {
  const files = [];
  if (c.files) for (const f of c.files) files.push({ name: f.name, type: f.type ?? typeOf(c, f.name), blob: new Blob([await gen(f.gen, f.size)]) });
  else for (const f of c.manifest.files) files.push({ name: f.name, type: f.type, blob: new Blob([await gen(c.gen, f.size)]) });
  const laid = layOut({ announce: c.manifest.announce, files });
  return { laid, ...(await sealBytes(unhex(c.seed), c.ctx, laid.blob)) };
}

const typeOf = (c, name) => c.manifest.files.find((f) => f.name === name).type;

/** A sealed file with the given header bytes over content keyed to that header. */
export async function keyedTo(header, seed, plain) {
  const key = await crypto.subtle.importKey("raw", await contentKey(seed, await headerHash(header)), "AES-GCM", false, ["encrypt"]);
  const chunks = [];
  const n = Math.ceil(plain.length / CHUNK);
  for (let i = 0; i < n; i++) {
    const iv = nonce(i, i === n - 1);
    chunks.push(new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, plain.subarray(i * CHUNK, (i + 1) * CHUNK))));
  }
  return concat(MAGIC, u32(header.length), header, ...chunks);
}

const flip = (bytes, at, mask) => {
  const out = bytes.slice();
  out[at < 0 ? out.length + at : at] ^= mask;
  return out;
};

/** The tampered file of a `bad` vector. `base`: `{bytes, sealed, plain, seed}` or null. */
export async function tamper(c, base) {
  if (!base) {
    const content = new Uint8Array(c.content_len);
    content.set(unhex(c.content_head));
    content.set(unhex(c.content_tail), c.content_len - c.content_tail.length / 2);
    return (await sealBytes(unhex(c.seed), c.ctx, new Blob([content]))).bytes;
  }
  const { bytes, sealed, plain, seed } = base;
  const end = 12 + sealed.header.length;
  const header = () => JSON.parse(new TextDecoder().decode(sealed.header));
  const swapHeader = (value) => {
    const h = canonical(value);
    return concat(MAGIC, u32(h.length), h, bytes.subarray(end));
  };
  switch (c.id) {
    case "magic": return flip(bytes, 0, 1);
    case "truncated-1": return bytes.slice(0, -1);
    case "trailing-1": return concat(bytes, Uint8Array.of(0));
    case "chunk-flip-first": return flip(bytes, end + 5, 0x80);
    case "chunk-flip-tag": return flip(bytes, -1, 1);
    case "chunks-swapped": {
      const size = CHUNK + TAG;
      const [a, b] = [bytes.slice(end, end + size), bytes.slice(end + size, end + 2 * size)];
      return concat(bytes.slice(0, end), b, a, bytes.slice(end + 2 * size));
    }
    case "header-space": {
      const h = concat(sealed.header.slice(0, 1), utf8(" "), sealed.header.slice(1));
      return concat(MAGIC, u32(h.length), h, bytes.subarray(end));
    }
    case "copied-under-other-name": {
      const h = header();
      h.ctx.bidder = "91130205MA0XXXXX9Y";
      return swapHeader(h);
    }
    case "moved-to-other-envelope": {
      const h = header();
      h.ctx.envelope = "technical";
      return swapHeader(h);
    }
    case "garbage-box-5": {
      const h = header();
      const { b64u } = await import("../../web/static/js/sb/bytes.js");
      h.boxes[4].ct = b64u(unhex(c.garbage));
      return keyedTo(canonical(h), seed, plain);
    }
    default:
      return c.header_jcs ? keyedTo(utf8(c.header_jcs), seed, plain) : bytes;
  }
}

export const sha256Hex = async (bytes) => hex(await sha256(bytes));
