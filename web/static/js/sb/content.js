/** What lies inside a sealed bid (the protocol §3.2): manifest, files, padding; its chunks and their nonces. */
import { b64u, concat, readU32, u32, utf8 } from "./bytes.js";
import { canonical, hasKeys, parseCanonical } from "./canonical.js";
import { need, SealedBidError } from "./errors.js";
import { D, H, streamingSha256 } from "./hashes.js";

export const CHUNK = 524288;
export const TAG = 16;
const MIN_CONTENT = 65536;
const MAX_MANIFEST = 1024 * 1024;
const MAX_FILES = 1000;

/** Padmé: round n up so that only log log n bits of its size show. Arithmetic, no bit operators: n goes beyond 2^32. */
export function padme(n) {
  if (n < 2) return n;
  const e = floorLog2(n);
  const b = e - (floorLog2(e) + 1);
  if (b <= 0) return n;
  const unit = 2 ** b;
  return Math.ceil(n / unit) * unit;
}

function floorLog2(n) {
  let e = 0;
  while (2 ** (e + 1) <= n) e += 1;
  return e;
}

/** The padded length of n bytes of content. */
export const padded = (n) => Math.max(MIN_CONTENT, padme(n));

/** The size of a sealed file. */
export const sealedSize = (headerLength, plen) => 12 + headerLength + plen + TAG * Math.ceil(plen / CHUNK);

/** The nonce of chunk i: u88(i) || u8(last). */
export function nonce(i, last) {
  const out = new Uint8Array(12);
  const view = new DataView(out.buffer);
  view.setUint32(7, i % 2 ** 32);
  view.setUint32(3, Math.floor(i / 2 ** 32));
  out[11] = last ? 1 : 0;
  return out;
}

/** The name of a file inside a bid, or refuse. */
function checkName(name) {
  need(typeof name === "string", "MANIFEST", "name");
  const size = utf8(name).length;
  need(size >= 1 && size <= 255 && name !== "." && name !== "..", "MANIFEST", "name");
  need(!/[/\\\u0000-\u001f\u007f]/.test(name), "MANIFEST", "name with a path or control character", { name });
}

/** Refuse a value that is not a manifest. Refuses: `MANIFEST`. Gives the value. */
export function checkManifest(manifest) {
  need(hasKeys(manifest, ["v", "announce", "files"]) && manifest.v === 1, "MANIFEST", "keys");
  const { announce, files } = manifest;
  need(typeof announce === "object" && announce !== null && !Array.isArray(announce), "MANIFEST", "announce");
  need(Object.values(announce).every((v) => typeof v === "string"), "MANIFEST", "announce holds strings");
  need(Array.isArray(files) && files.length <= MAX_FILES, "MANIFEST", "files");
  for (const file of files) {
    need(hasKeys(file, ["name", "size", "type"]) && typeof file.type === "string", "MANIFEST", "file");
    need(Number.isSafeInteger(file.size) && file.size >= 0, "MANIFEST", "size");
    checkName(file.name);
  }
  need(new Set(files.map((f) => f.name)).size === files.length, "MANIFEST", "two files of one name");
  return manifest;
}

/**
 * Lay out content: `files` = `[{name, type, blob}…]`, `announce` = strings by key.
 * Gives `{manifest, blob, size, plen}`: the blob is content without padding; nothing is read or copied yet. Refuses: `MANIFEST`.
 */
export function layOut({ announce, files }) {
  const manifest = { v: 1, announce, files: files.map(({ name, type = "", blob }) => ({ name, size: blob.size, type })) };
  checkManifest(manifest);
  // Readers allow these, but they are control characters too: a sealer does not write them.
  for (const { name } of files) need(!/[\u0080-\u009f]/.test(name), "MANIFEST", "a control character in a file name", { name });
  let head;
  try {
    head = canonical(manifest);
  } catch (fault) {
    throw new SealedBidError("MANIFEST", fault.why);
  }
  need(head.length <= MAX_MANIFEST, "MANIFEST", "manifest above 1 MiB");
  const blob = new Blob([u32(head.length), head, ...files.map((f) => f.blob)]);
  return { manifest, blob, size: blob.size, plen: padded(blob.size) };
}

const BATCH = 8; // pieces read at once: fewer hops to the browser's store of blobs cost less

/**
 * Take a blob's bytes in pieces, in order, out of two buffers: one is read from while the other is filled. The view given is only good
 * until the next call. `piece`: the longest piece asked for. `next(n)` gives n bytes, or what is left.
 */
