// A public draw reckoned again in this browser, line by line: signatures and log, commitments before reveals, seed, positions, result.
import { trustOf } from "./public_trust.js";
import { checklist } from "./officer_parts.js";
import { b64u, equal, unb64u } from "./sb/bytes.js";
import { countReveal, checkDrawResult, checkEscrow, poolHash, recomputeDraw } from "./sb/draws.js";
import { verifyAny } from "./sb/dsse.js";
import { need } from "./sb/errors.js";
import { verifyReceipt } from "./sb/receipts.js";

async function run(box, button) {
  const words = new Map([...box.querySelectorAll("[data-key]")].map((line) => [line.dataset.key, line.textContent]));
  const say = (key, fact = "") => (words.get(key) ?? key).replace("{0}", fact);
  const list = checklist(box.querySelector("[data-checks]"));
  list.clear();
  button.disabled = true;
  try {
    const answer = await fetch(box.dataset.draw, { headers: { Accept: "application/json" } });
    await reckon(await answer.json(), list, say);
  } catch (fault) {
    list.bad(say("bad", fault.code ? `${fault.code} ${fault.why}` : fault.message));
  } finally {
    button.disabled = false;
  }
}

async function reckon(record, list, say) {
  const trust = await trustOf(JSON.stringify(record.trust));
  const proved = async (receipt) => {
    const found = await verifyReceipt(receipt, trust);
    need(found.state === "in_log", "TICK_PROOF", "not in the log yet");
    return found;
  };
  await proved(record.notice_receipt);
  const commits = [];
  for (const one of record.parties) commits.push(await proved(one.commit_receipt));
  const listing = await proved(record.listing_receipt);
  const reveals = [];
  for (const one of record.parties) if (one.reveal_receipt) reveals.push(await proved(one.reveal_receipt));
  await proved(record.result_receipt);
  list.ok(say("keys"));
  const lastCommit = Math.max(...commits.map((one) => one.proof.leaf.tick));
  need(reveals.every((one) => one.proof.leaf.tick > listing.proof.leaf.tick - 1 && one.proof.leaf.tick > lastCommit), "CONTEXT_MISMATCH",
    "a reveal before the last commitment");
  list.ok(say("order"));
  const root = unb64u(record.root, 32);
  const same = commits.every(({ proof: { checkpoint } }) => checkpoint.size === lastCommit + 1 && equal(checkpoint.root, root));
  need(same, "CONTEXT_MISMATCH", "another root than that after the last commitment");
  list.ok(say("root"));
  if (record.pool) {
    need(equal(await poolHash(unb64u(record.salt, 32), record.pool), unb64u(record.notice.pool, 32)), "CONTEXT_MISMATCH", "another pool");
    list.ok(say("pool"));
  } else {
    list.open(say("pool_hidden"));
  }
  const parties = record.parties.map((one) => ({
    party: one.party, commit: unb64u(one.commit, 32), header: unb64u(one.header), r: one.r ? unb64u(one.r, 32) : null,
  }));
  for (const one of parties) {
    const parsed = await checkEscrow(one.header, { draw: record.notice.draw, party: one.party, policy: record.notice.policy });
    const { fault } = await countReveal({ draw: record.notice.draw, party: one.party, commit: one.commit, parsed, r: one.r });
    if (fault) list.open(say("zeros", say(one.party)));
    else list.ok(say("commit", say(one.party)));
  }
  const drawn = await recomputeDraw({
    notice: record.notice, root, beacon: record.beacon, parties, pool: record.pool, salt: record.salt && unb64u(record.salt, 32),
  });
  list.ok(say("seed", b64u(drawn.seed)));
  list.ok(say("picks", drawn.picks.map((i) => i + 1).join(", ")));
  if (drawn.picked.length) list.ok(say("value", drawn.picked.join(", ")));
  const { value: result } = await verifyAny(record.result, "draw", trust.platformKey);
  checkDrawResult(result, record.notice, drawn, root);
  list.ok(say("result"));
}

for (const box of document.querySelectorAll("[data-draw]")) {
  const button = box.querySelector("[data-recompute]");
  button.hidden = false;
  button.addEventListener("click", () => run(box, button));
}
