// A key holder takes the key of one opening out of its root, wrapped under a passphrase of its own, for the arbiter (the protocol §5.2).
import { checklist, faultWords, fetchJson, say } from "./officer_parts.js";
import { offer, openRing } from "./keys_ring.js";
import { b64u } from "./sb/bytes.js";
import { need } from "./sb/errors.js";
import { wrapKey } from "./sb/keyfile.js";
import { officerTenderKey } from "./sb/keys.js";

const form = document.getElementById("scope-form");
const at = (id) => document.getElementById(id);

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const list = checklist(form.querySelector("[data-checks]"));
  const file = at("s-file").files[0];
  list.clear();
  if (!file || !at("s-pass").value) { list.bad(say("choose")); return; }
  if (at("s-new").value.length < 10) { list.bad(say("scope_pass")); return; }
  try {
    list.going(say("opening"));
    const ring = await openRing(file, at("s-pass").value, { role: "officer" });
    list.ok(say("opened", ring.party));
    need(ring.keys.root, "FORMAT", say("no_root"));
    const data = await fetchJson(form.dataset.from);
    const { sk, pk } = await officerTenderKey(ring.keys.root.secret, data.scope);
    need(b64u(pk) === data.pk, "CONTEXT_MISMATCH", say("not_own_key", data.scope.envelope));
    offer(at("s-download"), form.dataset.name, await wrapKey({ alg: "x25519", secret: sk }, at("s-new").value));
    list.ok(say("scope_made", form.dataset.name));
    at("s-pass").value = "";
    at("s-new").value = "";
  } catch (fault) {
    list.bad(faultWords(fault));
  }
});