export function pieceReader(blob, piece = CHUNK) {
  const fill = filler(blob.stream());
  const room = piece * BATCH;
  let spare = new ArrayBuffer(Math.min(room, Math.max(blob.size, 1)));
  let held = new Uint8Array(0), left = blob.size, coming = null;
  const ask = () => {
    const buffer = spare ?? new ArrayBuffer(Math.min(room, left));
    const size = Math.min(room, left, buffer.byteLength); // counted before the buffer is handed over and detached
    spare = null;
    left -= size;
    coming = fill(new Uint8Array(buffer, 0, size));
    coming.catch(() => {}); // thrown where it is awaited
  };
  ask();
  return {
    async next(n) {
      while (held.length < n && coming) {
        const rest = held.slice(); // empty but at the end: pieces fit the buffers
        const got = await coming;
        if (held.byteLength === 0 && held.buffer.byteLength >= room) spare = held.buffer;
        held = rest.length ? concat(rest, got) : got;
        coming = null;
        if (left > 0 && got.length) ask();
      }
      const bytes = held.subarray(0, n);
      held = held.subarray(bytes.length);
      return bytes;
    },
    cancel: fill.cancel,
  };
}

/** `fill(view)` → the same bytes filled from a stream, fewer at its end. */
function filler(stream) {
  let reader, byob = true;
  try {
    reader = stream.getReader({ mode: "byob" });
  } catch {
    reader = stream.getReader();
    byob = false;
  }
  let rest = new Uint8Array(0);
  const fill = async (view) => {
    let { buffer } = view, at = 0;
    const n = view.length;
    while (at < n) {
      if (byob) {
        const { done, value } = await reader.read(new Uint8Array(buffer, at, n - at), { min: n - at }); // `min` spares hops where it is known
        if (value) ({ buffer } = value);
        if (done || !value) break;
        at += value.length;
      } else {
        if (!rest.length) {
          const { done, value } = await reader.read();
          if (done) break;
          rest = value;
        }
        const take = rest.subarray(0, n - at);
        new Uint8Array(buffer).set(take, at);
        rest = rest.subarray(take.length);
        at += take.length;
      }
    }
    return new Uint8Array(buffer, 0, at);
  };
  fill.cancel = () => reader.cancel().catch(() => {});
  return fill;
}

/**
 * Reads decrypted content as it streams. `openFile(item, index)` may give `{write(bytes), close()}` to receive a file;
 * `hashFiles`: compute SHA-256 of each. Faults of the content are kept, not thrown, until `finish()`, because a later chunk that
 * fails its tag outranks them (the protocol §5.1). `finish()` gives `{manifest, sha256: [bytes…]}`. Refuses: `MANIFEST`, `PADDING`.
 */
export function contentReader(plen, { openFile, hashFiles = false } = {}) {
  let head = new Uint8Array(0), manifest = null, fault = null;
  let index = -1, left = 0, out = null, hash = null;
  const digests = [];

  const readManifest = () => {
    const m = readU32(head);
    need(m <= MAX_MANIFEST && 4 + m <= plen, "MANIFEST", "length of the manifest");
    if (head.length < 4 + m) return null;
    const value = checkManifest(parseCanonical(head.slice(4, 4 + m), "MANIFEST"));
    const total = value.files.reduce((sum, f) => sum + f.size, 4 + m);
    need(total <= plen, "MANIFEST", "files beyond the content");
    need(padded(total) === plen, "PADDING", "another length was due");
    return { value, body: head.slice(4 + m) };
  };

  const closeFile = async () => {
    if (index < 0) return;
    if (out) await out.close();
    if (hash) digests.push(hash.digest());
  };

  const openNext = async () => {
    await closeFile();
    index += 1;
    if (index >= manifest.files.length) return false;
    left = manifest.files[index].size;
    out = openFile ? await openFile(manifest.files[index], index) : null;
    hash = hashFiles ? await streamingSha256() : null;
    return true;
  };

  const body = async (bytes) => {
    while (bytes.length) {
      if (index >= manifest.files.length) {
        need(bytes.every((b) => b === 0), "PADDING", "padding is not zero");
        return;
      }
      const take = bytes.subarray(0, left);
      if (take.length) {
        hash?.update(take);
        if (out) await out.write(take);
      }
      left -= take.length;
      bytes = bytes.subarray(take.length);
      while (left === 0 && index < manifest.files.length) if (!(await openNext())) break;
    }
  };

  return {
    async push(bytes) {
      if (fault) return;
      try {
        if (manifest) return await body(bytes);
        head = head.length ? concat(head, bytes) : bytes;
        const read = head.length >= 4 ? readManifest() : null;
        if (!read) return;
        manifest = read.value;
        head = null;
        while (left === 0 && index < manifest.files.length) if (!(await openNext())) break;
        await body(read.body);
      } catch (found) {
        if (!(found instanceof SealedBidError)) throw found;
        fault = found;
      }
    },
    finish() {
      if (fault) throw fault;
      need(manifest, "MANIFEST", "no manifest");
      return { manifest, sha256: digests };
    },
  };
}

/** The digest of a file shown in `opened`: H("file", D(seed, header_hash, "file-salt"), CJ(item), SHA-256(bytes)), b64u. */
export async function fileDigest(seed, headerHash, item, sha) {
  return b64u(await H("file", await D(seed, headerHash, "file-salt"), canonical(item), sha));
}
