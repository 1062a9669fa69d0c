/** `node tests/js/run.mjs [group]`: the vectors in node. Exit code 1 on any failure. */
import { readFile } from "node:fs/promises";
import { runAll } from "./suite.mjs";

const read = async (name) => JSON.parse(await readFile(new URL(`../vectors/${name}.json`, import.meta.url), "utf8"));
const { copied_boxes } = await read("copied_boxes");
const vectors = { ...(await read("sealed_bid_vectors")), copied_boxes };
const { results, untouched, stray, providers } = await runAll(vectors, {
  only: process.argv[2],
  onResult: ({ name, ok, why, ms }) => console.log(`${ok ? "ok  " : "FAIL"} ${name} (${ms} ms)${ok ? "" : `\n     ${why}`}`),
});
const failed = results.filter((r) => !r.ok).length;
console.log(`${results.length - failed} of ${results.length} groups; curves by ${providers.ed25519}/${providers.x25519}`);
if (untouched.length) console.log(`vectors without a check: ${untouched.join(", ")}`);
if (stray.length) console.log(`checks without vectors: ${stray.join(", ")}`);
process.exit(failed || untouched.length || stray.length || !results.length ? 1 : 0);
