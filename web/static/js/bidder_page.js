// What the parts of the sealing page share: the data handed in, words, the state of this visit, steps, one line of a list.

const box = document.getElementById("sealing");

/** What the server handed in: policy, form, names, our key, uploads (see desks/bidder/lots.py, seal_data). */
export const held = JSON.parse(box.dataset.held);
export const words = JSON.parse(box.dataset.words);
/** Address → integrity of the scripts that seal in workers. */
export const workers = JSON.parse(box.dataset.workers ?? "{}");
export const english = document.documentElement.lang.startsWith("en");
export const at = (id) => document.getElementById(id);
export const fill = (text, ...values) => values.reduce((whole, value, i) => whole.replace(`{${i}}`, value), text);
export const groups = (text) => text.replace(/.{4}(?=.)/g, "$& ");
export const say = (text) => { at("seal-say").textContent = text; };

/**
 * This visit: `policy` once proved, `known` the keys it was proved with; `files` chosen; `ring` the opened keys; `sealing`, `sending` what runs; `record` of the sealed file;
 * `token` of the whole upload; `envelope` the signed submission; `busy`, `paused`.
 */
export const state = { policy: null, known: null, files: [], ring: null, sealing: null, sending: null, record: null, token: "", envelope: null, busy: false, paused: false };

/** Show which of the five steps this is: 0 check … 4 receipt. */
export function step(here) {
  [...at("steps").children].forEach((item, i) => {
    item.className = i < here ? "done" : i === here ? "here" : "";
    if (i === here) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  });
}

export function element(tag, { text = "", kind = "" } = {}, ...children) {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  if (kind) made.className = kind;
  made.append(...children);
  return made;
}

/** One file of a list: its ending, name and a note, then what is given. */
export function fileRow(name, note, extra = []) {
  const ending = (/\.([A-Za-z0-9]{1,4})$/.exec(name)?.[1] ?? "–").toUpperCase();
  return element("div", { kind: "file" }, element("span", { kind: "ext", text: ending }),
    element("div", {}, element("b", { text: name }), element("span", { kind: "muted small", text: ` ${note}` })), ...extra);
}

addEventListener("beforeunload", (event) => {
  if (state.busy) event.preventDefault();
});
