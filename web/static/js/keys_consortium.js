// A member signs the agreement of a consortium in the page, with the firm's key; the signed agreement is handed in like any other form.
import { openRing } from "./keys_ring.js";
import { signEnvelope } from "./sb/dsse.js";

const box = document.getElementById("signing");
const held = JSON.parse(box.dataset.held);
const words = JSON.parse(box.dataset.words);
const at = (id) => document.getElementById(id);

at("sign-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const say = (text) => { at("sign-say").textContent = text; };
  const file = at("key-file").files[0];
  if (!file || !at("key-pass").value) { say(words.choose); return; }
  at("sign-go").disabled = true;
  say(words.opening);
  try {
    const { keys } = await openRing(file, at("key-pass").value, { party: held.party, role: "bidder" });
    const target = at("sign-post");
    target.elements.agreement.value = JSON.stringify(await signEnvelope("consortium", held.document, [keys.ed25519]));
    target.submit();
  } catch (fault) {
    at("sign-go").disabled = false;
    const known = { SHARE_OPEN: words.wrong, FORMAT: words.ring, CONTEXT_MISMATCH: words.ring };
    say(known[fault.code] ?? words.failed.replace("{0}", fault.message ?? String(fault)));
  }
});
