// The head of the log, verified here: its signature, and that it continues the head this computer kept on its last visit.
import { trustOf } from "./public_trust.js";
import { b64u, unb64u } from "./sb/bytes.js";
import { hashOf } from "./sb/documents.js";
import { verifyCheckpoint } from "./sb/notes.js";
import { verifyExtends, verifyReceipt } from "./sb/receipts.js";

const KEY = "bidhall-log-head";
const box = document.querySelector("[data-audit]");

if (box) {
  const button = box.querySelector("[data-audit-go]");
  button.hidden = false;
  button.addEventListener("click", () => check().catch((fault) => say([["bad", `${box.dataset.bad} (${fault.code ?? fault.message})`]])));
}

async function check() {
  const trust = await trustOf(box.dataset.audit);
  const answer = await fetch("/log/checkpoint");
  const head = await verifyCheckpoint(await answer.text(), trust);
  const lines = [["ok", box.dataset.ok]];
  if (!trust.quorum) lines.push(["open", box.dataset.unwitnessed]);
  const kept = JSON.parse(localStorage.getItem(KEY) ?? "null");
  if (kept && kept.origin === head.origin) {
    const older = { size: kept.size, root: unb64u(kept.root, 32) };
    const [low, high] = older.size <= head.size ? [older.size, head.size] : [head.size, older.size];
    const told = await (await fetch(`/log/consistency?from=${low}&to=${high}`, { headers: { Accept: "application/json" } })).json();
    try {
      await verifyExtends(older, head, told.proof.map((node) => unb64u(node, 32)));
      lines.push(["ok", `${box.dataset.grew} ${kept.at}`]);
    } catch (fault) {
      if (await isDeclaredLost(kept, trust)) lines.push(["bad", `${box.dataset.lost} ${kept.at}`]);
      else lines.push(["bad", `${box.dataset.bad} (${fault.code ?? fault.message})`]);
      say(lines);
      return; // the older head stays: it is the evidence
    }
  } else {
    lines.push(["ok", box.dataset.first]);
  }
  if (!kept || kept.size <= head.size) {
    localStorage.setItem(KEY, JSON.stringify({ origin: head.origin, size: head.size, root: b64u(head.root), at: new Date().toISOString().slice(0, 16) }));
  }
  say(lines);
}

// Whether the log declares the ticks of a kept head lost, in the first tick after the copy that took their place.
async function isDeclaredLost(kept, trust) {
  const { gaps } = await (await fetch("/log/declared", { headers: { Accept: "application/json" } })).json();
  for (const { record, entry, proof } of gaps) {
    if (!proof) continue;
    try {
      const told = await verifyReceipt({ entry, proof }, trust, { statement: await hashOf(record) });
      const { ticks, remembered, remembered_root: root } = record.facts;
      const covers = ticks < kept.size && kept.size <= remembered && (kept.size < remembered || kept.root === root);
      if (told.entry.event === "act" && record.act === "platform.restored" && told.proof.leaf.tick === ticks && covers) return true;
    } catch {
      continue; // a declaration that does not hold excuses nothing
    }
  }
  return false;
}

function say(lines) {
  const list = box.querySelector("[data-audit-lines]");
  list.replaceChildren(...lines.map(([state, text]) => {
    const item = document.createElement("li");
    const inner = document.createElement("span");
    item.className = state;
    inner.textContent = text;
    item.append(inner);
    return item;
  }));
  box.className = lines.some(([s]) => s === "bad") ? "proofbox proofbox--bad" : "proofbox";
}
