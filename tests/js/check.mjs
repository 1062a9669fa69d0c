/** Assertions for checks that run in node and in a browser alike. */
import { hex } from "../../web/static/js/sb/bytes.js";
import { SealedBidError } from "../../web/static/js/sb/errors.js";

const show = (v) => (v instanceof Uint8Array ? `0x${hex(v)}` : v instanceof Map ? JSON.stringify([...v]) : JSON.stringify(v));
export const sorted = (v) => (Array.isArray(v) ? v.map(sorted) : v && typeof v === "object"
  ? Object.fromEntries(Object.keys(v).sort().map((k) => [k, sorted(v[k])])) : v);

export function same(found, wanted, what = "") {
  const f = found instanceof Uint8Array ? hex(found) : show(sorted(found));
  const w = wanted instanceof Uint8Array ? hex(wanted) : found instanceof Uint8Array ? wanted : show(sorted(wanted));
  if (f !== w) throw new Error(`${what}: found ${String(f).slice(0, 300)}, wanted ${String(w).slice(0, 300)}`);
}

export function truth(value, what) {
  if (value !== true) throw new Error(`${what}: expected true, found ${show(value)}`);
}

/** `work` must be refused with `code`; gives the refusal. */
export async function refused(code, work, what = "") {
  try {
    await work();
  } catch (fault) {
    if (!(fault instanceof SealedBidError)) throw fault;
    if (fault.code !== code) throw new Error(`${what}: refused with ${fault.code} (${fault.why}), wanted ${code}`);
    return fault;
  }
  throw new Error(`${what}: accepted, wanted ${code}`);
}

/** The code a piece of work is refused with, "" if it is accepted. */
export async function codeOf(work) {
  try {
    await work();
    return "";
  } catch (fault) {
    if (!(fault instanceof SealedBidError)) throw fault;
    return fault.code;
  }
}
