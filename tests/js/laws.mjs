/** node tests/js/laws.mjs < job.json > answer.json: what this side says of changed files, and of shares in any number and order. */
import { readFile } from "node:fs/promises";
import { b64u, concat, unb64u } from "../../web/static/js/sb/bytes.js";
import { CHUNK, TAG } from "../../web/static/js/sb/content.js";
import { joinSeed, parseHeader } from "../../web/static/js/sb/header.js";
import { inspect, open, openWithSeed } from "../../web/static/js/sb/sealed_bid.js";
import { join, shareAt } from "../../web/static/js/sb/shamir.js";

async function told(work) {
  try {
    return await work();
  } catch (fault) {
    if (!fault.code) throw fault;
    return { code: fault.code, j: fault.facts?.j ?? null };
  }
}

// The same four ways of changing a file as in test_laws_js.py.
function changed(data, first, { how, at, by, order, more }) {
  const out = data.slice();
  switch (how) {
    case "flip": out[at] ^= by; return out;
    case "cut": return data.slice(0, at);
    case "append": return concat(data, unb64u(more));
    case "order": {
      const piece = CHUNK + TAG;
      return concat(data.slice(0, first), ...order.map((i) => data.slice(first + i * piece, first + (i + 1) * piece)));
    }
    default: return data;
  }
}

async function file({ path, seed, root, first, changes }) {
  const data = new Uint8Array(await readFile(path));
  const answer = [];
  for (const change of changes) {
    const blob = new Blob([changed(data, first, change)]);
    answer.push({
      unsigned: await told(async () => {
        const info = await inspect(blob);
        await openWithSeed({ blob, info, seed: unb64u(seed, 32) });
        return { code: "opened" };
      }),
      signed: await told(async () => {
        await open({ blob, signedRoot: unb64u(root, 32), parts: new Map() });
        return { code: "opened" };
      }),
    });
  }
  return answer;
}

async function shares(cases) {
  const answer = [];
  for (const { header, parts } of cases) {
    const parsed = await parseHeader(unb64u(header));
    answer.push(await told(async () => ({ seed: b64u(await joinSeed(parsed, new Map(parts.map(([j, part]) => [j, unb64u(part, 32)])))) })));
  }
  return answer;
}

// One share too few fits every secret: for each secret byte there is just one last share that gives it.
function fitting({ t, secret, coefficients, few, last }) {
  const terms = coefficients.map((a) => unb64u(a, 1));
  const held = new Map(few.map((j) => [j, shareAt(unb64u(secret, 1), terms, j)]));
  if (held.size !== t - 1) throw new Error("one too few");
  const given = new Set();
  for (let byte = 0; byte < 256; byte++) given.add(join(new Map([...held, [last, Uint8Array.of(byte)]]))[0]);
  return { secrets: given.size, whole: join(new Map([...held, [last, shareAt(unb64u(secret, 1), terms, last)]]))[0] };
}

let text = "";
for await (const part of process.stdin.setEncoding("utf8")) text += part;
const job = JSON.parse(text);
const files = [];
for (const one of job.files) files.push(await file(one));
process.stdout.write(JSON.stringify({ files, shares: await shares(job.shares), fitting: job.fitting.map(fitting) }));
