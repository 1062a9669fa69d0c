/**
 * The page's side of the two workers that seal: one reads and encrypts, one hashes and keeps. Trusted Types: a worker's address is a script
 * address, so one policy named `bidhall-worker` allows exactly these; a page's CSP must list it: `trusted-types bidhall-worker`.
 */
import { SealedBidError } from "./errors.js";

const SEALER = new URL("../seal_worker.js", import.meta.url).href;
const STORE = new URL("../seal_store.js", import.meta.url).href;
let trusted;

function started(address, name) {
  if (globalThis.trustedTypes) {
    trusted ??= globalThis.trustedTypes.createPolicy("bidhall-worker", {
      createScriptURL(asked) {
        if (asked === SEALER || asked === STORE) return asked;
        throw new TypeError("not a sealing worker");
      },
    });
  }
  return new Worker(trusted ? trusted.createScriptURL(address) : address, { type: "module", name });
}

/**
 * Start sealing in a worker. `job`: `{policy, bidder, bidderKey?, announce, files: [File or {name, type, blob}…], selfCheck?: true}`.
 * `onProgress({phase: "seal" | "check", done, total})`.
 * Gives `{result, cancel()}`; `result` resolves to `{file: File | Blob, name, sealed}` (sealed: see sealed_bid.seal) and rejects with a
 * SealedBidError, or an AbortError after `cancel()`. `discard(name)` frees the sealed file when it has been sent.
 */
export function sealInWorker(job, { onProgress } = {}) {
  const worker = started(SEALER, "bidhall-seal"), store = started(STORE, "bidhall-store");
  const { port1, port2 } = new MessageChannel();
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
    worker.onerror = store.onerror = (event) => reject(new Error(event.message || "a sealing worker did not start"));
  });
  store.postMessage({ port: port2 }, [port2]);
  worker.postMessage({ type: "seal", id, job: { ...job, files }, port: port1 }, [port1]);
  const ended = result.finally(() => {
    worker.terminate();
    store.terminate();
  });
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
