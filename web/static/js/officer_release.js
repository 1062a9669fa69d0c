// At the opening: an officer checks the hall's package whole, opens its boxes, releases; later repeats the re-derivation and countersigns.
import { fetchJson, keywork, ownSeconds, say } from "./officer_parts.js";
import { checkEscrowPackage, checkPackage, openBoxes, rememberTrust } from "./officer_package.js";
import { checkSigned } from "./officer_signed.js";
import { b64u, unb64u } from "./sb/bytes.js";
import { signDocument } from "./sb/documents.js";
import { need } from "./sb/errors.js";
import { officerTenderKey } from "./sb/keys.js";
import { countersignOpened, makeShares } from "./sb/opening.js";
import { policyId } from "./sb/policy.js";
import { formatTime } from "./sb/times.js";

const scopeOf = ({ platform, tender, lot, envelope, serial }) => ({ platform, tender, lot, envelope, serial });

// One root, a key for every serial: bids sealed under earlier officers are opened with the key of their own policy.
const secretOf = async (ring, policy) => (await officerTenderKey(ring.keys.root.secret, scopeOf(policy))).sk;

async function ownSecret(ring, policy, j) {
  need(ring.keys.root && ring.keys.ed25519, "FORMAT", say("no_root"));
  const { sk, pk } = await officerTenderKey(ring.keys.root.secret, scopeOf(policy));
  need(policy.officers[j - 1]?.pk === b64u(pk), "CONTEXT_MISMATCH", say("not_own_key", policy.envelope));
  return sk;
}

function tellTrust(told, list) {
  const { state, since } = rememberTrust(told, ownSeconds());
  if (state === "other") need(false, "CONTEXT_MISMATCH", say("trust_other"));
  if (state === "same") list.ok(say("trust_same", since));
  else list.open(say("trust_new"));
}

async function checked(value, list) {
  tellTrust(value.trust, list);
  const found = await checkPackage(value, ownSeconds());
  list.ok(say("enrolled", found.enrolments));
  list.ok(say("chain", found.opening.policy.n));
  list.ok(say("closing", found.tick));
  list.ok(say("replayed", found.opening.bids.length));
  list.ok(say("headers", found.headers.length));
  return found;
}

// The newest policy this key signed must be in the line the hall shows.
const newestIsShown = (ring, opening, box, list) =>
  checkSigned(ring.keys.ed25519.kid, opening.policy, opening.generations.flatMap((one) => one.ids), box, list);

keywork("release", "officer", async ({ ring, box, list, data }) => {
  const { opening, headers, officer } = await checked(data, list);
  newestIsShown(ring, opening, box, list);
  const now = ownSeconds();
  list.ok(say("claims", opening.claimsEnd));
  await ownSecret(ring, opening.policy, officer.j);
  const { envelope, value } = await makeShares({ opening, headers, j: officer.j, signKey: ring.keys.ed25519, now, secretOf: (policy) => secretOf(ring, policy) });
  const good = value.items.filter((item) => item.part).length;
  const boxes = value.items.length - opening.left.size;
  list.ok(say("boxes", good, boxes));
  if (boxes < headers.length) list.open(say("not_own", headers.length - boxes));
  if (opening.left.size) list.ok(say("left_sealed", opening.left.size));
  if (good < boxes) list.open(say("box_bad", boxes - good));
  return envelope;
});

keywork("countersign", "officer", async ({ ring, box, list, data }) => {
  const { opening, headers, trust } = await checked(await fetchJson(box.dataset.extra), list);
  newestIsShown(ring, opening, box, list);
  need(data.sign_kid === ring.keys.ed25519.kid, "CONTEXT_MISMATCH", say("not_own_key", opening.policy.envelope));
  const parts = {};
  for (const [name, held] of Object.entries(data.parts)) {
    parts[name] = new Map(Object.entries(held).map(([j, part]) => [Number(j), unb64u(part, 32)]));
  }
  const seeds = {};
  for (const [name, seed] of Object.entries(data.seeds)) {
    const shares = (parts[name]?.size ?? 0) - (parts[name]?.has(0) ? 1 : 0);
    const t = headers.find((parsed) => b64u(parsed.headerHash) === name)?.ctx.t;
    if (shares < t) seeds[name] = unb64u(seed, 32); // rescued: no shares to join
  }
  const officerKeys = opening.policy.officers.map((o) => unb64u(data.officer_keys[o.sign_kid], 32));
  const platformKey = trust.platformKey.find((key) => b64u(key) === data.platform_key);
  need(platformKey, "SIG", "signed by a key the log's operator does not name");
  const { envelope, report } = await countersignOpened(data.opened, {
    platformKey, officerKeys, signKey: ring.keys.ed25519, opening, headers, parts, seeds,
  });
  list.ok(say("rederived", report.filter((one) => one.found === "opened").length));
  if (opening.left.size) list.ok(say("left_sealed", opening.left.size));
  const failed = report.filter((one) => one.found !== "opened").length - opening.left.size;
  if (failed) list.open(say("others", failed));
  list.ok(say("countersigned"));
  return envelope;
});

keywork("escrow", "officer", async ({ ring, box, list, data }) => {
  tellTrust(data.trust, list);
  const { policy, set, headers, officer, enrolments } = await checkEscrowPackage(data, ownSeconds());
  checkSigned(ring.keys.ed25519.kid, policy, [await policyId(policy)], box, list);
  list.ok(say("enrolled", enrolments));
  list.ok(say("draw_ok"));
  const sk = await ownSecret(ring, policy, officer.j);
  const items = await openBoxes(headers, officer.j, sk);
  list.ok(say("escrows", items.filter((item) => item.part).length));
  return signDocument("shares", { at: formatTime(ownSeconds()), items, j: officer.j, set, v: 1 }, ring.keys.ed25519);
});
