/**
 * What an officer's browser keeps: the ids of the policies it signed, by scope. At an opening it goes by the newest of them (the protocol
 * §2): the log cannot show that none is newer, so a hall that hides a later policy of ours is found out here.
 */
import { say } from "./officer_parts.js";
import { need } from "./sb/errors.js";
import { formatTime } from "./sb/times.js";

const MOST = 500;
const place = (kid) => `bidhall-signed:${kid}`;
const scope = ({ platform, tender, lot, envelope }) => JSON.stringify([platform, tender, lot, envelope]);

function read(kid) {
  try {
    const kept = JSON.parse(localStorage.getItem(place(kid)));
    return Array.isArray(kept) ? kept.filter((row) => Array.isArray(row) && row.length === 3) : [];
  } catch {
    return []; // storage is off or not ours: nothing is known
  }
}

function write(kid, rows) {
  try {
    localStorage.setItem(place(kid), JSON.stringify(rows.slice(-MOST)));
  } catch { /* storage is off */ }
}

/** Keep that this key signed a policy. `at`: seconds of this computer's clock. */
export function rememberSigned(kid, policy, id, at) {
  write(kid, [...read(kid).filter((row) => row[1] !== id), [scope(policy), id, formatTime(at)]]);
}

/**
 * Hold the line of an opening (ids, oldest first) against the newest policy this key signed for that scope; `box`: of the key work, with a
 * tick for a policy that never came into force. Refuses: `CONTEXT_MISMATCH` for a line without it. Gives its id, "" where none is known.
 */
export function checkSigned(kid, policy, ids, box, list) {
  for (;;) {
    const rows = read(kid);
    const newest = rows.findLast((row) => row[0] === scope(policy));
    if (!newest) return "";
    const [, id, at] = newest;
    if (ids.includes(id)) {
      list.ok(say("signed_newest", at));
      return id;
    }
    const never = box.querySelector("[data-never]");
    const told = never?.querySelector("input");
    if (!told?.checked || told.value !== id) {
      if (never) {
        never.hidden = false;
        told.checked = false;
        told.value = id;
      }
      need(false, "CONTEXT_MISMATCH", say("signed_other", id, at));
    }
    told.checked = false;
    write(kid, rows.filter((row) => row[1] !== id));
    list.open(say("never_in_force", id));
  }
}
