// The page of sealing (desks §9.1): check → choose → seal and upload → submit → receipt. The receipt counts, nothing before it.
import { beginChoosing, openKey, selfCheck } from "./bidder_choose.js";
import { offerKept } from "./bidder_kept.js";
import { at, element, english, fill, groups, held, state, step, words } from "./bidder_page.js";
import { drawLines, sameKeyAsBefore } from "./bidder_receipt.js";
import { goOn, sealAndUpload, stopped, takeAlong } from "./bidder_run.js";
import { checkSealingKeys, keepKnown, readKnown, wordsOf } from "./known_keys.js";

const nameOf = (who) => words[`who_${who}`] ?? who;

// Keys that nothing older speaks for: their twelve words, to be compared before sealing; remembered once something is sealed under them.
async function showFresh(fresh) {
  const rows = await Promise.all(fresh.map(async ({ who, key }) => [element("dt", { text: nameOf(who) }), element("dd", { kind: "words", text: await wordsOf(key, english) })]));
  at("fresh-keys").replaceChildren(...rows.flat());
  at("fresh").hidden = fresh.length === 0;
}

async function whyStopped(fault) {
  if (!fault.changed) return fill(words.stop, fault.code ?? String(fault));
  const { who, before, now } = fault.changed;
  return fill(words.known_changed, nameOf(who), await wordsOf(before, english), await wordsOf(now, english));
}

// Step 1: the keys against the log, this browser's memory and the notice, before the first byte.
async function checkKeys() {
  const lines = [];
  const bad = (text) => lines.push(["bad", text]);
  if (!globalThis.isSecureContext) bad(words.insecure);
  else {
    try {
      const { policy, id, fresh, known } = await checkSealingKeys(held, readKnown(held.platform));
      at("policy-mine").textContent = groups(id);
      lines.push(["ok", words.policy_ok], ["ok", words.proved_ok]);
      if (fresh.length === 0) lines.push(["ok", words.known_ok]);
      await showFresh(fresh);
      const ours = ["platform", "tender", "lot", "envelope"].every((name) => policy[name] === held[name]);
      if (id === held.published_policy_id && id === held.policy_id && ours) {
        lines.push(["ok", words.notice_ok]);
        state.policy = policy;
        state.known = known;
      } else bad(fill(words.stop, "CONTEXT_MISMATCH"));
    } catch (fault) {
      bad(await whyStopped(fault));
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
    keepKnown(held.platform, state.known);
    await sealAndUpload(announce);
  } catch (fault) {
    stopped(fault);
  }
});

await checkKeys();
await beginChoosing();
await offerKept({ goOn, takeAlong });
