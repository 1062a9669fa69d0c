// Steps 4 and 5: one short request, repeated until an answer comes; then the receipt, which the page proves before it says "submitted".
import { unb64u } from "./sb/bytes.js";
import { hashOf, makeSubmission } from "./sb/documents.js";
import { readEnvelope } from "./sb/dsse.js";
import { numberOf, verifyReceipt } from "./sb/receipts.js";
import { TOOL } from "./sb/sealed_bid.js";
import { seconds } from "./sb/times.js";
import { hourOf, momentOf, serverNow } from "./clock.js";
import { drawLines, follow, trustOf } from "./bidder_receipt.js";
import { dropKept, keep } from "./bidder_kept.js";
import { draftDone, openKey } from "./bidder_choose.js";
import { at, english, fill, groups, held, say, state, step, words } from "./bidder_page.js";
import { marksOf, post } from "./keys_ring.js";

// It was received, and another act of the bidder's came after it: sending it again never makes it count.
const SUPERSEDED = ["bid.replaced_since", "bid.withdrawn_since"];

/** The bytes are there: only now can "Submit" be pressed. */
export function readyToSubmit() {
  step(3);
  state.busy = false;
  at("submit-go").disabled = !at("submit-form") || at("submit-why").dataset.no === "yes";
}

/** The submission signed once: a lost answer is asked for again with these very bytes, and the same receipt comes back. */
export async function signedSubmission() {
  if (state.envelope) return state.envelope;
  const { record } = state;
  if (record.submission) return (state.envelope = record.submission);
  state.ring ??= await openKey();
  const sealed = { ctx: record.ctx, headerHash: unb64u(record.header_hash, 32), sealedRoot: unb64u(record.sealed_root, 32), sealedSize: record.sealed_size };
  const made = await makeSubmission({ sealed, replaces: held.replaces, sealedAt: record.at, tool: TOOL, key: state.ring.keys.ed25519 });
  record.submission = made.envelope;
  keep(record);
  return (state.envelope = made.envelope);
}

async function postUntilAnswered(fields) {
  const marks = marksOf(at("submit-form"));
  for (let turn = 0; ; turn++) {
    try {
      return await post(`/bidder/lots/${held.ref}/acts/submit`, fields, marks);
    } catch (fault) {
      if (fault.status && fault.status < 500) throw fault;
      if (turn === 1) document.dispatchEvent(new CustomEvent("bid:no-answer")); // bidder_drop.js offers the digest drop
      if (turn === 4) throw Object.assign(new Error(words.no_line), { words: words.no_line });
      say(words.again);
      await new Promise((resolve) => setTimeout(resolve, 1000 * 2 ** turn));
    }
  }
}

at("submit-form")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  at("submit-go").disabled = true;
  state.busy = true;
  say(words.submitting);
  try {
    const envelope = await signedSubmission();
    const answer = await postUntilAnswered({ upload: state.token, submission: JSON.stringify(envelope) });
    state.busy = false;
    if (answer.accepted) await showReceipt(answer, envelope);
    else showRefused(answer);
  } catch (fault) {
    state.busy = false;
    at("submit-go").disabled = SUPERSEDED.includes(fault.code);
    if (SUPERSEDED.includes(fault.code)) await dropKept();
    say(fault.told ?? fault.words ?? fill(words.failed, fault.message ?? String(fault)));
  }
});

async function verifyFresh(receipt, statement) {
  const rehearsal = document.querySelector("[data-clock]")?.dataset.rehearsal;
  const now = (rehearsal ? serverNow() : Date.now()) / 1000;
  const trust = await trustOf(held.trust);
  try {
    return [await verifyReceipt(receipt, trust, { statement, now }), true];
  } catch (fault) {
    if (fault.code !== "CONTEXT_MISMATCH" || !fault.facts?.at) throw fault;
    return [await verifyReceipt(receipt, trust, { statement }), false];
  }
}

async function showReceipt(answer, envelope) {
  const value = readEnvelope(envelope, "submission").peek();
  const statement = await hashOf(value);
  const place = at("verified-here");
  at("receipt-place").hidden = false;
  try {
    const [found, inTime] = await verifyFresh(answer.receipt, statement);
    at("r-no").textContent = numberOf(found.c, found.entry.event);
    at("r-c").textContent = groups(answer.c);
    at("r-at").textContent = momentOf(seconds(found.entry.at) * 1000);
    at("r-by").textContent = momentOf(seconds(found.entry.tick_by) * 1000);
    at("r-root").textContent = groups(value.sealed_root);
    at("r-words").textContent = (english ? found.words.en : found.words.zh).join(" · ");
    at("r-lead").textContent = words.lead;
    at("r-file").href = `/bidder/receipts/${answer.c}/file`;
    at("r-page").href = answer.location;
    step(4);
    say(fill(words.submitted, hourOf(seconds(found.entry.at) * 1000)));
    await dropKept();
    await draftDone();
    for (const id of ["take", "bid-form", "draft", "offline"]) at(id).hidden = true;
    at("bid-fields").disabled = true;
    place.dataset.clock = inTime ? "" : words.clock;
    follow(place, `/bidder/receipts/${answer.c}.json`, held.trust, statement, { ...words, key: words.platform_no, late: words.late_log });
    if (!inTime) say(`${fill(words.submitted, hourOf(seconds(found.entry.at) * 1000))} · ${words.clock}`);
  } catch (fault) {
    drawLines(place, [["bad", fill(words.bad, fault.code ?? String(fault))]]);
  }
  at("receipt-place").focus({ preventScroll: true });
  at("receipt-place").scrollIntoView({ block: "center" });
}

function showRefused(answer) {
  at("refused").hidden = false;
  at("refused-why").textContent = answer.reason;
  const link = at("refused-proof");
  link.href = answer.location;
  link.hidden = false;
  say("");
}
