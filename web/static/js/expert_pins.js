// Evidence of a cell: numbered places in the bid that its reason cites. They are signed as lines below the reason (docs/formats/evidence.md).
import { say } from "./officer_parts.js";

export const MOST_PINS = 9;
export const MOST_QUOTE = 120;

/** The next free number: numbers stay, so that a reason goes on citing what it cited. */
export const nextNumber = (pins) => [1, 2, 3, 4, 5, 6, 7, 8, 9].find((n) => !pins.some((pin) => pin.n === n)) ?? 0;

/** Whether a reason cites a pin, as (1) or （1）. */
export const cites = (reason, pin) => new RegExp(`[(（]\\s*${pin.n}\\s*[)）]`).test(reason);

const line = (pin) => `[${pin.n}] F${pin.place + 1} P${pin.page} @${pin.x},${pin.y},${pin.w},${pin.h} ${pin.quote.replace(/\s+/g, " ").trim()}`.trim();

/** The reason as it is signed: its words, then a line for each pin. */
export const signedReason = (reason, pins) => [reason.trim(), ...[...pins].sort((a, b) => a.n - b.n).map(line)].filter(Boolean).join("\n");

function part(name, className, text = "") {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}

/** Where a pin points, in words. */
export const whereOf = (pin) => say("pin_where", pin.place + 1, pin.page);

/** Show the pins of a cell. `acts`: `{changed, look(pin), cite(pin), drop(pin)}`. */
export function listPins(list, pins, acts) {
  list.replaceChildren(...[...pins].sort((a, b) => a.n - b.n).map((pin) => {
    const item = part("li"), body = part("div", "pins__body"), quote = document.createElement("input");
    Object.assign(quote, { className: "input", value: pin.quote, maxLength: MOST_QUOTE, placeholder: say("pin_quote") });
    quote.setAttribute("aria-label", say("pin_label", pin.n));
    quote.addEventListener("input", () => { pin.quote = quote.value; acts.changed(); });
    const row = part("span", "pins__row"), look = part("button", "linkish", whereOf(pin));
    const cite = part("button", "linkish", say("pin_cite", pin.n)), drop = part("button", "linkish", say("pin_drop"));
    drop.setAttribute("aria-label", say("pin_drop_label", pin.n));
    for (const [button, act] of [[look, acts.look], [cite, acts.cite], [drop, acts.drop]]) {
      button.type = "button";
      button.addEventListener("click", () => act(pin));
      row.append(button);
    }
    body.append(quote, row);
    item.append(part("span", "n", String(pin.n)), body);
    item.dataset.pinNo = pin.n;
    return item;
  }));
}

/** A reason and its evidence, to be read only. What a member wrote is in their language, whatever that of the page. */
export function readPins(place, reason, pins) {
  const list = part("ol", "pins pins--read");
  list.append(...[...pins].sort((a, b) => a.n - b.n).map((pin) => {
    const item = part("li"), body = part("span"), quote = part("span", "", pin.quote || say("pin_unquoted"));
    quote.translate = !pin.quote;
    body.append(quote, part("small", "", whereOf(pin)));
    item.append(part("span", "n", String(pin.n)), body);
    return item;
  }));
  const told = part("p", reason.trim() ? "" : "muted", reason.trim() || "–");
  told.translate = false;
  place.replaceChildren(told, ...(pins.length ? [list] : []));
}
