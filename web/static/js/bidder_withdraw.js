// Withdrawing a bid: the withdrawal is signed in the page and handed in like any other form.
import { makeWithdrawal } from "./sb/documents.js";
import { formatTime } from "./sb/times.js";
import { serverNow } from "./clock.js";
import { openRing } from "./keys_ring.js";

const box = document.getElementById("withdrawing");
const held = JSON.parse(box.dataset.held);
const words = JSON.parse(box.dataset.words);
const at = (id) => document.getElementById(id);

at("withdraw-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const say = (text) => { at("withdraw-say").textContent = text; };
  const file = at("key-file").files[0];
  if (!file) { say(words.no_key_file); return; }
  at("withdraw-go").disabled = true;
  say(words.going);
  try {
    const { keys } = await openRing(file, at("key-pass").value, { party: held.bidder, role: "bidder" });
    const { envelope } = await makeWithdrawal({ submission: held.submission, at: formatTime(serverNow() / 1000), key: keys.ed25519 });
    const target = at("withdraw-post");
    target.elements.withdrawal.value = JSON.stringify(envelope);
    target.submit();
  } catch (fault) {
    at("withdraw-go").disabled = false;
    if (fault.code === "SHARE_OPEN") say(words.wrong_pass);
    else if (fault.code === "FORMAT" || fault.code === "CONTEXT_MISMATCH") say(words.wrong_ring);
    else say(words.failed.replace("{0}", fault.message ?? String(fault)));
  }
});
