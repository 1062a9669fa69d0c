/** Keys that count because their enrolment is proved in the log, and nothing else that a page was handed. For every page that checks policies. */
import { trustOf } from "./public_trust.js";
import { equal, unb64u } from "./sb/bytes.js";
import { documentHash } from "./sb/documents.js";
import { readEnvelope } from "./sb/dsse.js";
import { verifyEntry } from "./sb/entries.js";
import { need } from "./sb/errors.js";
import { kid, verifyEnrolment } from "./sb/keys.js";
import { verifyTickProof } from "./sb/ticks.js";

/** Whom to trust, as the package says it: sb's trust with the supervisors' keys. */
export async function packageTrust(told) {
  return { ...(await trustOf(JSON.stringify(told))), supervisorKey: told.supervisor_keys.map((key) => unb64u(key, 32)) };
}

/** A receipt that shows a document in the log; its checkpoint is added to `seen`. Refuses: `SIG`, `TICK_PROOF`, `CONTEXT_MISMATCH`. */
export async function receiptOf(receipt, event, statement, trust, seen) {
  need(receipt?.entry && receipt.proof && !("list" in receipt), "TICK_PROOF", `the ${event} is not shown to be in the log`);
  const { entry, c } = await verifyEntry(receipt.entry, trust.platformKey);
  need(entry.event === event && entry.statement === statement, "CONTEXT_MISMATCH", `an entry that does not speak of this ${event}`);
  const proof = await verifyTickProof(c, receipt.proof, trust);
  seen.push(proof.checkpoint);
  return { c, ...proof };
}

/**
 * Keys proved from enrolments, oldest first, each signed as the protocol §2 asks and shown to be in the log:
 * `{officerKeys: {kid: bytes}, keysOf(party, role), tickOf(key), count, seen}`. Refuses: `SIG`, `TICK_PROOF`, `CONTEXT_MISMATCH`, `JSON_PROFILE`.
 */
export async function enrolledKeys(rows, trust, platform) {
  const held = new Map();
  const officerKeys = {};
  const seen = [];
  const ticks = [];
  for (const { document, receipt } of rows) {
    const { payload, peek } = readEnvelope(document, "enrolment");
    const claimed = peek();
    const place = `${claimed.role}/${claimed.party}`;
    const before = held.get(place) ?? [];
    let value, fault;
    for (const supervisor of trust.supervisorKey.length ? trust.supervisorKey : [undefined]) {
      try {
        ({ value } = await verifyEnrolment(document, { current: before.at(-1) ?? null, supervisor }));
        break;
      } catch (found) {
        fault = found;
      }
    }
    if (!value) throw fault;
    need(value.platform === platform, "CONTEXT_MISMATCH", "an enrolment at another platform");
    const { leaf } = await receiptOf(receipt, "key-enrolled", await documentHash(payload), trust, seen);
    const key = unb64u(value.sign_pk, 32);
    held.set(place, [...before, key]);
    ticks.push({ key, tick: leaf.tick });
    if (value.role === "officer") officerKeys[await kid("ed25519", key)] = key;
  }
  return {
    officerKeys, seen, count: rows.length,
    keysOf: (party, role) => [...(held.get(`${role}/${party}`) ?? [])].reverse(),
    ofRole: (role) => [...held].filter(([place]) => place.startsWith(`${role}/`)).flatMap(([, keys]) => [...keys].reverse()),
    tickOf: (key) => Math.min(...ticks.filter((one) => equal(one.key, key)).map((one) => one.tick)),
  };
}
