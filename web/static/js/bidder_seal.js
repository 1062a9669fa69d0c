// The page of sealing (desks §9.1): check → choose → seal and upload → submit → receipt. The receipt counts, nothing before it.
import { unb64u } from "./sb/bytes.js";
import { verifyPolicy } from "./sb/policy.js";
import { beginChoosing, openKey, selfCheck } from "./bidder_choose.js";
import { offerKept } from "./bidder_kept.js";
import { at, fill, groups, held, state, step, words } from "./bidder_page.js";
import { drawLines, sameKeyAsBefore } from "./bidder_receipt.js";
import { goOn, sealAndUpload, stopped, takeAlong } from "./bidder_run.js";

// Step 1: the keys against the notice, before the first byte.
async function checkKeys() {
  const lines = [];
  const bad = (text) => lines.push(["bad", text]);
  if (!globalThis.isSecureContext) bad(words.insecure);
  else {
    try {
      const keys = { platformKey: unb64u(held.trust.platform_keys[0], 32), officerKeys: held.officer_keys.map((key) => unb64u(key, 32)) };
      const { policy, id } = await verifyPolicy(held.policy, keys);
      at("policy-mine").textContent = groups(id);
      lines.push(["ok", words.policy_ok]);
      const ours = ["platform", "tender", "lot", "envelope"].every((name) => policy[name] === held[name]);
      if (id === held.published_policy_id && id === held.policy_id && ours) {
        lines.push(["ok", words.notice_ok]);
        state.policy = policy;
      } else bad(fill(words.stop, "CONTEXT_MISMATCH"));
    } catch (fault) {
      bad(fill(words.stop, fault.code ?? String(fault)));
    }
    if (sameKeyAsBefore(held.trust)) lines.push(["ok", words.platform_ok]);
    else { bad(words.platform_no); state.policy = null; }
  }
  lines.push(held.key ? ["ok", words.key_ok] : ["bad", words.key_no]);
  drawLines(at("checks"), lines);
  if (state.policy) step(1);
  else at("bid-fields").disabled = true;
}

at("bid-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (state.busy || !state.policy) return;
  const { announce, stops } = await selfCheck(true);
  if (stops) return;
  state.busy = true;
  state.envelope = null;
  at("bid-fields").disabled = true;
  at("seal-why").textContent = words.opening_key;
  try {
    state.ring = await openKey();
    at("seal-why").textContent = "";
    await sealAndUpload(announce);
  } catch (fault) {
    stopped(fault);
  }
});

await checkKeys();
await beginChoosing();
await offerKept({ goOn, takeAlong });
