// A member's key file, opened once per sign-in: afterwards this browser holds a signing key and a key for what is kept here, neither of
// which any script can read out, under the mark of the sign-in. Another sign-in, signing out or a page of nobody makes it forget them
// (session_keys.js). Where the browser cannot hold such keys, they live as long as the page and the file is opened again.
import { openRing } from "./keys_ring.js";
import { checklist, faultWords, fetchJson, say } from "./officer_parts.js";
import { loadAnew } from "./page.js";
import { need } from "./sb/errors.js";
import { forgetKeys, keptKeys, keepKeys } from "./session_keys.js";
import { holdSecret } from "./sb/held.js";

const ROLE = "expert";
let ring = null;

/** Keys of a ring as this desk uses them: `{party, sign: {kid, pub, secret}, keep}`; `lasting` when they may be kept. */
async function heldRing({ party, keys }) {
  const { secret, pub, kid } = keys.ed25519;
  const held = await holdSecret(secret, pub);
  return { party, sign: { alg: "ed25519", kid, pub, secret: held.sign ?? secret }, keep: held.keep, lasting: Boolean(held.sign) };
}

/** The ring opened in this sign-in, or null. */
export async function openedRing(mark) {
  if (!ring) {
    const kept = await keptKeys(mark);
    ring = kept?.role === ROLE ? kept.ring : null;
  }
  return ring;
}

/** Open a chosen key file for the whole sign-in. Refuses: as openRing. */
async function openFor(mark, file, passphrase) {
  ring = await heldRing(await openRing(file, passphrase, { role: ROLE }));
  if (ring.lasting) await keepKeys(mark, { role: ROLE, ring });
  return ring;
}

/**
 * A box of key work: shows the fields of the key file, or that it is open already. `ready(ring)` runs once a ring is there.
 * Gives `{list, need, busy}`: `need()` gives the ring, opening the chosen file if it must, or null having said what is missing.
 */
export function keyBox(box, { ready = async () => {}, onlyOpen = false } = {}) {
  const mark = box.dataset.session, list = checklist(box.querySelector("[data-checks]"));
  const fields = box.querySelector("[data-keyfields]"), open = box.querySelector("[data-keyopen]");
  const file = box.querySelector("[data-keyfile]"), passphrase = box.querySelector("[data-passphrase]");
  const show = () => {
    fields.hidden = Boolean(ring);
    open.hidden = !ring;
    if (ring) open.querySelector("[data-keyparty]").textContent = ring.party;
    if (onlyOpen) box.querySelector("[data-go]").hidden = Boolean(ring);
  };
  const needRing = async () => {
    if (await openedRing(mark)) return ring;
    if (!file.files[0] || !passphrase.value) {
      list.bad(say("choose"));
      (file.files[0] ? passphrase : file).focus();
      return null;
    }
    list.going(say("opening"));
    await openFor(mark, file.files[0], passphrase.value);
    passphrase.value = "";
    list.clear();
    box.querySelector("[data-checkbox]").hidden = true;
    if (!ring.lasting) list.open(say("opened_once", ring.party));
    show();
    await ready(ring);
    return ring;
  };
  box.querySelector("[data-keyforget]").addEventListener("click", async () => {
    ring = null;
    await forgetKeys();
    loadAnew();
  });
  box.hidden = false;
  const started = openedRing(mark).then(async () => { show(); if (ring) await ready(ring); });
  return { list, started, need: needRing };
}

/** Run one act by the member's key: as `keywork` of officer_parts.js, with a key file opened once per sign-in. */
export function keyAct(kind, make) {
  const box = document.querySelector(`[data-keywork="${kind}"]`);
  if (!box) return;
  const form = document.getElementById(box.dataset.form), button = box.querySelector("[data-go]");
  const key = keyBox(box);
  const run = async () => {
    key.list.clear();
    button.disabled = true;
    try {
      const opened = await key.need();
      if (!opened) { button.disabled = false; return; }
      const data = await fetchJson(box.dataset.from);
      need(opened.party === data.expert, "CONTEXT_MISMATCH", say("not_yours", opened.party, data.expert));
      const made = await make({ ring: opened, box, list: key.list, data });
      if (!made) { button.disabled = false; return; }
      key.list.going(say("sent"));
      for (const [name, value] of Object.entries(made.fields ?? { [box.dataset.field]: made })) {
        form.elements[name].value = typeof value === "string" ? value : JSON.stringify(value);
      }
      form.requestSubmit();
    } catch (fault) {
      key.list.bad(faultWords(fault));
      button.disabled = false;
    }
  };
  button.addEventListener("click", run);
  box.querySelector("[data-passphrase]").addEventListener("keydown", (event) => {
    if (event.key === "Enter") { event.preventDefault(); run(); }
  });
}
