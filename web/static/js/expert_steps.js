// A member's later steps: sign the list once every proof is there, reveal the kept sheet, sign the report one has read.
import { keyAct } from "./expert_key.js";
import { offerSheet, sheetOf } from "./expert_vault.js";
import { fetchJson, say, serverSeconds } from "./officer_parts.js";
import { packageTrust } from "./enrolled_keys.js";
import { rememberTrust } from "./officer_package.js";
import { b64u, unb64u } from "./sb/bytes.js";
import { parseCanonical } from "./sb/canonical.js";
import { checkDocument, documentHash } from "./sb/documents.js";
import { scoreCommit } from "./sb/draws.js";
import { addSignature, readEnvelope, signEnvelope, verifyAny } from "./sb/dsse.js";
import { verifyEntry } from "./sb/entries.js";
import { need } from "./sb/errors.js";
import { verifyTickProof } from "./sb/ticks.js";
import { formatTime } from "./sb/times.js";

// The keys this browser has known since it first met this platform; another one stops everything.
function knownTrust(told, list) {
  const known = rememberTrust(told, serverSeconds());
  if (known.state === "other") need(false, "CONTEXT_MISMATCH", say("trust_other"));
  if (known.state === "new") list.open(say("trust_new")); else list.ok(say("trust_same", known.since));
  return packageTrust(told);
}

keyAct("sign-list", async ({ ring, list, data }) => {
  need(data.listing, "CONTEXT_MISMATCH", say("none"));
  const trust = await knownTrust(data.trust, list);
  const alone = { ...data.listing, signatures: data.listing.signatures.slice(0, 1) };
  const { value: listing } = await verifyAny(alone, "commit-list", trust.platformKey);
  checkDocument("commit-list", listing);
  list.ok(say("list_signed"));
  const receipts = data.commit_receipts;
  need(receipts.length === data.members && listing.entries.length === data.members, "CONTEXT_MISMATCH", "not one commitment a member");
  let ours = 0;
  for (const receipt of receipts) {
    const { entry, c } = await verifyEntry(receipt.entry, trust.platformKey);
    const proof = await verifyTickProof(c, receipt.proof, trust);
    need(entry.event === "sheet-commit" && listing.entries.includes(b64u(c)), "CONTEXT_MISMATCH", "a commitment that is not listed");
    need(b64u(proof.checkpoint.root) === listing.root, "CONTEXT_MISMATCH", "a commitment that is not under the root of the list");
    if (entry.statement === data.commit?.statement) ours += 1;
  }
  list.ok(say("list_proofs", receipts.length));
  need(ours === 1, "CONTEXT_MISMATCH", "your own commitment is not in the list");
  list.ok(say("list_ours"));
  return addSignature(data.listing, "commit-list", ring.sign);
});

keyAct("reveal", async ({ ring, box, list, data }) => {
  const file = box.querySelector("[data-sheetfile]");
  const found = await sheetOf(ring, data, file.files[0]);
  if (found.wrong) {
    list.bad(say(found.wrong));
    box.querySelector("[data-sheetfield]").hidden = false;
    box.querySelector("[data-sheetlost]").open = true;
    file.focus();
    return null;
  }
  const { sheet, salt } = found;
  list.ok(say("sheet_found"));
  const value = parseCanonical(readEnvelope(sheet, "sheet").payload);
  need(b64u(await scoreCommit(unb64u(salt, 32), value)) === data.commit?.commit, "CONTEXT_MISMATCH", "another sheet than the committed one");
  list.ok(say("sheet_same"));
  return { fields: { sheet, salt } };
});

keyAct("sign-report", async ({ ring, box, list, data }) => {
  need(data.report, "CONTEXT_MISMATCH", say("none"));
  const answer = await fetch(box.dataset.extra, { cache: "no-store" });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  need(answer.ok && (await documentHash(bytes)) === data.report.hash, "CONTEXT_MISMATCH", "the report has another digest");
  list.ok(say("report_bytes"));
  const dissent = document.querySelector("[data-dissent]").value.trim();
  if (dissent) list.ok(say("dissent"));
  return signEnvelope("report-signature", { ...data.report.document, at: formatTime(serverSeconds()), dissent }, [ring.sign]);
});

// The sheet kept in this browser may be saved as a file once more, as long as it is not revealed.
const again = document.querySelector("[data-sheet-again]");
if (again) {
  fetchJson(again.dataset.sheetAgain).then((data) => {
    const link = again.querySelector("a");
    again.hidden = !offerSheet(data, link);
    document.querySelector("[data-sheet-missing]").hidden = !again.hidden;
  });
}
// The choice of a file is shown from the start where this browser keeps no sheet.
const reveal = document.querySelector('[data-keywork="reveal"]');
if (reveal) {
  fetchJson(reveal.dataset.from).then((data) => {
    const kept = offerSheet(data);
    reveal.querySelector("[data-sheetfield]").hidden = kept;
    reveal.querySelector("[data-sheetkept]").hidden = !kept;
  });
}
