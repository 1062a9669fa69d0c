// A supervisor signs an application for a lost key, in the page, with the key file of their own.
import { openRing } from "./keys_ring.js";
import { addSignature } from "./sb/dsse.js";

const words = JSON.parse(document.getElementById("requests").dataset.words);

for (const form of document.querySelectorAll("[data-vouch]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const say = (text) => { form.querySelector("[data-say]").textContent = text; };
    const file = form.querySelector("[data-key]").files[0], passphrase = form.querySelector("[data-pass]").value;
    if (!file || !passphrase) { say(words.choose); return; }
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      say(words.opening);
      const mine = await openRing(file, passphrase, { role: "supervisor" });
      const target = document.getElementById(`vouch-${form.dataset.vouch}`);
      target.elements.enrolment.value = JSON.stringify(await addSignature(JSON.parse(form.dataset.document), "enrolment", mine.keys.ed25519));
      target.submit();
    } catch (fault) {
      const known = { SHARE_OPEN: words.wrong, FORMAT: words.ring, CONTEXT_MISMATCH: words.ring };
      say(known[fault.code] ?? words.failed.replace("{0}", fault.message));
      button.disabled = false;
    }
  });
}
