/** Runs every group; says which vectors no group has touched. Used by run.mjs (node) and suite.html (browser). */
import { curveProvider, useCurves } from "../../web/static/js/sb/curves.js";
import { groups as base } from "./cases_base.mjs";
import { groups as bid } from "./cases_bid.mjs";
import { groups as log } from "./cases_log.mjs";
import { groups as officer } from "./cases_officer.mjs";

const TEXT_ONLY = ["format", "version", "suite", "notes"];
const OWN = ["bytes", "keyrings", "any_order", "round_trip", "officer_client"];
// Groups whose result hangs on who computes the curves: run again with noble, and with WebCrypto where it exists.
const CURVED = ["keys", "ed25519_signatures", "x25519_refuse_keys", "hpke_base", "officer_tender_key", "submission", "bad_envelopes", "multi",
  "enrolments", "sealed", "bad", "receipt", "bad_tick_proofs", "draws"];

/** Gives `{results: [{name, ok, why, ms}…], untouched: [vector keys], providers}`. `only`: a group's name. */
export async function runAll(vectors, { only, onResult } = {}) {
  const groups = { ...base, ...log, ...bid, ...officer };
  const untouched = Object.keys(vectors).filter((k) => !TEXT_ONLY.includes(k) && !groups[k]);
  const stray = Object.keys(groups).filter((k) => !(k in vectors) && !OWN.includes(k));
  const results = [];
  const run = async (name, label) => {
    if (only && name !== only) return;
    const start = performance.now();
    let why = "";
    try {
      await groups[name](vectors);
    } catch (fault) {
      why = fault.stack ? `${fault.message}\n${fault.stack}` : String(fault);
    }
    const result = { name: label, ok: !why, why, ms: Math.round(performance.now() - start) };
    results.push(result);
    onResult?.(result);
  };
  useCurves("auto");
  const providers = { ed25519: await curveProvider("ed25519"), x25519: await curveProvider("x25519") };
  for (const name of Object.keys(groups)) await run(name, name);
  useCurves("noble");
  for (const name of CURVED) await run(name, `${name} (noble)`);
  useCurves("auto");
  return { results, untouched, stray, providers };
}
