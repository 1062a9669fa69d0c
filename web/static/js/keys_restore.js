// Back from paper: the text of a recovery sheet gives the key file again, and the passphrase shows that it opens. Nothing is sent.
import { offer } from "./keys_ring.js";
import { restoreRing } from "./keys_recovery.js";
import { b64u } from "./sb/bytes.js";
import { openKeyring, readKeyring } from "./sb/keyfile.js";

const form = document.getElementById("restore");
const held = JSON.parse(form.dataset.held);
const words = JSON.parse(form.dataset.words);
const at = (id) => document.getElementById(id);
const say = (text) => { at("r-say").textContent = text; };

function told(fault) {
  if (fault.code === "SHARE_OPEN") return words.wrong;
  if (fault.facts?.lines?.length) return words.lines.replace("{0}", fault.facts.lines.join(", "));
  return /whole/.test(fault.why ?? "") ? words.short : words.not_sheet;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  at("r-download").hidden = true;
  at("r-go").disabled = true;
  try {
    const bytes = await restoreRing(at("r-text").value);
    const { party, role } = readKeyring(bytes);
    if (party !== held.party || role !== held.role) { say(words.other.replace("{0}", `${role} ${party}`)); return; }
    say(words.checking);
    const ring = await openKeyring(bytes, at("r-pass").value);
    offer(at("r-download"), `bidhall-${role}-${ring.keys.ed25519.kid}.json`, bytes);
    say(held.current && !held.current.ended && held.current.sign_pk === b64u(ring.keys.ed25519.pub) ? words.stands : words.former);
  } catch (fault) {
    say(told(fault));
  } finally {
    at("r-go").disabled = false;
  }
});
