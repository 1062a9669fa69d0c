// The tenderee's part of a draw: bytes made here, kept encrypted under a key only its key file yields, revealed when the list is signed.
import { packageTrust } from "./enrolled_keys.js";
import { drawNotice } from "./officer_package.js";
import { keywork, say, serverSeconds } from "./officer_parts.js";
import { b64u, concat, unb64u, utf8 } from "./sb/bytes.js";
import { canonical } from "./sb/canonical.js";
import { checkDocument, documentHash, signDocument } from "./sb/documents.js";
import { makeCommit } from "./sb/draws.js";
import { addSignature, readEnvelope, verifyAny } from "./sb/dsse.js";
import { verifyEntry } from "./sb/entries.js";
import { need } from "./sb/errors.js";
import { H, random } from "./sb/hashes.js";
import { derivedKey, holdSecret } from "./sb/held.js";
import { contextOf } from "./sb/policy.js";
import { verifyTickProof } from "./sb/ticks.js";
import { formatTime } from "./sb/times.js";

const PARTY = "tenderee";
const PLEN = 65_536;
const subtle = globalThis.crypto.subtle;
const placeOf = (draw) => `bidhall-draw:${draw}`;

// The bytes are kept under a key derived from the tenderee's own signing secret: the file is worth nothing without the key file.
async function vault(ring, draw) {
  const { secret, pub, keep } = ring.keys.ed25519;
  return derivedKey(keep ?? (await holdSecret(secret, pub)).keep, await H("draw-keep", utf8(draw)), "draw-keep");
}

async function keep(ring, draw, r, statement) {
  const iv = random(12);
  const ct = new Uint8Array(await subtle.encrypt({ name: "AES-GCM", iv, additionalData: utf8(draw) }, await vault(ring, draw), r));
  const text = JSON.stringify({ type: "bidhall-draw-bytes", v: 1, draw, box: b64u(concat(iv, ct)), statement });
  localStorage.setItem(placeOf(draw), text);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = `draw-${draw.replace(/[^A-Za-z0-9-]/g, "-")}.json`;
  link.click();
}

async function fetchBytes(ring, draw, box) {
  const file = box.querySelector("[data-drawfile]")?.files[0];
  const text = file ? await file.text() : localStorage.getItem(placeOf(draw));
  if (!text) {
    askForFile(box);
    need(false, "UNAVAILABLE", say("bytes_missing"));
  }
  const kept = JSON.parse(text);
  need(kept.type === "bidhall-draw-bytes" && kept.draw === draw, "CONTEXT_MISMATCH", say("bytes_missing"));
  const bytes = unb64u(kept.box);
  const params = { name: "AES-GCM", iv: bytes.slice(0, 12), additionalData: utf8(draw) };
  const r = new Uint8Array(await subtle.decrypt(params, await vault(ring, draw), bytes.slice(12)));
  return { r, statement: kept.statement };
}

function askForFile(box) {
  if (box.querySelector("[data-drawfile]")) return;
  const field = document.createElement("div");
  field.className = "field";
  const label = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "file", className: "input", id: "draw-file", accept: ".json,application/json" });
  input.dataset.drawfile = "yes";
  label.htmlFor = input.id;
  label.textContent = say("bytes_file");
  field.append(label, input);
  box.querySelector("[data-passphrase]").closest(".field").after(field);
}

// Officers' enrolments are not in the kit: their keys stand in the policy the tenderee's own side has signed and the log holds.
async function noticeOf(kit, list) {
  const trust = await packageTrust(kit.trust);
  const policy = await policyOf(kit, trust);
  const notice = await drawNotice(kit, policy, trust);
  list.ok(say("draw_ok"));
  return { trust, policy, notice };
}

async function policyOf(kit, trust) {
  const envelope = kit.policies.at(-1);
  const { payload, peek } = readEnvelope(envelope, "policy");
  const receipt = kit.policy_receipts.at(-1);
  const { entry, c } = await verifyEntry(receipt.entry, trust.platformKey);
  need(entry.event === "policy" && entry.statement === (await documentHash(payload)), "CONTEXT_MISMATCH", "an entry of another policy");
  await verifyTickProof(c, receipt.proof, trust);
  return checkDocument("policy", peek());
}

async function madeFrom(r, kit, policy) {
  const ctx = await contextOf(policy, { bidder: PARTY, plen: PLEN });
  return makeCommit({ draw: kit.draw, party: PARTY, r, ctx });
}

keywork("commit", PARTY, async ({ ring, list, data: kit }) => {
  const { policy } = await noticeOf(kit, list);
  const r = random(32);
  const { commit, header, headerHash } = await madeFrom(r, kit, policy);
  const value = { v: 1, at: formatTime(serverSeconds()), commit: b64u(commit), draw: kit.draw, header_hash: b64u(headerHash), party: PARTY };
  await keep(ring, kit.draw, r, await documentHash(canonical(value)));
  list.ok(say("bytes_kept"));
  return { fields: { commit: await signDocument("draw-commit", value, ring.keys.ed25519), header: b64u(header) } };
});

keywork("sign-list", PARTY, async ({ ring, box, list, data: kit }) => {
  const { trust } = await noticeOf(kit, list);
  const { statement } = await fetchBytes(ring, kit.draw, box);
  list.ok(say("bytes_found"));
  const { value: listing } = await verifyAny(kit.listing, "commit-list", trust.platformKey);
  checkDocument("commit-list", listing);
  const receipts = kit.commits_at_root;
  need(listing.of === kit.draw && listing.entries.length === receipts.length, "CONTEXT_MISMATCH", "a list of another draw");
  let ours = 0, last = 0;
  for (const receipt of receipts) {
    const { entry, c } = await verifyEntry(receipt.entry, trust.platformKey);
    const proof = await verifyTickProof(c, receipt.proof, trust);
    need(entry.event === "draw-commit" && listing.entries.includes(b64u(c)), "CONTEXT_MISMATCH", "a commitment that is not listed");
    need(b64u(proof.checkpoint.root) === listing.root, "CONTEXT_MISMATCH", "a commitment that is not under the root of the list");
    last = Math.max(last, proof.leaf.tick);
    need(proof.checkpoint.size > last, "CONTEXT_MISMATCH", "a root before the last commitment");
    if (entry.statement === statement) ours += 1;
  }
  list.ok(say("commit_proofs", receipts.length));
  need(ours === 1, "CONTEXT_MISMATCH", "our own commitment is not in the list");
  list.ok(say("commit_ours"));
  return addSignature(kit.listing, "commit-list", ring.keys.ed25519);
});

keywork("reveal", PARTY, async ({ ring, box, list, data: kit }) => {
  await noticeOf(kit, list);
  const { r } = await fetchBytes(ring, kit.draw, box);
  list.ok(say("bytes_found"));
  return signDocument("draw-reveal", { v: 1, at: formatTime(serverSeconds()), draw: kit.draw, party: PARTY, r: b64u(r) }, ring.keys.ed25519);
});

