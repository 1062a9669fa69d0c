/** Offers the suite and the sealing worker to the test that drives this page. */
import { runAll } from "./suite.mjs";
import { discard, leftover, leftovers, sealInWorker } from "../../web/static/js/sb/sealer.js";
import { inspect, openWithSeed } from "../../web/static/js/sb/sealed_bid.js";
import { b64u, hex } from "../../web/static/js/sb/bytes.js";
import { IN_FLIGHT } from "../../web/static/js/sb/sealing.js";

const read = async (name) => (await fetch(`../vectors/${name}.json`)).json();
const vectorsOf = async () => ({ ...(await read("sealed_bid_vectors")), copied_boxes: (await read("copied_boxes")).copied_boxes });

window.violations = [];
document.addEventListener("securitypolicyviolation", (e) => window.violations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}`));

window.runVectors = async () => runAll(await vectorsOf());

const policyOf = async () => JSON.parse((await vectorsOf()).policies.find((p) => !p.policy_jcs.includes('"co_opening":true')).policy_jcs);

/** Seal `megabytes` in the worker and read back; `store`: "blob" forces Blob parts. */
window.sealHere = async ({ megabytes, store, cancel = false, names = ["a.bin", "b.bin"] }) => {
  const policy = await policyOf();
  const part = new Uint8Array(1 << 20).map((_, i) => (i * 31) & 255);
  const half = new Blob(Array.from({ length: Math.max(1, megabytes / 2) }, () => part));
  const files = names.map((name) => new File([half], name));
  const progress = [];
  const job = sealInWorker({ policy, bidder: "91130205MA0ABCDE1X", announce: { price: "1.00" }, files, store }, {
    onProgress: (p) => {
      progress.push([p.phase, p.done, p.total]);
      if (cancel) job.cancel();
    },
  });
  let done;
  try {
    done = await job.result;
  } catch (fault) {
    return { error: fault.name, code: fault.code ?? "", leftovers: await leftovers() };
  }
  const info = await inspect(done.file);
  const { sha256 } = await openWithSeed({ blob: done.file, info, seed: done.sealed.seed, hashFiles: true });
  const again = done.stored === "opfs" ? (await leftover(done.name)).size : done.file.size;
  const kept = await leftovers();
  await discard(done.name);
  return {
    stored: done.stored, size: done.file.size, wanted: done.sealed.sealedSize, again, kept, after: await leftovers(),
    sha256: sha256.map(hex), root: b64u(done.sealed.sealedRoot), phases: [...new Set(progress.map(([p]) => p))], last: progress.at(-1),
  };
};

/**
 * MiB/s of sealing (worker, File to stored file, no self-check), of native SHA-256 of pieces as large, and of WebCrypto's own AES-GCM and
 * SHA-256 of them in memory, which no sealer can beat; best of `rounds`.
 */
window.speed = async ({ megabytes, store, rounds = 3 }) => {
  const policy = await policyOf();
  const part = crypto.getRandomValues(new Uint8Array(65536));
  const block = new Uint8Array(1 << 20);
  for (let i = 0; i < 16; i++) block.set(part, i * 65536);
  const file = new File(Array.from({ length: megabytes }, () => block), "big.bin");
  const piece = new Uint8Array(524304);
  const count = megabytes * 2;
  const plain = new Uint8Array(524288), iv = new Uint8Array(12);
  const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt"]);
  const best = { seal: Infinity, sha: Infinity, raw: Infinity };
  for (let r = 0; r < rounds; r++) {
    let start = performance.now();
    let next = 0;
    await Promise.all(Array.from({ length: IN_FLIGHT }, async () => {
      while (next++ < count) await crypto.subtle.digest("SHA-256", piece);
    }));
    best.sha = Math.min(best.sha, performance.now() - start);
    start = performance.now();
    next = 0;
    await Promise.all(Array.from({ length: IN_FLIGHT }, async () => {
      while (next++ < count) await crypto.subtle.digest("SHA-256", await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, plain));
    }));
    best.raw = Math.min(best.raw, performance.now() - start);
    start = performance.now();
    const { result } = sealInWorker({ policy, bidder: "91130205MA0ABCDE1X", announce: {}, files: [file], selfCheck: false, store });
    const done = await result;
    best.seal = Math.min(best.seal, performance.now() - start);
    await discard(done.name);
  }
  return { seal: megabytes / best.seal * 1000, sha: megabytes / best.sha * 1000, raw: megabytes / best.raw * 1000 };
};
