// A receipt checked by the page itself: signature, statement, check words; then the proof of its tick, asked for until it comes.
import { unb64u } from "./sb/bytes.js";
import { parseVkey } from "./sb/notes.js";
import { verifyReceipt } from "./sb/receipts.js";
import { seconds } from "./sb/times.js";
import { momentOf, serverNow } from "./clock.js";

const POLL_MS = 5_000;

/** The trust of a ticket in the shape verifyReceipt wants. The first platform key is the one in force. */
export async function trustOf(trust) {
  const witnesses = await Promise.all(trust.witnesses.map(parseVkey));
  return { platformKey: unb64u(trust.platform_keys[0], 32), log: await parseVkey(trust.log_key), witnesses, quorum: trust.quorum };
}

/** The platform key this browser has seen first; false if the page now names another. */
export function sameKeyAsBefore(trust) {
  const kept = localStorage.getItem("bidhall-platform-key");
  if (!kept) localStorage.setItem("bidhall-platform-key", trust.platform_keys[0]);
  return !kept || trust.platform_keys.includes(kept);
}

const fill = (words, ...values) => values.reduce((text, value, i) => text.replace(`{${i}}`, value), words);

/** Lines of a proof box: `[[state, text]…]` with state ok, bad, open. */
export function drawLines(box, lines) {
  const list = box.querySelector("ul");
  list.replaceChildren(...lines.map(([state, text]) => {
    const item = document.createElement("li");
    item.className = state;
    const span = document.createElement("span");
    span.textContent = text;
    item.append(span);
    return item;
  }));
  box.classList.toggle("proofbox--bad", lines.some(([state]) => state === "bad"));
  box.classList.toggle("proofbox--open", !lines.some(([state]) => state === "bad") && lines.some(([state]) => state === "open"));
}

/** Check the receipt at an address once; gives what verifyReceipt gives, or null. Draws the lines. */
export async function checkOnce(box, address, trust, statement, words) {
  const answer = await fetch(address, { headers: { Accept: "application/json" }, cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  const receipt = await answer.json();
  const lines = [];
  let found = null;
  if (!sameKeyAsBefore(trust)) lines.push(["bad", words.key]);
  try {
    found = await verifyReceipt(receipt, await trustOf(trust), { statement });
    const told = document.documentElement.lang.startsWith("en") ? found.words.en : found.words.zh;
    lines.push(["ok", words.sig], ["ok", words.statement], ["ok", fill(words.words, told.join(" · "))]);
    if (found.state === "in_log") lines.push(["ok", fill(words.in_log, momentOf(seconds(found.proof.leaf.at) * 1000))]);
    else if (serverNow() / 1000 > seconds(found.entry.tick_by) + 60) lines.push(["bad", words.late]);
    else lines.push(["open", fill(words.waiting, momentOf(seconds(found.entry.tick_by) * 1000))]);
  } catch (fault) {
    lines.push(["bad", fill(words.bad, fault.code ?? String(fault))]);
  }
  drawLines(box, lines);
  return found;
}

/** Check now and until the proof is there. */
export async function follow(box, address, trust, statement, words) {
  let found = null;
  try {
    found = await checkOnce(box, address, trust, statement, words);
  } catch {
    /* the line is down: ask again */
  }
  box.dataset.state = found?.state ?? "unknown";
  if (found?.state !== "in_log") setTimeout(() => follow(box, address, trust, statement, words), POLL_MS);
  return found;
}

const box = document.getElementById("verified");
if (box?.dataset.receipt) {
  follow(box, box.dataset.receipt, JSON.parse(box.dataset.trust), box.dataset.statement || undefined, JSON.parse(box.dataset.words));
}
