/**
 * The page's side of the sealing worker. Trusted Types: a worker's address is a script address, so one policy named
 * `bidhall-worker` allows exactly this one; a page's CSP must list it: `trusted-types bidhall-worker`.
 */
import { SealedBidError } from "./errors.js";

const ADDRESS = new URL("../seal_worker.js", import.meta.url).href;
let trusted;

function workerAddress() {
  if (!globalThis.trustedTypes) return ADDRESS;
  trusted ??= globalThis.trustedTypes.createPolicy("bidhall-worker", {
    createScriptURL(address) {
      if (address === ADDRESS) return address;
      throw new TypeError("not the sealing worker");
    },
  });
  return trusted.createScriptURL(ADDRESS);
}

/**
 * Start sealing in a worker. `job`: `{policy, bidder, bidderKey?, announce, files: [File or {name, type, blob}…], selfCheck?: true}`.
 * `onProgress({phase: "seal" | "check", done, total})`.
 * Gives `{result, cancel()}`; `result` resolves to `{file: File | Blob, name, sealed}` (sealed: see sealed_bid.seal) and rejects with a
 * SealedBidError, or an AbortError after `cancel()`. `discard(name)` frees the sealed file when it has been sent.
 */
export function sealInWorker(job, { onProgress } = {}) {
  const worker = new Worker(workerAddress(), { type: "module", name: "bidhall-seal" });
  const id = crypto.randomUUID();
  const files = job.files.map((f) => ({ name: f.name, type: f.type ?? "", blob: f.blob ?? f }));
  const result = new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      if (data.id !== id) return;
      if (data.type === "progress") onProgress?.(data);
      else if (data.type === "done") resolve(data);
      else if (data.type === "cancelled") reject(new DOMException("sealing was cancelled", "AbortError"));
      else if (data.type === "refused") reject(new SealedBidError(data.code, data.why, data.facts));
      else if (data.type === "failed") reject(new Error(data.why));
    };
    worker.onerror = (event) => reject(new Error(event.message || "the sealing worker did not start"));
  });
  worker.postMessage({ type: "seal", id, job: { ...job, files } });
  const ended = result.finally(() => worker.terminate());
  ended.catch(() => {});
  return { result: ended, cancel: () => worker.postMessage({ type: "cancel", id }) };
}

/** Delete a sealed file from the origin's private file system, once it has been uploaded. Silent where it is not there. */
export async function discard(name) {
  try {
    const root = await navigator.storage.getDirectory();
    await (await root.getDirectoryHandle("sealed")).removeEntry(name);
  } catch {
    /* Blob parts, or gone already */
  }
}

/** Names of sealed files left on this machine (for a resumed upload after a reload): `[name…]`. */
export async function leftovers() {
  try {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("sealed");
    const names = [];
    for await (const name of folder.keys()) names.push(name);
    return names.sort();
  } catch {
    return [];
  }
}

/** A sealed file left on this machine, as a File. */
export async function leftover(name) {
  const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("sealed");
  return (await folder.getFileHandle(name)).getFile();
}
