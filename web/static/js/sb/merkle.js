/** RFC 9162 Merkle trees with SHA-256: roots, inclusion and consistency. Numbers up to 2^53, so no bit operators. */
import { concat, equal, u8 } from "./bytes.js";
import { need } from "./errors.js";
import { sha256 } from "./hashes.js";

export const leafHash = (entry) => sha256(concat(u8(0), entry));
export const nodeHash = (left, right) => sha256(concat(u8(1), left, right));

/** A tree that grows leaf by leaf and keeps log n hashes: `addLeafHash(hash)`, `root()`. */
export function growingTree() {
  const peaks = []; // [{height, hash}], heights falling: the binary digits of the size
  let size = 0;
  return {
    get size() {
      return size;
    },
    async addLeafHash(hash) {
      let top = { height: 0, hash };
      while (peaks.length && peaks[peaks.length - 1].height === top.height) {
        top = { height: top.height + 1, hash: await nodeHash(peaks.pop().hash, top.hash) };
      }
      peaks.push(top);
      size += 1;
    },
    async root() {
      if (!size) return sha256(new Uint8Array(0));
      let hash = peaks[peaks.length - 1].hash;
      for (let i = peaks.length - 2; i >= 0; i--) hash = await nodeHash(peaks[i].hash, hash);
      return hash;
    },
  };
}

/** Merkle tree hash over data entries (RFC 9162 §2.1.1). */
export async function treeRoot(entries) {
  const tree = growingTree();
  for (const entry of entries) await tree.addLeafHash(await leafHash(entry));
  return tree.root();
}

const half = (n) => {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
};

async function rootOfHashes(hashes) {
  const tree = growingTree();
  for (const hash of hashes) await tree.addLeafHash(hash);
  return tree.root();
}

/** Inclusion path of leaf `index` among leaf hashes (RFC 9162 §2.1.3.1). */
export async function inclusionProof(hashes, index) {
  need(index >= 0 && index < hashes.length, "FORMAT", "no such leaf");
  if (hashes.length === 1) return [];
  const k = half(hashes.length);
  return index < k
    ? [...(await inclusionProof(hashes.slice(0, k), index)), await rootOfHashes(hashes.slice(k))]
    : [...(await inclusionProof(hashes.slice(k), index - k)), await rootOfHashes(hashes.slice(0, k))];
}

/** Consistency proof between the first `from` leaves and all (RFC 9162 §2.1.4.1). */
export async function consistencyProof(hashes, from) {
  need(from > 0 && from <= hashes.length, "FORMAT", "no such size");
  return subProof(hashes, from, true);
}

async function subProof(hashes, m, whole) {
  if (m === hashes.length) return whole ? [] : [await rootOfHashes(hashes)];
  const k = half(hashes.length);
  return m <= k
    ? [...(await subProof(hashes.slice(0, k), m, whole)), await rootOfHashes(hashes.slice(k))]
    : [...(await subProof(hashes.slice(k), m - k, false)), await rootOfHashes(hashes.slice(0, k))];
}

/** Verify an inclusion path (RFC 9162 §2.1.3.2). Refuses with `code`. */
export async function verifyInclusion({ hash, index, size, path, root }, code = "TICK_PROOF") {
  need(Number.isSafeInteger(index) && Number.isSafeInteger(size) && index >= 0 && index < size, code, "index beyond the tree");
  let fn = index, sn = size - 1, r = hash;
  for (const p of path) {
    need(sn !== 0, code, "path too long");
    if (fn % 2 === 1 || fn === sn) {
      r = await nodeHash(p, r);
      while (fn % 2 === 0 && fn !== 0) {
        fn /= 2;
        sn = Math.floor(sn / 2);
      }
    } else {
      r = await nodeHash(r, p);
    }
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  need(sn === 0, code, "path too short");
  need(equal(r, root), code, "another root");
}

/** Verify a consistency proof (RFC 9162 §2.1.4.2). From 0, any tree is consistent with an empty proof. Refuses with `code`. */
export async function verifyConsistency({ from, to, fromRoot, toRoot, proof }, code = "TICK_PROOF") {
  need(Number.isSafeInteger(from) && Number.isSafeInteger(to) && from >= 0 && from <= to, code, "sizes");
  if (from === 0 || from === to) {
    need(proof.length === 0, code, "proof must be empty");
    need(from === 0 ? equal(fromRoot, await sha256(new Uint8Array(0))) : equal(fromRoot, toRoot), code, "another root");
    return;
  }
  need(proof.length > 0, code, "empty proof");
  let path = proof, fn = from - 1, sn = to - 1;
  let power = from;
  while (power % 2 === 0) power /= 2;
  if (power === 1) path = [fromRoot, ...proof];
  while (fn % 2 === 1) {
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  let fr = path[0], sr = path[0];
  for (const c of path.slice(1)) {
    need(sn !== 0, code, "proof too long");
    if (fn % 2 === 1 || fn === sn) {
      fr = await nodeHash(c, fr);
      sr = await nodeHash(c, sr);
      while (fn % 2 === 0 && fn !== 0) {
        fn /= 2;
        sn = Math.floor(sn / 2);
      }
    } else {
      sr = await nodeHash(sr, c);
    }
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  need(sn === 0, code, "proof too short");
  need(equal(fr, fromRoot) && equal(sr, toRoot), code, "another root");
}
