/**
 * Web Worker (module): seals files chunk by chunk so that the page stays alive and memory flat. `port` leads to the worker that hashes and
 * keeps the sealed pieces (seal_store.js).
 *
 * In:  {type: "seal", id, job: {policy, bidder, bidderKey?, announce, files: [{name, type, blob}…], selfCheck?, store?: "blob"}, port}
 *      {type: "cancel", id}
 * Out: {type: "progress", id, phase: "seal" | "check", done, total}   at most ten a second
 *      {type: "done", id, file, name, stored: "opfs" | "blob", sealed}
 *      {type: "cancelled", id}   {type: "refused", id, code, why, facts}   {type: "failed", id, why}
 */
import { SealedBidError } from "./sb/errors.js";
import { seal, selfCheck } from "./sb/sealed_bid.js";

const PACE_MS = 100;
const running = new Map();

/** The store's worker, asked over its port: answers come in the order of the questions. */
function storeAt(port) {
  const waiting = [];
  port.onmessage = ({ data }) => {
    const { resolve, reject } = waiting.shift();
    if (data.why === undefined) resolve(data);
    else reject(new Error(data.why));
  };
  const ask = (question, transfer = []) => new Promise((resolve, reject) => {
    waiting.push({ resolve, reject });
    port.postMessage(question, transfer);
  });
  return {
    open: (store, size) => ask({ type: "open", store, size }),
    put: async (bytes) => (await ask({ type: "piece", bytes }, [bytes.buffer])).digest,
    close: () => ask({ type: "close" }),
    drop: () => ask({ type: "drop" }),
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

async function run(id, job, port) {
  const abort = new AbortController();
  running.set(id, abort);
  const { signal } = abort;
  const place = storeAt(port);
  try {
    const { selfCheck: check = true, store, ...bid } = job;
    const sealed = await seal({
      ...bid, signal, put: place.put, onStart: (size) => place.open(store, size), onProgress: pacer(id, "seal"),
    });
    const { file, name, stored } = await place.close();
    if (check) await selfCheck(file, sealed, { signal, onProgress: pacer(id, "check") });
    postMessage({ type: "done", id, file, name, stored, sealed });
  } catch (fault) {
    await place.drop().catch(() => {});
    if (signal.aborted) postMessage({ type: "cancelled", id });
    else if (fault instanceof SealedBidError) postMessage({ type: "refused", id, code: fault.code, why: fault.why, facts: fault.facts });
    else postMessage({ type: "failed", id, why: String(fault?.message ?? fault) });
  } finally {
    running.delete(id);
  }
}

onmessage = ({ data }) => {
  if (data.type === "seal") run(data.id, data.job, data.port);
  else if (data.type === "cancel") running.get(data.id)?.abort();
};
