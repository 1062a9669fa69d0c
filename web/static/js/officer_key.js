// The key file of a key holder, a tenderee or a controller, opened once per sign-in: afterwards this browser holds the signing key, and a key holder's
// root, none of which any script can read out, under the mark of the sign-in (session_keys.js). Signing out, another sign-in or a page of
// nobody makes it forget them. Where the browser cannot sign with Ed25519 itself, they live as long as the page.
//
// Why this is safe enough: a script that got into a page could use the keys while it runs there, as it could use a file that is opened on
// that page; it can carry neither away. Only the parts of an opening that is under way are ever derived from the root here.
import { openRing } from "./keys_ring.js";
import { holdRoot, holdSecret } from "./sb/held.js";
import { forgetKeys, keepKeys, keptKeys } from "./session_keys.js";

const ROLES = ["officer", "tenderee", "controller"];

async function held(ring, role) {
  const { ed25519, root } = ring.keys;
  if (!ed25519 || (role === "officer" && !root)) return null;
  const { sign, keep } = await holdSecret(ed25519.secret, ed25519.pub);
  if (!sign) return null;
  const keys = { ed25519: { ...ed25519, secret: sign, keep } };
  return { ...ring, keys: root ? { ...keys, root: { ...root, secret: await holdRoot(root.secret) } } : keys };
}

/** The fields of a box of key work: `{kept(): ring or null, open(): ring, chosen(): boolean}`; shows that the key is open already. */
export function keyFields(box, role) {
  const fields = box.querySelector("[data-keyfields]"), open = box.querySelector("[data-keyopen]");
  const file = box.querySelector("[data-keyfile]"), passphrase = box.querySelector("[data-passphrase]");
  const mark = ROLES.includes(role) ? box.dataset.session ?? "" : "";
  let ring = null;
  const show = () => {
    if (!open) return;
    fields.hidden = Boolean(ring);
    open.hidden = !ring;
    if (ring) open.querySelector("[data-keyparty]").textContent = ring.party;
  };
  open?.querySelector("[data-keyforget]").addEventListener("click", async () => {
    ring = null;
    await forgetKeys();
    show();
  });
  const started = mark ? keptKeys(mark).then((value) => { ring = value?.role === role ? value.ring : null; show(); }) : Promise.resolve();
  return {
    passphrase,
    async ready() { await started; return ring !== null || Boolean(file.files[0] && passphrase.value); },
    async open() {
      if (ring) return ring;
      const opened = await openRing(file.files[0], passphrase.value, { role });
      passphrase.value = "";
      const lasting = mark ? await held(opened, role) : null;
      if (lasting) await keepKeys(mark, { role, ring: lasting });
      ring = lasting;
      show();
      return lasting ?? opened;
    },
  };
}
