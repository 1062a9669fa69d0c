// The log's entries about an opening, verified in this browser: the platform's signature, the path in the tick, the tick in the log.
import { trustOf } from "./public_trust.js";
import { verifyReceipt } from "./sb/receipts.js";

async function check(box, button) {
  button.disabled = true;
  const mark = (row, state, text) => {
    const cell = row.querySelector("[data-result]");
    const tag = document.createElement("span");
    tag.className = `tag tag--${state}`;
    tag.textContent = text;
    cell.replaceChildren(tag);
  };
  try {
    const answer = await fetch(box.dataset.hallProofs, { headers: { Accept: "application/json" } });
    const { trust: told, entries } = await answer.json();
    const trust = await trustOf(JSON.stringify(told));
    for (const row of box.querySelectorAll("[data-c]")) {
      const one = entries.find((entry) => entry.c === row.dataset.c);
      try {
        const { state } = await verifyReceipt(one.receipt, trust, { statement: one.statement });
        mark(row, state === "in_log" ? "ok" : "now", state === "in_log" ? box.dataset.ok : box.dataset.open);
      } catch (fault) {
        mark(row, "stop", `${box.dataset.bad} ${fault.code ?? fault.message}`);
      }
    }
  } finally {
    button.disabled = false;
  }
}

function begin() {
  for (const box of document.querySelectorAll("[data-hall-proofs]")) {
    const button = box.querySelector("[data-check]");
    if (!button || !button.hidden) continue;
    button.hidden = false;
    button.addEventListener("click", () => check(box, button));
  }
}

begin();
new MutationObserver(begin).observe(document.getElementById("main"), { childList: true, subtree: true }); // live updates bring a new table
