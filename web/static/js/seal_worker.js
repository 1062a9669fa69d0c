/**
 * Web Worker (module): seals files chunk by chunk so that the page stays alive and memory flat.
 *
 * In:  {type: "seal", id, job: {policy, bidder, bidderKey?, announce, files: [{name, type, blob}…], selfCheck?}}
 *      {type: "cancel", id}
 * Out: {type: "progress", id, phase: "seal" | "check", done, total}   at most ten a second
 *      {type: "done", id, file, name, stored: "opfs" | "blob", sealed}
 *      {type: "cancelled", id}   {type: "refused", id, code, why, facts}   {type: "failed", id, why}
 */
import { SealedBidError } from "./sb/errors.js";
import { hex } from "./sb/bytes.js";
import { random } from "./sb/hashes.js";
import { seal, selfCheck } from "./sb/sealed_bid.js";

const AHEAD = 8; // pieces that may wait for the browser to take them
const PACE_MS = 100;
const running = new Map();

/** A place for the sealed bytes: the origin's private file system, or a Blob the browser may keep on disk. */
async function openPlace() {
  const name = `${hex(random(16))}.sealed`;
  try {
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle("sealed", { create: true });
    const handle = await folder.getFileHandle(name, { create: true });
    const access = await handle.createSyncAccessHandle();
    let at = 0;
    return {
      name, stored: "opfs",
      reserve: (size) => access.truncate(size), // growing write by write asks the browser for room each time
      write(bytes) {
        let put = 0;
        while (put < bytes.length) {
          const n = access.write(put ? bytes.subarray(put) : bytes, { at: at + put });
          if (!n) throw new Error("the disk is full");
          put += n;
        }
        at += put;
      },
      async close() {
        access.close(); // not flushed: a slow disk would hold the person up, and what is gone on with later is compared first
        return handle.getFile();
      },
      async drop() {
        access.close();
        await folder.removeEntry(name);
      },
    };
  } catch {
    return blobPlace(name);
  }
}

/** Bytes streamed into a Blob: they go to the browser as they come, which may lay them on disk. Half the cost of joining parts. */
function blobPlace(name) {
  const { readable, writable } = new TransformStream({}, { highWaterMark: AHEAD });
  const writer = writable.getWriter();
  const whole = new Response(readable).blob();
  whole.catch(() => {}); // told where it is awaited, or dropped
  return {
    name, stored: "blob",
    reserve() {},
    write: (bytes) => writer.write(bytes),
    async close() {
      await writer.close();
      return (await whole).slice(0, undefined, "application/octet-stream");
    },
    async drop() {
      await writer.abort();
    },
  };
}

function pacer(id, phase) {
  let last = 0;
  return (done, total) => {
    const now = performance.now();
    if (done < total && now - last < PACE_MS) return;
    last = now;
    postMessage({ type: "progress", id, phase, done, total });
  };
}

async function run(id, job) {
  const abort = new AbortController();
  running.set(id, abort);
  const { signal } = abort;
  let place = null;
  try {
    place = job.store === "blob" ? blobPlace(`${id}.sealed`) : await openPlace();
    const { selfCheck: check = true, store: _, ...bid } = job;
    const sealed = await seal({ ...bid, signal, sink: (bytes) => place.write(bytes), onStart: (size) => place.reserve(size), onProgress: pacer(id, "seal") });
    const file = await place.close();
    if (check) await selfCheck(file, sealed, { signal, onProgress: pacer(id, "check") });
    postMessage({ type: "done", id, file, name: place.name, stored: place.stored, sealed });
  } catch (fault) {
    await place?.drop().catch(() => {});
    if (signal.aborted) postMessage({ type: "cancelled", id });
    else if (fault instanceof SealedBidError) postMessage({ type: "refused", id, code: fault.code, why: fault.why, facts: fault.facts });
    else postMessage({ type: "failed", id, why: String(fault?.message ?? fault) });
  } finally {
    running.delete(id);
  }
}

onmessage = ({ data }) => {
  if (data.type === "seal") run(data.id, data.job);
  else if (data.type === "cancel") running.get(data.id)?.abort();
};
