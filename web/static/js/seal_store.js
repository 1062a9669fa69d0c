/**
 * Web Worker (module) beside the sealing one: hashes each sealed piece and puts it where it is kept, so that reading and encrypting go on
 * meanwhile on another core. Work comes over a MessagePort, handed in by the page: {port}.
 *
 * In:  {type: "open", store?: "blob", size} · {type: "piece", bytes} · {type: "close"} · {type: "drop"}, one answer to each, in order
 * Out: {} · {digest} · {file, name, stored: "opfs" | "blob"} · {}, or {why} where it failed
 */
import { hex } from "./sb/bytes.js";
import { random, sha256 } from "./sb/hashes.js";

const AHEAD = 8; // pieces that may wait for the browser to take them

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

let place = null;
const acts = {
  async open({ store, size }) {
    place = store === "blob" ? blobPlace(`${hex(random(16))}.sealed`) : await openPlace();
    place.reserve(size);
    return {};
  },
  async piece({ bytes }) {
    const digest = sha256(bytes); // takes its copy at once
    await place.write(bytes);
    return { digest: await digest };
  },
  async close() {
    return { file: await place.close(), name: place.name, stored: place.stored };
  },
  async drop() {
    await place?.drop();
    return {};
  },
};

onmessage = ({ data: { port } }) => {
  let before = Promise.resolve();
  port.onmessage = ({ data }) => {
    before = before.then(() => acts[data.type](data)).then((answer) => port.postMessage(answer), (fault) => port.postMessage({ why: String(fault?.message ?? fault) }));
  };
};
