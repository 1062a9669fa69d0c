/** The sealed bid (the protocol §3): seal, inspect, open; streaming, memory flat whatever the size. */
import { concat, equal, readU32, unb64u } from "./bytes.js";
import { CHUNK, contentReader, fileDigest, layOut, nonce, pieceReader, sealedSize, TAG } from "./content.js";
import { need, refuse, SealedBidError } from "./errors.js";
import { random, sha256 } from "./hashes.js";
import { contentKey, joinSeed, MAX_HEADER, parseHeader, rederive } from "./header.js";
import { checkPolicy, contextOf } from "./policy.js";
import { IN_FLIGHT, MAGIC, orderedLine, pieceTree, sealFromSeed } from "./sealing.js";

const subtle = globalThis.crypto.subtle;

/** Name of this sealer, for the `tool` of a submission. */
export const TOOL = "bidhall-seal-js/1.0.0";

/**
 * Seal a bid under a policy (already verified, see policy.verifyPolicy), with a fresh seed.
 * `policy`: document; `bidder`: party id; `bidderKey`: X25519 bytes iff the policy wants co-opening;
 * `announce`: strings by key, read out at opening; `files`: `[{name, type, blob}…]`; `sink(bytes)` or `put(bytes)`, `signal`, `onStart(sealedSize)`, `onProgress(done, total)`.
 * Gives `{ctx, header, headerHash, sealedRoot, sealedSize, seed, manifest}`; `seed` is for the keeper file only.
 * Refuses: `MANIFEST`, `TOO_LARGE`, `CONTEXT_MISMATCH`, `SIZE`.
 */
export async function seal({ policy, bidder, bidderKey, announce = {}, files, sink, put, signal, onStart, onProgress }) {
  checkPolicy(policy);
  need(bidder !== "drill", "CONTEXT_MISMATCH", "drill is nobody's name");
  const { manifest, blob, plen } = layOut({ announce, files });
  need(plen <= policy.max_plen, "TOO_LARGE", "above max_plen", { plen, max_plen: policy.max_plen });
  const ctx = await contextOf(policy, { bidder, bidderKey, plen });
  const seed = random(32);
  const { parts: _, ...sealed } = await sealFromSeed({ seed, ctx, blob, sink, put, signal, onStart, onProgress });
  return { ...sealed, seed, manifest };
}

/**
 * Look at a sealed file without any key: `{header, headerHash, ctxHash, ctx, boxes, commit, size, chunks}`.
 * Refuses: `FORMAT`, `SIZE`, `HEADER_CANONICAL`, `HEADER_SCHEMA`, `SUITE_UNKNOWN`.
 */
export async function inspect(blob) {
  const start = new Uint8Array(await blob.slice(0, 12).arrayBuffer());
  need(start.length === 12 && equal(start.slice(0, 8), MAGIC), "FORMAT", "not a sealed bid");
  const length = readU32(start, 8);
  need(length <= MAX_HEADER, "FORMAT", "a header of more than 65536 bytes");
  need(12 + length <= blob.size, "SIZE", "the file ends before its header does");
  const parsed = await parseHeader(new Uint8Array(await blob.slice(12, 12 + length).arrayBuffer()));
  need(blob.size === sealedSize(length, parsed.ctx.plen), "SIZE", "size of the sealed file");
  return { ...parsed, size: blob.size, chunks: Math.ceil(parsed.ctx.plen / CHUNK) };
}

// The tree of a sealed blob, its first piece in it: magic, length and header.
async function treeOf(blob, info) {
  const tree = pieceTree();
  tree.add(sha256(concat(MAGIC, new Uint8Array(await blob.slice(8, 12).arrayBuffer()), info.header)));
  return tree;
}

/** sealed_root of a sealed blob. `info`: what `inspect` gave. */
export async function sealedRoot(blob, info, { signal, onProgress } = {}) {
  const tree = await treeOf(blob, info);
  await eachPiece(blob, info, signal, (piece) => sha256(piece), async (digest, done) => {
    tree.add(Promise.resolve(digest));
    onProgress?.(done, info.size);
  });
  return tree.root();
}

// Reads pieces in turn; `start(piece, i)` must take its copy at once (WebCrypto does) and gives a promise; `take(result, done)` in order.
async function eachPiece(blob, info, signal, start, take) {
  const begin = 12 + info.header.length;
  const reader = pieceReader(blob.slice(begin), CHUNK + TAG);
  let done = begin;
  const line = orderedLine(IN_FLIGHT, async ({ result, length }) => {
    done += length;
    await take(result, done);
  });
  try {
    for (let i = 0; i < info.chunks; i++) {
      signal?.throwIfAborted();
      const length = Math.min(CHUNK, info.ctx.plen - i * CHUNK) + TAG;
      const piece = await reader.next(length);
      need(piece.length === length, "SIZE", "the sealed file is shorter than it was");
      await line.push(start(piece, i).then((result) => ({ result, length })));
    }
    await line.drain();
  } finally {
    reader.cancel();
  }
}

