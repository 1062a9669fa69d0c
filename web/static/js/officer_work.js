// Before publication: an officer makes the keys of a lot, signs its policies, opens its drills, all in the page (the protocol §2).
import { keywork, ownSeconds, say, serverSeconds } from "./officer_parts.js";
import { rememberSigned } from "./officer_signed.js";
import { b64u, unb64u, utf8 } from "./sb/bytes.js";
import { parseCanonical } from "./sb/canonical.js";
import { signDocument } from "./sb/documents.js";
import { need } from "./sb/errors.js";
import { officerTenderKey } from "./sb/keys.js";
import { openBox, parseHeader } from "./sb/header.js";
import { openDrill } from "./sb/opening.js";
import { checkPolicy, policyId } from "./sb/policy.js";
import { formatTime } from "./sb/times.js";

const scopeOf = ({ platform, tender, lot, envelope, serial }) => ({ platform, tender, lot, envelope, serial });

function rootOf(ring) {
  need(ring.keys.root && ring.keys.ed25519, "FORMAT", say("no_root"));
  return ring.keys.root.secret;
}

keywork("keys", "officer", async ({ ring, list, data }) => {
  const publics = {};
  for (const scope of data.scopes) publics[scope.envelope] = b64u((await officerTenderKey(rootOf(ring), scopeOf(scope))).pk);
  list.ok(say("derived", data.scopes.length));
  return publics;
});

keywork("policies", "officer", async ({ ring, list, data }) => {
  need(data.policies.length > 0, "UNAVAILABLE", say("nothing"));
  const signed = [];
  for (const one of data.policies) {
    const policy = checkPolicy(parseCanonical(utf8(one.payload)));
    need((await policyId(policy)) === one.policy_id, "CONTEXT_MISMATCH", "another policy than the page shows");
    const mine = policy.officers[data.j - 1];
    const { pk } = await officerTenderKey(rootOf(ring), scopeOf(policy));
    need(mine?.pk === b64u(pk) && mine.sign_kid === ring.keys.ed25519.kid, "CONTEXT_MISMATCH", say("not_own_key", policy.envelope));
    list.ok(say("own_key", policy.envelope));
    list.ok(say("sides", policy.envelope, policy.t, policy.n));
    signed.push(await signDocument("policy", policy, ring.keys.ed25519));
    rememberSigned(ring.keys.ed25519.kid, policy, one.policy_id, ownSeconds());
    list.ok(say("signed", policy.envelope));
  }
  return signed;
});

keywork("drills", "officer", async ({ ring, list, data }) => {
  need(data.drills.length > 0, "UNAVAILABLE", say("nothing"));
  const answers = [];
  for (const one of data.drills) {
    const header = unb64u(one.header);
    const { sk } = await officerTenderKey(rootOf(ring), scopeOf(one.policy));
    const parsed = await openDrill(header, one.policy, data.j, sk); // opens nothing but a drill
    const part = await openBox(await parseHeader(header), data.j, sk);
    const { platform, tender, lot, envelope } = one.policy;
    const value = {
      v: 1, platform, tender, lot, envelope, policy: await policyId(one.policy), header_hash: b64u(parsed.headerHash), j: data.j,
      at: formatTime(serverSeconds()),
    };
    answers.push({ document: await signDocument("drill", value, ring.keys.ed25519), part: b64u(part) });
    list.ok(say("drilled", one.envelope));
  }
  return answers;
});

