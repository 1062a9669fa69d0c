/**
 * The keys a sealing page goes by: the policy is signed by the platform and by every officer whose enrolment is proved in the log, and all of
 * them are the keys this browser has sealed under before. A page brings its own log, so a first use proves only that everything fits together:
 * what nothing older speaks for is told by its twelve words. As web/cli/known.py.
 */
import { enrolledKeys, packageTrust } from "./enrolled_keys.js";
import { keyWords } from "./keys_recovery.js";
import { b64u, equal, unb64u } from "./sb/bytes.js";
import { need } from "./sb/errors.js";
import { kid } from "./sb/keys.js";
import { parseVkey } from "./sb/notes.js";
import { peekPolicy, verifyPolicy } from "./sb/policy.js";

const place = (platform) => `bidhall-known:${platform}`;

/** What this browser keeps of a platform: `{log_key, platform_keys, supervisor_keys, officers: {name: key}}`, or null. */
export function readKnown(platform) {
  const kept = localStorage.getItem(place(platform));
  return kept ? JSON.parse(kept) : null;
}

export const keepKnown = (platform, known) => localStorage.setItem(place(platform), JSON.stringify(known));

const changed = (who, before, now) => Object.assign(new Error(`known.changed: ${who}`), { code: "known.changed", changed: { who, before, now } });
const logKey = async (trust) => b64u((await parseVkey(trust.log_key)).pub);
const sameSet = (one, other) => [...one].sort().join() === [...other].sort().join();

/** Hold what the page names against what is kept; gives the keys to go by. Throws `known.changed`. */
async function hold(told, kept) {
  if (!kept) return told;
  if (kept.log_key !== told.log_key) throw changed("log", await logKey(kept), await logKey(told));
  if (!sameSet(kept.platform_keys, told.platform_keys)) {
    throw changed("platform", kept.platform_keys[0], told.platform_keys.find((key) => !kept.platform_keys.includes(key)) ?? "");
  }
  return { ...told, supervisor_keys: kept.supervisor_keys };
}

async function proved(enrolments, told, trust, platform) {
  try {
    return await enrolledKeys(enrolments, await packageTrust(trust), platform);
  } catch (fault) {
    const other = told.supervisor_keys.find((key) => !trust.supervisor_keys.includes(key));
    if (other) throw changed("supervisor", trust.supervisor_keys.at(-1) ?? "", other);
    throw fault;
  }
}

/**
 * Check a signed policy with its officers' enrolments. `known`: what readKnown gave.
 * Gives `{policy, id, fresh: [{who, key}…] (spoken for by nothing older), known (to keep from now on)}`; keys as base64url.
 * Throws with a code: `known.changed` (with `changed: {who, before, now}`), `SIG`, `TICK_PROOF`, `CONTEXT_MISMATCH`, `JSON_PROFILE`.
 */
export async function checkSealingKeys({ policy: envelope, enrolments, trust: told, platform }, known) {
  const trust = await hold(told, known);
  const keys = await proved(enrolments, told, trust, platform);
  const own = [], fresh = [], officers = { ...known?.officers };
  for (const officer of peekPolicy(envelope).officers) {
    const chain = keys.keysOf(officer.name, "officer"); // newest first
    const before = known?.officers[officer.name];
    if (chain.length && before && !chain.some((key) => equal(key, unb64u(before, 32)))) throw changed(officer.name, before, b64u(chain[0]));
    let found = null;
    for (const key of chain) if ((await kid("ed25519", key)) === officer.sign_kid) found = key;
    need(found, "SIG", `the key of ${officer.name} is not shown to be enrolled in the log`);
    own.push(found);
    if (!before) fresh.push({ who: officer.name, key: b64u(found) });
    officers[officer.name] = b64u(chain[0]);
  }
  let checked = null, fault = null;
  for (const key of trust.platform_keys) {
    try {
      checked = await verifyPolicy(envelope, { platformKey: unb64u(key, 32), officerKeys: own });
      break;
    } catch (found) {
      fault = found;
    }
  }
  if (!checked) throw fault;
  const { log_key, platform_keys, supervisor_keys } = trust;
  const named = known ? [] : [
    { who: "log", key: await logKey(trust) }, ...platform_keys.map((key) => ({ who: "platform", key })),
    ...supervisor_keys.map((key) => ({ who: "supervisor", key })),
  ];
  return { ...checked, fresh: [...named, ...fresh], known: { log_key, platform_keys, supervisor_keys, officers } };
}

/** Twelve words of a signing key (base64url) in the page's language; "–" for none. */
export async function wordsOf(key, english) {
  return key ? (await keyWords("ed25519", unb64u(key, 32)))[english ? "en" : "zh"].join(" · ") : "–";
}