/**
 * Decrypt a sealed blob with its seed. `openFile(item, index)` → `{write, close}` receives files; `hashFiles` gives their digests;
 * `onPiece(digest promise)`: optional, sees each sealed piece's SHA-256.
 * Nothing received may be shown before this returns. Gives `{manifest, sha256: [bytes…], digests: [b64u…]}`.
 * Refuses: `REDERIVE`, `CHUNK_AUTH`, `MANIFEST`, `PADDING`.
 */
export async function openWithSeed({ blob, info, seed, openFile, hashFiles = false, signal, onProgress, onPiece }) {
  await rederive(info, seed);
  const key = await subtle.importKey("raw", await contentKey(seed, info.headerHash), "AES-GCM", false, ["decrypt"]);
  const content = contentReader(info.ctx.plen, { openFile, hashFiles });
  const decrypt = (piece, i) => {
    onPiece?.(sha256(piece));
    return subtle.decrypt({ name: "AES-GCM", iv: nonce(i, i === info.chunks - 1) }, key, piece)
      .catch(() => refuse("CHUNK_AUTH", `chunk ${i}`, { chunk: i }));
  };
  await eachPiece(blob, info, signal, decrypt, async (plain, done) => {
    await content.push(new Uint8Array(plain));
    onProgress?.(done, info.size);
  });
  const { manifest, sha256: hashes } = content.finish();
  const digests = await Promise.all(hashes.map((sha, i) => fileDigest(seed, info.headerHash, manifest.files[i], sha)));
  return { manifest, sha256: hashes, digests };
}

/**
 * Open a sealed blob as the protocol §5 step 5 does. `signedRoot`: bytes of the submission's sealed_root;
 * `parts`: Map j → bytes (0 = the bidder's). Other options as openWithSeed. Gives its result and `{info, seed}`.
 * Refuses, in this order: `FORMAT`, `SIZE`, `HEADER_*`, `SEALED_ROOT`, `BIDDER_PART_MISSING`, `SHARE_COMMIT`, `TOO_FEW_SHARES`,
 * `REDERIVE`, `CHUNK_AUTH`, `MANIFEST`, `PADDING`.
 */
export async function open({ blob, signedRoot, parts, ...rest }) {
  const info = await inspect(blob);
  need(equal(await sealedRoot(blob, info), signedRoot), "SEALED_ROOT", "the stored bytes are not the signed ones");
  const seed = await joinSeed(info, parts);
  return { info, seed, ...(await openWithSeed({ blob, info, seed, ...rest })) };
}

/**
 * The bidder's own check before signing: the sealed blob reads back with its seed to the same manifest and root.
 * `sealed`: what `seal` gave. Refuses: any code of `open`, `CONTEXT_MISMATCH`.
 */
export async function selfCheck(blob, sealed, { signal, onProgress } = {}) {
  const info = await inspect(blob);
  need(equal(info.headerHash, sealed.headerHash) && blob.size === sealed.sealedSize, "CONTEXT_MISMATCH", "another sealed file");
  const rootIs = (root) => need(equal(root, sealed.sealedRoot), "SEALED_ROOT", "written bytes differ");
  const tree = await treeOf(blob, info);
  let manifest;
  try {
    ({ manifest } = await openWithSeed({ blob, info, seed: sealed.seed, signal, onProgress, onPiece: tree.add }));
  } catch (fault) {
    signal?.throwIfAborted();
    rootIs(await sealedRoot(blob, info, { signal })); // other bytes than were written outrank what they decrypt to
    throw fault;
  }
  rootIs(await tree.root());
  need(JSON.stringify(manifest.files) === JSON.stringify(sortedFiles(sealed.manifest)), "MANIFEST", "another list of files");
  return info;
}

// Canonical reading sorts keys; compare in that order.
const sortedFiles = (manifest) => manifest.files.map(({ name, size, type }) => ({ name, size, type }));

/**
 * The server's checks of a statement against a sealed file (the protocol §4), as far as a client can repeat them.
 * Refuses: `CONTEXT_MISMATCH`, `SEALED_ROOT`.
 */
export function checkStatement(statement, info, root) {
  for (const key of ["platform", "tender", "lot", "envelope", "bidder", "policy"]) {
    need(statement[key] === info.ctx[key], "CONTEXT_MISMATCH", `${key} differs from the header`);
  }
  need(equal(unb64u(statement.header_hash, 32), info.headerHash), "CONTEXT_MISMATCH", "header_hash");
  need(statement.sealed_size === info.size, "SIZE", "sealed_size");
  need(equal(unb64u(statement.sealed_root, 32), root), "SEALED_ROOT", "sealed_root");
}

export { SealedBidError };
