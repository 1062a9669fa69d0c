// A controller approves, and a purchaser decides to keep a deposit, with a key of their own: what is signed is what the page shows, held against what the platform gives to sign.
import { keywork, say, serverSeconds } from "./officer_parts.js";
import { equal } from "./sb/bytes.js";
import { canonical } from "./sb/canonical.js";
import { signDocument } from "./sb/documents.js";
import { need } from "./sb/errors.js";
import { formatTime } from "./sb/times.js";

const WHOSE = { approve: "controller", check: "controller", payee: "controller", keep: "tenderee" };

for (const [kind, role] of Object.entries(WHOSE)) {
  keywork(kind, role, async ({ ring, box, list, data }) => {
    const { document: told } = data;
    if (ring.party !== told.approver) throw new Error(say("not_yours", ring.party, told.approver));
    const shown = JSON.parse(box.dataset.extra);
    need(equal(canonical({ of: told.of, facts: told.facts }), canonical(shown)), "CONTEXT_MISMATCH", say("approval_other"));
    list.ok(say("approval_same"));
    return signDocument("approval", { ...told, at: formatTime(serverSeconds()) }, ring.keys.ed25519);
  });
}
