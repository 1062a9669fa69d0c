// The receipt checker's page: takes what is dropped, chosen or pasted, has it worked out here, and draws the four answers. Nothing is ever
// posted; the server is asked by the hash of an entry or the digest of a file, and the page says so.
import { trustOf } from "./public_trust.js";
import { digestOf, nothing, receiptIn, sealedIn, verdictOf } from "./receipt_verdict.js";

const MOST_TEXT = 4_000_000;
const MOST_FILE = 2_000_000_000;
const KEY = "bidhall-dropped";
const SVG = "http://www.w3.org/2000/svg";
const MARKS = { ok: "ok", old: "warn", bad: "x", none: "dash" };

// The box of the front page: a dropped file goes on to the checker.
for (const box of document.querySelectorAll("[data-drop-to]")) {
  over(box, async ([file]) => {
    const kept = { name: file.name, sha256: await digestOf(file) };
    sessionStorage.setItem(KEY, JSON.stringify(file.size > MOST_TEXT ? kept : { ...kept, text: await textOf(file) }));
    location.assign(box.dataset.dropTo);
  });
}

const desk = document.querySelector("[data-check]");
if (desk) begin(desk);

function over(box, take) {
  box.addEventListener("dragover", (event) => {
    event.preventDefault();
    box.classList.add("is-over");
  });
  box.addEventListener("dragleave", () => box.classList.remove("is-over"));
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    box.classList.remove("is-over");
    if (event.dataTransfer.files.length) take([...event.dataTransfer.files]);
  });
}

async function textOf(file) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    return "";
  }
}

function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

async function askJson(address) {
  const answer = await fetch(address, { headers: { Accept: "application/json" } });
  if (answer.status === 404) return { unknown: true };
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

const fill = (text, ...values) => values.reduce((told, value, i) => told.replaceAll(`{${i}}`, value), text);
const filled = (text, facts) => Object.entries(facts).reduce((told, [name, value]) => told.replaceAll(`{${name}}`, value), text);

function begin(box) {
  const words = JSON.parse(box.dataset.check);
  const out = document.querySelector("[data-check-result]");
  const held = { kept: null, other: null, sealed: null, names: [] };
  box.querySelector("[data-drop]").hidden = false;
  box.querySelector("[data-noscript]").hidden = true;

  async function judge() {
    if (!held.kept) return draw(out, nothing(), words);
    const trust = await trustOf(JSON.stringify(words.trust));
    const ask = (c) => askJson(`/check/entries/${c}.json`).catch(() => null);
    return draw(out, await verdictOf(held.kept, { ...held, trust, ask, gaps: words.gaps }), words);
  }

  /** Keep one thing that was put in. Gives false where it is neither a receipt, nor a document, nor a sealed file. */
  function keep(name, value, sealed) {
    const kept = value && receiptIn(value);
    if (kept) Object.assign(held, { kept, other: null, names: [] });
    else if (value) held.other = value;
    else if (sealed) held.sealed = sealed;
    else return false;
    if (name) held.names.push(name);
    box.querySelector("[data-held]").textContent = held.names.length ? fill(words.ui.held, held.names.join(" · ")) : "";
    return true;
  }

  async function take(files) {
    let known = false;
    for (const file of files) {
      if (file.size > MOST_FILE) return say(out, words, "bad", fill(words.ui.too_large, file.name));
      say(out, words, "none", fill(words.ui.working, file.name));
      const value = file.size <= MOST_TEXT ? parsed(await textOf(file)) : null;
      known = keep(file.name, value, value ? null : await sealedIn(file)) || known;
    }
    if (held.kept) return judge();
    const [file] = files;
    return known && held.sealed ? judge() : lookUp(file.name, await digestOf(file));
  }

  async function lookUp(name, sha256) {
    try {
      const { files = [] } = await askJson(`/check/files/${sha256}.json`);
      const [first] = files;
      if (!first) return say(out, words, "bad", words.ui.unpublished, sha256, name);
      return say(out, words, first.newest ? "ok" : "bad", fill(first.newest ? words.ui.published : words.ui.published_old, first.lot, first.name, first.version), sha256, name);
    } catch {
      return say(out, words, "bad", words.ui.unreached, "", name);
    }
  }

  const any = box.querySelector("#f-any");
  any.addEventListener("change", async () => {
    const files = [...any.files];
    any.value = "";
    if (files.length) await take(files);
  });
  over(box, take);
  box.querySelector("form[method=post]").addEventListener("submit", async (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    const value = parsed(event.target.querySelector("textarea").value);
    held.kept = null;
    if (value) keep("", value, null);
    await judge();
  }, true);
  const dropped = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  if (dropped) {
    const { name, text = "", sha256 } = JSON.parse(dropped);
    if (keep(name, parsed(text), null) && held.kept) judge();
    else lookUp(name, sha256);
  }
}

// --- drawing --------------------------------------------------------------------------------------------------------------------------

function element(name, className = "", ...inside) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...inside);
  return made;
}

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "i");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

function headed(state, title, below) {
  const head = element("h2", "", title);
  head.id = "verdict-head";
  const section = element("section", `verdict verdict--${state}`, element("div", "verdict__h", icon(MARKS[state]), element("div", "", head, ...below)));
  section.setAttribute("aria-labelledby", head.id);
  return section;
}

function told(words, asked) {
  return element("p", "local", icon("ok"), element("b", "", words.ui.done), element("span", "", asked || words.ui.asked_none));
}

function put(out, ...nodes) {
  out.replaceChildren(...nodes);
  out.focus({ preventScroll: false });
}

/** One sentence instead of four answers: of a file that is no receipt, or of one still being read. */
function say(out, words, state, text, sha256 = "", name = "") {
  const section = headed(state, text, name || sha256 ? [element("p", "", name, " ", element("code", "", sha256))] : []);
  put(out, ...(sha256 ? [told(words, fill(words.ui.asked_file, `${sha256.slice(0, 8)}…`))] : []), section);
}

function draw(out, verdict, words) {
  const about = [verdict.number && element("code", "", verdict.number), verdict.number && verdict.about ? " · " : "", verdict.about].filter(Boolean);
  const section = headed(verdict.state, words.headlines[verdict.head], about.length ? [element("p", "", ...about)] : []);
  const list = element("ol");
  for (const { question, state, code, facts } of verdict.answers) {
    const [bold, rest] = words.sentences[code];
    const item = element("li", state, icon(MARKS[state]), element("b", "", words.names[question]), element("div", "", element("em", "", bold), " ", filled(rest, facts)));
    item.dataset.code = code;
    list.append(item);
  }
  section.append(list);
  if (verdict.words.length) {
    section.append(element("dl", "desc verdict__d", element("dt", "", words.ui.words), element("dd", "words", verdict.words.join(" · "))));
    const desc = element("dl", "desc");
    for (const [name, value] of verdict.facts) desc.append(element("dt", "", words.ui[name]), element("dd", "proof", value));
    section.append(element("details", "verdict__m", element("summary", "", words.ui.details), desc));
  }
  const foot = element("div", "verdict__f");
  if (verdict.successor) {
    const link = element("a", "btn btn--s", words.ui.successor);
    link.href = `/bidder/receipts/${verdict.successor}`;
    foot.append(link);
  }
  if (verdict.state === "bad") foot.append(element("b", "stop-ink", words.ui.stop));
  section.append(foot);
  put(out, told(words, verdict.asked && fill(words.ui.asked, verdict.number)), section);
}
