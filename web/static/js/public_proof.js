// The public entries of a lot, verified in the browser: signature of the platform, path in the tick, tick in the log, signed head.
import { trustOf } from "./public_trust.js";
import { verifyReceipt } from "./sb/receipts.js";

for (const box of document.querySelectorAll("[data-proof]")) {
  const button = box.querySelector("[data-verify]");
  if (!button || !box.querySelector("[data-entry]")) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    const trust = await trustOf(box.dataset.proof);
    for (const line of box.querySelectorAll("[data-entry]")) await one(line, trust, button.dataset);
    button.disabled = false;
  });
}

async function one(line, trust, words) {
  let state = "bad";
  let why = "";
  try {
    const answer = await fetch(`/log/entries/${line.dataset.entry}.json`, { headers: { Accept: "application/json" } });
    const result = await verifyReceipt(await answer.json(), trust);
    state = result.state === "in_log" ? "ok" : "open";
  } catch (fault) {
    why = ` ${fault.code ?? fault.message}`;
  }
  line.className = state;
  line.querySelector("[data-verdict]").textContent = `— ${words[state]}${why}`;
}
