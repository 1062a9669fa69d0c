// The receipt checker: everything is computed here; the server is asked only by the hash of an entry or the digest of a file.
import { trustOf } from "./public_trust.js";
import { canonical } from "./sb/canonical.js";
import { b64u, hex } from "./sb/bytes.js";
import { documentHash } from "./sb/documents.js";
import { readEnvelope } from "./sb/dsse.js";
import { verifyReceipt } from "./sb/receipts.js";

const MOST_TEXT = 4_000_000;
const KEY = "bidhall-dropped";

// The box of the front page: a dropped file goes on to the checker.
for (const box of document.querySelectorAll("[data-drop-to]")) {
  over(box, async (file) => {
    if (file.size > MOST_TEXT) {
      sessionStorage.setItem(KEY, JSON.stringify({ name: file.name, sha256: await digestOf(file) }));
    } else {
      sessionStorage.setItem(KEY, JSON.stringify({ name: file.name, sha256: await digestOf(file), text: await textOf(file) }));
    }
    location.assign(box.dataset.dropTo);
  });
}

const desk = document.querySelector("[data-check]");
if (desk) begin(desk);

function over(box, take) {
  box.addEventListener("dragover", (event) => event.preventDefault());
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  });
}

async function textOf(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return "";
  }
}

async function digestOf(file) {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer())));
}

function begin(box) {
  const words = box.dataset;
  const out = document.querySelector("[data-check-result]");
  const held = { receipt: null, other: null };

  async function take(name, text, sha256) {
    const value = parsed(text);
    if (value && typeof value === "object" && "entry" in value) held.receipt = value;
    else if (held.receipt && value) held.other = value;
    else return show([await fileLine(name, sha256, words)], name, [], words, out);
    return show(...(await receiptLines(held, words)), words, out);
  }

  for (const input of box.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", async () => {
      if (input.files.length) await take(input.files[0].name, await textOf(input.files[0]), await digestOf(input.files[0]));
    });
  }
  over(box, async (file) => take(file.name, await textOf(file), await digestOf(file)));
  const form = box.querySelector("form");
  form.addEventListener("submit", async (event) => {
    const area = form.querySelector("textarea");
    const value = parsed(area.value);
    if (!value || !("entry" in value)) return; // the server says what is wrong with it
    event.preventDefault();
    event.stopImmediatePropagation();
    await take("", area.value, "");
  }, true);
  const kept = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  if (kept) {
    const { name, text = "", sha256 } = JSON.parse(kept);
    take(name, text, sha256);
  }
}

function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

async function receiptLines({ receipt, other }, words) {
  const trust = await trustOf(words.check);
  const lines = [];
  let result = null;
  try {
    result = await verifyReceipt({ entry: receipt.entry }, trust);
    lines.push(["ok", words.signatureOk]);
  } catch (fault) {
    return [[["bad", `${words.signatureBad} (${fault.code ?? fault.message})`]], words.title, []];
  }
  lines.push(await digestLine(result, other, words));
  const told = await stateOf(b64u(result.c));
  lines.push(await logLine(receipt, told, trust, result, words));
  lines.push(standLine(told, words));
  const shownWords = document.documentElement.lang.startsWith("en") ? result.words.en : result.words.zh;
  const facts = [[words.factAt, result.entry.at], [words.factLot, `${result.entry.tender}/${result.entry.lot}`], [words.factEvent, result.entry.event],
    [words.factHash, b64u(result.c)], [words.factStatement, result.entry.statement], [words.factWords, shownWords.join(" · ")]];
  return [lines, words.title, facts];
}

async function digestLine(result, other, words) {
  if (!other) return ["open", words.digestOpen];
  let hash;
  try {
    const payload = "payloadType" in other ? readEnvelope(other, kindOf(other)).payload : canonical(other);
    hash = await documentHash(payload);
  } catch (fault) {
    return ["bad", `${words.digestBad} (${fault.code ?? fault.message})`];
  }
  return hash === result.entry.statement ? ["ok", words.digestOk] : ["bad", `${words.digestBad} ${hash}`];
}

const kindOf = (envelope) => /^application\/vnd\.bidhall\.([a-z-]+)\+json;v=1$/.exec(envelope.payloadType)?.[1] ?? "";

async function stateOf(c) {
  try {
    const answer = await fetch(`/check/entries/${c}.json`, { headers: { Accept: "application/json" } });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

async function logLine(receipt, told, trust, result, words) {
  const whole = receipt.proof ? receipt : told?.proof ? { entry: receipt.entry, proof: told.proof } : null;
  if (!whole) {
    if (!told) return ["bad", words.logUnknown];
    return [told.overdue ? "bad" : "open", `${told.overdue ? words.logOverdue : words.logOpen} ${result.entry.tick_by}`];
  }
  try {
    const { proof, unwitnessed } = await verifyReceipt(whole, trust);
    return ["ok", `${words.logOk} ${proof.leaf.at}${unwitnessed ? ` · ${words.unwitnessed}` : ""}`];
  } catch (fault) {
    return ["bad", `${words.logBad} (${fault.code ?? fault.message})`];
  }
}

const standLine = (told, words) => ({
  standing: ["ok", words.standOk], superseded: ["bad", words.standOld], sealed: ["open", words.standSealed], no_bid: ["ok", words.standNone],
}[told?.state] ?? ["open", words.standUnknown]);

async function fileLine(name, sha256, words) {
  try {
    const answer = await fetch(`/check/files/${sha256}.json`, { headers: { Accept: "application/json" } });
    const { files } = await answer.json();
    if (files.length) {
      const [first] = files;
      return [first.newest ? "ok" : "bad", `${first.newest ? words.fileOk : words.fileOld}: ${first.lot} · ${first.name} · ${first.version} · ${sha256}`];
    }
  } catch { /* the sentence below says it */ }
  return ["bad", `${words.fileUnknown}: ${name} · ${sha256}`];
}

function show(lines, title, facts, words, out) {
  const state = lines.some(([s]) => s === "bad") ? "bad" : lines.some(([s]) => s === "open") ? "open" : "ok";
  const box = document.createElement("section");
  box.className = state === "ok" ? "proofbox" : `proofbox proofbox--${state}`;
  const head = document.createElement("h3");
  head.textContent = title;
  const list = document.createElement("ul");
  for (const [s, text] of lines) {
    const item = document.createElement("li");
    item.className = s;
    const spoken = document.createElement("span");
    spoken.className = "sr";
    spoken.textContent = `${words[`spoken${s[0].toUpperCase()}${s.slice(1)}`]}: `;
    const inner = document.createElement("span");
    inner.append(spoken, text);
    item.append(inner);
    list.append(item);
  }
  box.append(head, list);
  if (facts.length) {
    const desc = document.createElement("dl");
    desc.className = "desc";
    for (const [name, value] of facts) {
      const dt = document.createElement("dt");
      const dd = document.createElement("dd");
      dt.textContent = name;
      dd.className = "proof";
      dd.textContent = value;
      desc.append(dt, dd);
    }
    box.append(desc);
  }
  out.replaceChildren(box);
  out.focus({ preventScroll: false });
}
