/**
 * The sealing pipeline (the protocol §3). `sealFromSeed` is for tests and for re-sealing to compare with another sealer:
 * the same seed and ctx over other content repeats nonces under one key. Pages use `sealed_bid.js`, which draws the seed.
 */
import { concat, u32, utf8 } from "./bytes.js";
import { CHUNK, nonce, pieceReader, sealedSize } from "./content.js";
import { need, refuse } from "./errors.js";
import { contentKey, deriveHeader } from "./header.js";
import { growingTree, leafHash } from "./merkle.js";
import { sha256 } from "./hashes.js";

const subtle = globalThis.crypto.subtle;
export const MAGIC = utf8("BIDSEAL1");
/** Chunks under way at once: enough to keep the cipher thread busy while one is read, little enough to stay flat. */
export const IN_FLIGHT = 6;

/**
 * Runs `work(item)` for items with a bounded number under way and hands results on in order.
 * `push(promise)` waits while the line is full; `drain()` waits for the rest.
 */
export function orderedLine(limit, deliver) {
  const line = [];
  const one = async () => deliver(await line.shift());
  return {
    async push(promise) {
      promise.catch(() => {}); // seen when delivered; a failure before that must not be called unhandled
      line.push(promise);
      if (line.length >= limit) await one();
    },
    async drain() {
      while (line.length) await one();
    },
  };
}

/** The tree over piece hashes, fed in order without holding up the pipeline: `add(digest promise)`, `root()`. */
export function pieceTree() {
  const tree = growingTree();
  let chain = Promise.resolve();
  return {
    add(digest) {
      const leaf = digest.then(leafHash);
      leaf.catch(() => {}); // a failed piece is reported by the line; here it must only not be called unhandled
      chain = chain.then(async () => tree.addLeafHash(await leaf));
      chain.catch(() => {});
    },
    async root() {
      await chain;
      return tree.root();
    },
  };
}

/** A `put` that hashes here and hands pieces to `sink` one after the other. */
function hashed(sink) {
  let before = Promise.resolve();
  return (bytes) => {
    const digest = sha256(bytes);
    const written = before.then(() => sink(bytes));
    before = written.catch(() => {}); // told by the piece that failed
    return written.then(() => digest);
  };
}

/**
 * Seal `blob` (content without padding, see content.layOut) under (seed, ctx).
 * `sink(bytes)`: receives the sealed file piece by piece, in order, one at a time; may return a promise. Or `put(bytes)`: takes pieces over
 * without being waited for, hashes them, and gives the promise of each one's SHA-256. `signal`: AbortSignal.
 * `onStart(sealedSize)`: once, before the first byte, to make room; may return a promise. `onProgress(done, total)`: bytes of padded content. `onPiece(digest promise)`: optional, sees each piece's SHA-256.
 * Gives `{ctx, header, headerHash, sealedRoot, sealedSize, parts}`.
 */
export async function sealFromSeed({ seed, ctx, blob, sink, put = hashed(sink), signal, onStart, onProgress, onPiece }) {
  need(blob.size <= ctx.plen, "SIZE", "content above plen");
  const { header, headerHash, parts } = await deriveHeader(seed, ctx);
  const key = await subtle.importKey("raw", await contentKey(seed, headerHash), "AES-GCM", false, ["encrypt"]);
  const tree = pieceTree();
  const first = concat(MAGIC, u32(header.length), header);
  const keep = (bytes) => {
    const digest = put(bytes);
    tree.add(digest);
    onPiece?.(digest);
    return digest;
  };
  await onStart?.(sealedSize(header.length, ctx.plen));
  await keep(first);

  const chunks = Math.ceil(ctx.plen / CHUNK);
  const reader = pieceReader(blob);
  let taken = 0, done = 0;
  const kept = orderedLine(IN_FLIGHT, (length) => {
    done += length;
    onProgress?.(done, ctx.plen);
  });
  // The tree takes digests in the order of chunks: engines with several threads finish encrypting in any order.
  const line = orderedLine(IN_FLIGHT, ({ sealed, length }) => kept.push(keep(sealed).then(() => length)));
  try {
    for (let i = 0; i < chunks; i++) {
      signal?.throwIfAborted();
      const length = Math.min(CHUNK, ctx.plen - i * CHUNK);
      const plain = await nextChunk(reader, length, Math.max(0, Math.min(length, blob.size - taken)));
      taken += length;
      const encrypting = subtle.encrypt({ name: "AES-GCM", iv: nonce(i, i === chunks - 1) }, key, plain); // copies `plain` at once
      await line.push(encrypting.then((buffer) => ({ sealed: new Uint8Array(buffer), length })));
    }
    await line.drain();
    await kept.drain();
  } finally {
    reader.cancel();
  }
  signal?.throwIfAborted();
  return { ctx, header, headerHash, sealedRoot: await tree.root(), sealedSize: sealedSize(header.length, ctx.plen), parts };
}

async function nextChunk(reader, length, real) {
  const bytes = real > 0 ? await reader.next(real) : new Uint8Array(0);
  if (bytes.length !== real) refuse("SIZE", "a file changed while it was being sealed");
  if (real === length) return bytes;
  const whole = new Uint8Array(length);
  whole.set(bytes);
  return whole;
}
