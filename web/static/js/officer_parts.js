// What every page of key work shares: its words, its list of checks, the key file, the hall's data, the moment to go by.
import { serverNow } from "./clock.js";
import { keyFields } from "./officer_key.js";
import { SealedBidError } from "./sb/errors.js";

/** A sign-in that is fresh for less than this is confirmed before the work begins, in milliseconds. */
const NEARLY = 60_000;

const words = new Map([...document.querySelectorAll("[data-words] [data-key]")].map((line) => [line.dataset.key, line.textContent]));

/** A sentence of the page by its key, {0} {1} … filled in. */
export const say = (key, ...facts) => facts.reduce((text, fact, i) => text.replaceAll(`{${i}}`, String(fact)), words.get(key) ?? key);

/** A fault in words, with its code for a report. */
export function faultWords(fault) {
  if (!(fault instanceof SealedBidError)) return fault?.message || String(fault);
  const known = words.get(`code-${fault.code}`);
  return `${known ?? fault.code}（${[fault.code, fault.why].filter(Boolean).join(": ")}）`;
}

/** Seconds of this computer's clock; under rehearsal the clock is moved by hand and the server's is the only one there is. */
export function ownSeconds() {
  const rehearsal = document.querySelector("[data-clock]")?.dataset.rehearsal;
  return (rehearsal ? serverNow() : Date.now()) / 1000;
}

/** Seconds of the server's clock, for the moment a document names. */
export const serverSeconds = () => serverNow() / 1000;

/** A list of checks in the page: `ok`, `open` (told, not proved), `bad`, and one line at a time that is still `going`. */
export function checklist(list) {
  let going = null;
  const add = (state, text) => {
    going?.remove();
    going = null;
    const line = document.createElement("li");
    line.className = state;
    line.textContent = text;
    list.append(line);
    list.closest("[data-checkbox]").hidden = false;
    return line;
  };
  return {
    clear: () => list.replaceChildren(),
    ok: (text) => add("ok", text),
    open: (text) => add("open", text),
    bad: (text) => add("bad", text),
    going(text) { going = add("going", text); },
  };
}

/** JSON of the hall. Throws its own words when it refuses. */
export async function fetchJson(address) {
  const answer = await fetch(address, { headers: { Accept: "application/json" }, cache: "no-store" });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(say("refused", told.words ?? answer.status));
  return told;
}

/**
 * Run the key work of one box of the page: open the key file, make what `make` makes, put it into the form and hand it in.
 * `make({ring, box, list, data})` gives the value of the field, or an object `{fields: {name: value}}` for several.
 */
export function keywork(kind, role, make) {
  const box = document.querySelector(`[data-keywork="${kind}"]`);
  if (!box) return;
  const form = document.getElementById(box.dataset.form);
  const button = box.querySelector("[data-go]");
  const list = checklist(box.querySelector("[data-checks]"));
  const key = keyFields(box, role);
  box.hidden = false;
  const run = async () => {
    list.clear();
    if (!(await key.ready())) { list.bad(say("choose")); return; }
    const fresh = Number(box.dataset.freshUntil ?? 0);
    if (fresh && fresh - serverNow() < NEARLY) { location.assign(box.dataset.confirm); return; } // first who one is: nothing is done twice
    button.disabled = true;
    try {
      list.going(say("opening"));
      const ring = await key.open();
      list.ok(say("opened", ring.party));
      const data = await fetchJson(box.dataset.from);
      const made = await make({ ring, box, list, data });
      list.going(say("sent"));
      for (const [name, value] of Object.entries(made.fields ?? { [box.dataset.field]: made })) {
        form.elements[name].value = typeof value === "string" ? value : JSON.stringify(value);
      }
      form.requestSubmit();
    } catch (fault) {
      list.bad(faultWords(fault));
      button.disabled = false;
    }
  };
  button.addEventListener("click", run);
  key.passphrase.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); run(); } });
}
