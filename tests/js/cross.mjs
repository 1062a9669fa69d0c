/** node tests/js/cross.mjs COMMAND < job.json > answer.json: this side of the trade with the Python sealer. Bytes as base64url. */
import { openAsBlob } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { b64u, unb64u, utf8 } from "../../web/static/js/sb/bytes.js";
import { canonical } from "../../web/static/js/sb/canonical.js";
import { qrModules } from "../../web/static/js/keys_qr.js";
import { checkSealingKeys } from "../../web/static/js/known_keys.js";
import { keyWords, restoreRing, sheetOf } from "../../web/static/js/keys_recovery.js";
import { makeSubmission } from "../../web/static/js/sb/documents.js";
import { openBox } from "../../web/static/js/sb/header.js";
import { makeKeyring, openKeyring } from "../../web/static/js/sb/keyfile.js";
import { keyOf } from "../../web/static/js/sb/keys.js";
import { boxOf, causeOfSides, generationsOf } from "../../web/static/js/sb/policy_line.js";
import { inspect, open, seal, sealedRoot } from "../../web/static/js/sb/sealed_bid.js";

const commands = {
  async seal({ policy, bidder, bidder_key: key, announce, files, out, sign }) {
    const sink = await openFile(out, "w");
    const blobs = await Promise.all(files.map(async (f) => ({ name: f.name, type: f.type, blob: await openAsBlob(f.path) })));
    const bidderKey = key ? unb64u(key, 32) : undefined;
    const sealed = await seal({ policy, bidder, bidderKey, announce, files: blobs, sink: (bytes) => sink.write(bytes) });
    await sink.close();
    const submission = await makeSubmission({
      sealed, sealedAt: "2026-03-01T00:30:00Z", tool: "t/1", key: await keyOf("ed25519", unb64u(sign, 32)),
    });
    return { seed: b64u(sealed.seed), root: b64u(sealed.sealedRoot), header_hash: b64u(sealed.headerHash), size: sealed.sealedSize, submission: submission.envelope };
  },
  async open({ path, secrets }) {
    const blob = await openAsBlob(path);
    const info = await inspect(blob);
    const parts = new Map();
    for (const [j, sk] of Object.entries(secrets)) parts.set(Number(j), await openBox(info, Number(j), unb64u(sk, 32)));
    const root = await sealedRoot(blob, info);
    const opened = await open({ blob, signedRoot: root, parts, hashFiles: true });
    return { seed: b64u(opened.seed), root: b64u(root), manifest: opened.manifest, sha256: opened.sha256.map(b64u), digests: opened.digests };
  },
  async lines({ lines }) {
    const answer = [];
    for (const { policies, times } of lines) {
      try {
        const found = await generationsOf(policies, times);
        answer.push({
          generations: found.map((g) => ({ ids: g.ids, missing: g.missing, alive: g.alive, cause: causeOfSides(g.sidesMissing) })),
          boxes: found.map((g) => found.at(-1).policy.officers.map((_, i) => boxOf(found, g.ids[0], i + 1))),
        });
      } catch (fault) {
        answer.push({ code: fault.code ?? String(fault) });
      }
    }
    return answer;
  },
  async sheet({ ring, text, qr, words }) {
    const told = (fault) => ({ code: fault.code, lines: fault.facts?.lines ?? [] });
    return {
      sheet: ring && await sheetOf(canonical(ring)),
      ring: text && await restoreRing(text).then((bytes) => JSON.parse(new TextDecoder().decode(bytes)), told),
      modules: (qr ?? []).map(([code, mask]) => qrModules(code, mask)),
      words: words && await keyWords("ed25519", unb64u(words, 32)),
    };
  },
  async sealing_keys({ tries }) {
    const answer = [];
    for (const { held, known } of tries) {
      try {
        const { id, fresh, known: next } = await checkSealingKeys(held, known);
        answer.push({ id, fresh, known: next });
      } catch (fault) {
        answer.push({ code: fault.code ?? String(fault), changed: fault.changed ?? null });
      }
    }
    return answer;
  },
  async ring({ ring, passphrase, party, role, secrets }) {
    const opened = await openKeyring(canonical(ring), passphrase);
    const keys = {};
    for (const [alg, secret] of Object.entries(secrets)) keys[alg] = await keyOf(alg, unb64u(secret, 32));
    const made = await makeKeyring({ party, role, keys, passphrase });
    const found = Object.fromEntries(Object.entries(opened.keys).map(([alg, k]) => [alg, b64u(k.secret)]));
    return { party: opened.party, role: opened.role, secrets: found, made: JSON.parse(new TextDecoder().decode(made.bytes)) };
  },
};

let text = "";
for await (const part of process.stdin.setEncoding("utf8")) text += part;
const answer = await commands[process.argv[2]](JSON.parse(text));
process.stdout.write(new TextDecoder().decode(utf8(JSON.stringify(answer))));
