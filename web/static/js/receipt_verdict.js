// Four answers to a receipt and the headline that follows: worked out here, by the rules of web/desks/parts/receipt_check.py; the page draws them.
import { b64u, hex } from "./sb/bytes.js";
import { canonical } from "./sb/canonical.js";
import { documentHash } from "./sb/documents.js";
import { readEnvelope } from "./sb/dsse.js";
import { numberOf, unwrap, verifyReceipt } from "./sb/receipts.js";
import { inspect, sealedRoot } from "./sb/sealed_bid.js";
import { seconds } from "./sb/times.js";
import { momentOf } from "./clock.js";

const answer = (question, state, code, facts = {}) => ({ question, state, code, facts });
const moment = (text) => momentOf(seconds(text) * 1000);
const short = (text) => `${text.slice(0, 4)} ${text.slice(4, 8)} … ${text.slice(-3)}`;
const KINDS = /^application\/vnd\.bidhall\.([a-z-]+)\+json;v=1$/;
const STANDING = {
  standing: ["ok", "standing.ok"], superseded: ["old", "standing.superseded"], withdrawn: ["old", "standing.withdrawn"],
  sealed: ["none", "standing.sealed"], no_bid: ["none", "standing.other"],
};
const KIND = { "bid-refused": ["none", "standing.attempt"], "bid-withdrawn": ["none", "standing.withdrawal"] };

/** `[code, state]` of the headline, from the four answers alone. */
export function headline([signature, digest, book, standing], event) {
  if (signature.code === "signature.none") return ["nothing", "bad"];
  if (signature.state === "bad") return ["forged", "bad"];
  if (book.state === "bad") return ["gap", "bad"];
  if (digest.state === "bad") return ["other", "bad"];
  if (standing.state === "old") return [standing.code.split(".")[1], "old"];
  if (event === "bid-refused") return ["attempt", "old"];
  if (event === "bid-withdrawn") return ["withdrawal", "ok"];
  if (book.code === "book.open") return ["waiting", "ok"];
  if (standing.code === "standing.other") return ["entry", "ok"];
  return standing.state === "ok" && book.state === "ok" ? ["ok", "ok"] : ["partly", "ok"];
}

function verdict(answers, event = "", more = {}) {
  const [head, state] = headline(answers, event);
  return { head, state, answers, words: [], facts: [], number: "", about: "", successor: "", asked: "", ...more };
}

const moot = (...names) => names.map((name) => answer(name, "none", "standing.moot"));

/** The verdict on what is no receipt. */
export const nothing = () =>
  verdict([answer("signature", "bad", "signature.none"), answer("digest", "none", "digest.open"), ...moot("book", "standing")]);

/** What was put in as text: its receipt in any form the platform hands one out, or null. */
export function receiptIn(value) {
  try {
    return unwrap(value);
  } catch {
    return null;
  }
}

/**
 * The four answers. `kept`: what `receiptIn` gave; `other`: the document it should speak of, `sealed`: a sealed file, if put in;
 * `trust`: as verifyReceipt wants it; `ask(c)`: what the server says of an entry, or null when it did not answer; `gaps`: those declared.
 */
export async function verdictOf(kept, { other = null, sealed = null, trust, ask, gaps = [] }) {
  let found;
  try {
    found = await verifyReceipt({ entry: kept.receipt.entry }, trust);
  } catch (fault) {
    return verdict([answer("signature", "bad", "signature.bad", { code: fault.code ?? String(fault) }), ...moot("digest", "book", "standing")]);
  }
  const { entry } = found;
  const c = b64u(found.c);
  const told = await ask(c);
  const book = await bookAnswer(kept, told, trust, entry, gaps);
  const standing = book.state === "bad" ? answer("standing", "none", "standing.moot") : standingAnswer(told, entry.event);
  const answers = [answer("signature", "ok", "signature.ok"), await digestAnswer(entry, other ?? kept.statement, sealed), book, standing];
  return verdict(answers, entry.event, {
    words: document.documentElement.lang.startsWith("en") ? found.words.en : found.words.zh,
    number: numberOf(found.c, entry.event), about: `${moment(entry.at)} · ${entry.tender}-${entry.lot}`, asked: c,
    facts: [["event", entry.event], ["reason", entry.reason], ["hash", c], ["statement", entry.statement]].filter(([, value]) => value),
    successor: told?.successor ?? "",
  });
}

function standingAnswer(told, event) {
  const [state, code] = KIND[event] ?? STANDING[told?.state] ?? ["none", "standing.unreached"];
  return answer("standing", state, code);
}

/** What the log does not hold and a declared gap explains (trading/views/restored_queries.py, lost_in), else null. */
function lostIn(gaps, checkpoint, at) {
  const covers = ({ ticks, remembered, root }) => ticks < checkpoint.size && (checkpoint.size < remembered || (checkpoint.size === remembered && b64u(checkpoint.root) === root));
  const gap = gaps.find((one) => (checkpoint ? covers(one) : seconds(one.begun) <= seconds(at) && seconds(at) <= seconds(one.ended)));
  return gap ? answer("book", "bad", "book.lost", gap.words) : null;
}

async function bookAnswer(kept, told, trust, entry, gaps) {
  const whole = kept.receipt.proof ? kept.receipt : told?.proof ? { entry: kept.receipt.entry, proof: told.proof } : null;
  if (whole) {
    try {
      const { proof } = await verifyReceipt(whole, trust);
      if (told?.unknown && !whole.list) return lostIn(gaps, proof.checkpoint, entry.at) ?? answer("book", "bad", "book.missing");
      return answer("book", "ok", "book.ok", { at: moment(proof.leaf.at) });
    } catch (fault) {
      return answer("book", "bad", "book.bad", { code: fault.code ?? String(fault) });
    }
  }
  if (!told) return answer("book", "none", "book.unreached");
  if (told.unknown) return lostIn(gaps, null, entry.at) ?? answer("book", "bad", "book.unknown");
  if (told.listed) return answer("book", "ok", "book.listed", { at: moment(told.listed) });
  return told.overdue ? answer("book", "bad", "book.late", { by: moment(entry.tick_by) }) : answer("book", "none", "book.open", { by: moment(entry.tick_by) });
}

async function digestAnswer(entry, other, sealed) {
  if (!other && !sealed) return answer("digest", "none", "digest.open");
  let value = null;
  let hash = "";
  if (other) {
    try {
      const payload = "payloadType" in other ? readEnvelope(other, KINDS.exec(other.payloadType)?.[1] ?? "") : null;
      value = payload ? payload.peek() : other;
      hash = await documentHash(payload ? payload.payload : canonical(other));
    } catch (fault) {
      return answer("digest", "none", "digest.unread", { code: fault.code ?? String(fault) });
    }
    if (hash !== entry.statement) return answer("digest", "bad", "digest.bad", { named: short(entry.statement), found: short(hash) });
  }
  if (!sealed) return answer("digest", "ok", "digest.ok");
  if (!value?.sealed_root) return answer("digest", "none", "digest.open");
  const root = b64u(await sealedRoot(sealed.blob, sealed.info));
  if (root === value.sealed_root) return answer("digest", "ok", "digest.file");
  return answer("digest", "bad", "digest.bad", { named: short(value.sealed_root), found: short(root) });
}

/** `{blob, info}` if these bytes are a sealed bid, else null. */
export async function sealedIn(blob) {
  try {
    return { blob, info: await inspect(blob) };
  } catch {
    return null;
  }
}

export const digestOf = async (blob) => hex(new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer())));
