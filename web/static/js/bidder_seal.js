// The page of sealing (desks §9.1): check → choose → seal and upload → submit → receipt. The receipt counts, nothing before it.
import { b64u, unb64u } from "./sb/bytes.js";
import { canonical } from "./sb/canonical.js";
import { layOut } from "./sb/content.js";
import { hashOf, makeSubmission } from "./sb/documents.js";
import { readEnvelope } from "./sb/dsse.js";
import { wrapSeed } from "./sb/keyfile.js";
import { verifyPolicy } from "./sb/policy.js";
import { verifyReceipt } from "./sb/receipts.js";
import { checkStatement, inspect, sealedRoot, TOOL } from "./sb/sealed_bid.js";
import { discard, leftover, sealInWorker } from "./sb/sealer.js";
import { formatTime, seconds } from "./sb/times.js";
import { hourOf, serverNow } from "./clock.js";
import { capitals, checkFiles, fen, grouped, readForm, sizeWords } from "./bidder_form.js";
import { drawLines, follow, sameKeyAsBefore, trustOf } from "./bidder_receipt.js";
import { forget, remember, remembered, sendSealed } from "./bidder_upload.js";
import { marksOf, offer, openRing, post } from "./keys_ring.js";

const box = document.getElementById("sealing");
const held = JSON.parse(box.dataset.held);
const words = JSON.parse(box.dataset.words);
const at = (id) => document.getElementById(id);
const fill = (text, ...values) => values.reduce((whole, value, i) => whole.replace(`{${i}}`, value), text);
const state = { policy: null, files: [], ring: null, sealed: null, sending: null, sealing: null, token: "", envelope: null, busy: false, paused: false };

// --- steps and words --------------------------------------------------------------------------------------------------

function step(here) {
  [...at("steps").children].forEach((item, i) => {
    item.className = i < here ? "done" : i === here ? "here" : "";
    if (i === here) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  });
}

const say = (text) => { at("seal-say").textContent = text; };
const groups = (text) => text.replace(/.{4}(?=.)/g, "$& ");

addEventListener("beforeunload", (event) => {
  if (state.busy) event.preventDefault();
});

// --- 1. check: the keys against the notice, before the first byte ----------------------------------------------------------

async function checkKeys() {
  const lines = [];
  const bad = (text) => lines.push(["bad", text]);
  if (!globalThis.isSecureContext) bad(words.insecure);
  else {
    try {
      const keys = { platformKey: unb64u(held.trust.platform_keys[0], 32), officerKeys: held.officer_keys.map((key) => unb64u(key, 32)) };
      const { policy, id } = await verifyPolicy(held.policy, keys);
      at("policy-mine").textContent = groups(id);
      lines.push(["ok", words.policy_ok]);
      const ours = ["platform", "tender", "lot", "envelope"].every((name) => policy[name] === held[name]);
      if (id === held.published_policy_id && id === held.policy_id && ours) {
        lines.push(["ok", words.notice_ok]);
        state.policy = policy;
      } else bad(fill(words.stop, "CONTEXT_MISMATCH"));
    } catch (fault) {
      bad(fill(words.stop, fault.code ?? String(fault)));
    }
    if (sameKeyAsBefore(held.trust)) lines.push(["ok", words.platform_ok]);
    else { bad(words.platform_no); state.policy = null; }
  }
  lines.push(held.key ? ["ok", words.key_ok] : ["bad", words.key_no]);
  drawLines(at("checks"), lines);
  if (state.policy) step(1);
  else at("bid-fields").disabled = true;
}

// --- 2. choose ----------------------------------------------------------------------------------------------------------

const typed = (key) => at(`a-${key}`).value;
const labelOf = (key) => document.querySelector(`label[for="a-${key}"]`).textContent;

function showSums() {
  for (const { key, type } of held.form) {
    if (type !== "money") continue;
    const amount = fen(typed(key));
    at(`capitals-${key}`).textContent = amount === null ? "" : `${grouped(amount)} · ${capitals(amount)}`;
  }
  const price = fen(typed("price")), ceiling = held.ceiling ? fen(held.ceiling) : null;
  at("sum-price").textContent = price === null ? "–" : grouped(price);
  at("sum-capitals").textContent = price === null ? "" : capitals(price);
  const tag = at("sum-ceiling");
  if (tag) {
    tag.hidden = price === null;
    tag.textContent = price !== null && price > ceiling ? words.over : words.within;
    tag.className = price !== null && price > ceiling ? "tag tag--stop" : "tag tag--ok";
  }
}

function row(name, note, buttons = []) {
  const line = document.createElement("div");
  line.className = "file";
  const ext = document.createElement("span");
  ext.className = "ext";
  ext.textContent = (/\.([A-Za-z0-9]{1,4})$/.exec(name)?.[1] ?? "–").toUpperCase();
  const what = document.createElement("div");
  const title = document.createElement("b");
  title.textContent = name;
  const small = document.createElement("span");
  small.className = "muted small";
  small.textContent = ` ${note}`;
  what.append(title, small);
  line.append(ext, what, ...buttons);
  return line;
}

function showFiles() {
  at("files").replaceChildren(...state.files.map((file, i) => {
    const drop = document.createElement("button");
    drop.type = "button";
    drop.className = "btn btn--s btn--quiet";
    drop.textContent = words.remove;
    drop.addEventListener("click", () => { state.files.splice(i, 1); showFiles(); });
    return row(file.name, sizeWords(file.size), [drop]);
  }));
  const total = state.files.reduce((sum, file) => sum + file.size, 0);
  at("sum-files").textContent = state.files.length ? fill(words.files_n, state.files.length, sizeWords(total)) : "–";
}

function take(list) {
  state.files.push(...list);
  showFiles();
}

function showFaults(faults) {
  const place = at("faults");
  place.hidden = !faults.length;
  place.querySelector("ul").replaceChildren(...faults.map(({ key, text }) => {
    const item = document.createElement("li");
    const link = document.createElement(key ? "a" : "span");
    if (key) link.href = `#a-${key}`;
    link.textContent = text;
    item.append(link);
    return item;
  }));
  for (const { key } of held.form) {
    const mine = faults.find((fault) => fault.key === key);
    const err = at(`ae-${key}`);
    err.hidden = !mine;
    err.textContent = mine?.text ?? "";
    err.closest(".field").classList.toggle("field--bad", Boolean(mine));
    at(`a-${key}`).toggleAttribute("aria-invalid", Boolean(mine));
  }
  if (faults.length) place.focus();
}

/** Everything that can be wrong, at once: `{announce, faults}`. */
async function selfCheck() {
  const { announce, faults } = readForm(held.form, typed, labelOf, words);
  const price = announce.price ? fen(announce.price) : null;
  if (price !== null && held.ceiling && price > fen(held.ceiling)) {
    faults.push({ key: "price", text: fill(words.above, grouped(price), grouped(fen(held.ceiling))) });
  }
  faults.push(...(await checkFiles(state.files, held.max_plen, words, sizeWords)).map((text) => ({ key: "", text })));
  if (!at("key-file").files[0]) faults.push({ key: "", text: words.no_key_file });
  if (!at("key-pass").value) faults.push({ key: "", text: words.no_pass });
  if (Date.parse(held.deadline) <= serverNow()) faults.push({ key: "", text: words.late });
  return { announce, faults };
}

async function openKey() {
  let ring;
  try {
    ring = await openRing(at("key-file").files[0], at("key-pass").value, { party: held.bidder, role: "bidder" });
  } catch (fault) {
    throw Object.assign(new Error(), { told: fault.code === "SHARE_OPEN" ? words.wrong_pass : words.wrong_ring });
  }
  if (ring.keys.ed25519?.kid !== held.key?.kid) throw Object.assign(new Error(), { told: words.other_key });
  return ring;
}

// --- 3. seal and upload ---------------------------------------------------------------------------------------------------

/** Two bars for the form and for each file: where its bytes lie in the content. */
function makeBars(announce) {
  const { manifest, blob, plen } = layOut({ announce, files: state.files.map((file) => ({ name: file.name, type: file.type, blob: file })) });
  let from = blob.size - state.files.reduce((sum, file) => sum + file.size, 0);
  const rows = [{ name: words.form_row, size: canonical(manifest).length, from: 0, to: from }];
  for (const file of state.files) {
    rows.push({ name: file.name, size: file.size, from, to: from + file.size });
    from += file.size;
  }
  for (const one of rows) {
    one.tag = document.createElement("span");
    one.line = row(one.name, sizeWords(one.size), [one.tag]);
    const bars = document.createElement("div");
    bars.className = "bars";
    one.seal = bar(bars, words.sealed, one.name, "p--sealed");
    one.sent = bar(bars, words.sent, one.name, "");
    one.line.append(bars);
  }
  rows.plen = plen;
  at("bars").replaceChildren(...rows.map((one) => one.line));
  return rows;
}

function bar(bars, label, name, kind) {
  const part = document.createElement("div");
  const head = document.createElement("span");
  const left = document.createElement("span");
  const right = document.createElement("span");
  left.textContent = label;
  head.append(left, right);
  const progress = document.createElement("progress");
  progress.max = 100;
  progress.value = 0;
  progress.className = kind;
  progress.setAttribute("aria-label", `${name} ${label}`);
  part.append(head, progress);
  bars.append(part);
  return (share) => {
    progress.value = share;
    right.textContent = `${Math.floor(share)}%`;
    return share;
  };
}

function moveBars(rows, kind, done) {
  for (const one of rows) {
    const share = one.to === one.from ? (done >= one.to ? 100 : 0) : Math.min(100, Math.max(0, ((done - one.from) / (one.to - one.from)) * 100));
    one[`${kind}Share`] = one[kind](share);
    const ready = one.sentShare === 100, going = one.sealShare > 0;
    one.tag.className = ready ? "tag tag--ok" : going ? "tag tag--now" : "tag tag--plain";
    one.tag.textContent = ready ? words.ready : going ? words.running : words.queue;
  }
}

async function sealAndUpload(announce) {
  const rows = makeBars(announce);
  at("progress").hidden = false;
  at("bid-form").hidden = true;
  at("offline").hidden = true;
  at("cancel").hidden = false;
  at("pause").hidden = true;
  moveBars(rows, "sent", -1);
  step(2);
  say(words.sealing);
  const job = { policy: state.policy, bidder: held.bidder, announce, files: state.files.map((file) => ({ name: file.name.normalize("NFC"), type: file.type, blob: file })) };
  if (state.policy.co_opening) job.bidderKey = unb64u(held.key.seal_pk, 32);
  state.sealing = sealInWorker(job, {
    onProgress({ phase, done, total }) {
      if (phase === "seal") moveBars(rows, "seal", (done / total) * rows.plen);
      else say(words.comparing);
    },
  });
  const { file, name, stored, sealed } = await state.sealing.result;
  state.sealing = null;
  state.sealed = sealed;
  if (state.policy.rescue) {
    offer(at("keeper"), `bidhall-keeper-${held.ref}.json`, await wrapSeed(sealed.seed, at("key-pass").value));
  }
  sealed.seed.fill(0);
  const record = {
    name, stored, ctx: sealed.ctx, header_hash: b64u(sealed.headerHash), sealed_root: b64u(sealed.sealedRoot), sealed_size: sealed.sealedSize,
    replaces: held.replaces, at: formatTime(serverNow() / 1000), url: "",
  };
  if (stored === "opfs") remember(held.ref, record);
  await sendFile(file, record, (sent, total) => moveBars(rows, "sent", sent === total ? rows.plen : (sent / total) * rows.plen));
}

async function sendFile(file, record, onBytes) {
  at("progress").hidden = false;
  at("pause").hidden = false;
  say(words.uploading);
  const began = performance.now();
  let first = -1;
  state.sending = sendSealed(file, held, {
    url: record.url || undefined,
    onUrl(url) {
      record.url = url;
      if (record.stored === "opfs") remember(held.ref, record);
    },
    onProgress(sent, total) {
      if (first < 0) first = sent;
      const speed = (sent - first) / Math.max(0.5, (performance.now() - began) / 1000);
      at("pace").textContent = `${sizeWords(sent)} / ${sizeWords(total)}${speed > 0 ? ` · ${sizeWords(Math.round(speed))}/s` : ""}`;
      if (!state.paused) say(words.uploading);
      onBytes(sent, total);
    },
    onLost: () => say(words.lost),
  });
  state.token = await state.sending.done;
  onBytes(1, 1);
  state.sending = null;
  state.record = record;
  at("pause").hidden = true;
  at("cancel").hidden = true;
  say(words.uploaded);
  readyToSubmit();
}

function readyToSubmit() {
  step(3);
  state.busy = false;
  at("submit-go").disabled = !document.getElementById("submit-form") || at("submit-why").dataset.no === "yes";
}

at("pause").addEventListener("click", () => {
  state.paused = !state.paused;
  if (state.paused) state.sending?.pause();
  else state.sending?.resume();
  at("pause").textContent = state.paused ? words.resume : words.pause;
  say(state.paused ? words.paused : words.uploading);
});

at("cancel").addEventListener("click", async () => {
  state.sealing?.cancel();
  if (state.sending) {
    state.sending.cancel();
    await dropKept();
    location.reload();
  }
});

// --- 4. submit: one short request, repeated until an answer comes -----------------------------------------------------------

async function signedSubmission() {
  if (state.envelope) return state.envelope;
  const { record } = state;
  if (record.submission) return (state.envelope = record.submission);
  const sealed = { ctx: record.ctx, headerHash: unb64u(record.header_hash, 32), sealedRoot: unb64u(record.sealed_root, 32), sealedSize: record.sealed_size };
  const made = await makeSubmission({ sealed, replaces: held.replaces, sealedAt: record.at, tool: TOOL, key: state.ring.keys.ed25519 });
  record.submission = made.envelope; // a lost answer is asked for again with these very bytes: the same receipt comes back
  if (record.stored === "opfs") remember(held.ref, record);
  return (state.envelope = made.envelope);
}

async function postUntilAnswered(fields) {
  const marks = marksOf(at("submit-form"));
  for (let turn = 0; ; turn++) {
    try {
      return await post(`/bidder/lots/${held.ref}/acts/submit`, fields, marks);
    } catch (fault) {
      if (fault.status && fault.status < 500) throw fault;
      if (turn === 4) throw Object.assign(new Error(words.no_line), { words: words.no_line });
      say(words.again);
      await new Promise((resolve) => setTimeout(resolve, 1000 * 2 ** turn));
    }
  }
}

at("submit-form")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  at("submit-go").disabled = true;
  state.busy = true;
  say(words.submitting);
  try {
    if (!state.ring && !state.envelope && !state.record?.submission) state.ring = await openKey();
    const envelope = await signedSubmission();
    const answer = await postUntilAnswered({ upload: state.token, submission: JSON.stringify(envelope) });
    state.busy = false;
    if (answer.accepted) await showReceipt(answer, envelope);
    else showRefused(answer);
  } catch (fault) {
    state.busy = false;
    at("submit-go").disabled = false;
    say(fault.told ?? fault.words ?? fill(words.failed, fault.message ?? String(fault)));
  }
});

// --- 5. the receipt -----------------------------------------------------------------------------------------------------------

async function verifyFresh(receipt, statement) {
  const rehearsal = document.querySelector("[data-clock]")?.dataset.rehearsal;
  const now = (rehearsal ? serverNow() : Date.now()) / 1000;
  const trust = await trustOf(held.trust);
  try {
    return [await verifyReceipt(receipt, trust, { statement, now }), true];
  } catch (fault) {
    if (fault.code !== "CONTEXT_MISMATCH" || !fault.facts?.at) throw fault;
    return [await verifyReceipt(receipt, trust, { statement }), false];
  }
}

async function showReceipt(answer, envelope) {
  const value = readEnvelope(envelope, "submission").peek();
  const statement = await hashOf(value);
  const place = at("verified-here");
  at("receipt-place").hidden = false;
  try {
    const [found, inTime] = await verifyFresh(answer.receipt, statement);
    const english = document.documentElement.lang.startsWith("en");
    at("r-c").textContent = groups(answer.c);
    at("r-at").textContent = hourOf(seconds(found.entry.at) * 1000);
    at("r-by").textContent = hourOf(seconds(found.entry.tick_by) * 1000);
    at("r-root").textContent = groups(value.sealed_root);
    at("r-words").textContent = (english ? found.words.en : found.words.zh).join(" · ");
    at("r-lead").textContent = words.lead;
    at("r-file").href = `/bidder/receipts/${answer.c}/file`;
    at("r-page").href = answer.location;
    step(4);
    say(fill(words.submitted, hourOf(seconds(found.entry.at) * 1000)));
    await dropKept();
    at("bid-fields").disabled = true;
    place.dataset.clock = inTime ? "" : words.clock;
    follow(place, `/bidder/receipts/${answer.c}.json`, held.trust, statement, { ...words, key: words.platform_no, late: words.late_log });
    if (!inTime) say(`${fill(words.submitted, hourOf(seconds(found.entry.at) * 1000))} · ${words.clock}`);
  } catch (fault) {
    drawLines(place, [["bad", fill(words.bad, fault.code ?? String(fault))]]);
  }
  at("receipt-place").scrollIntoView({ block: "center" });
}

function showRefused(answer) {
  at("refused").hidden = false;
  at("refused-why").textContent = answer.reason;
  const link = at("refused-proof");
  link.href = answer.location;
  link.hidden = false;
  say("");
}

// --- a sealed file of before: after a reload, or made by the offline tool ---------------------------------------------------

async function dropKept() {
  const record = remembered(held.ref);
  forget(held.ref);
  if (record?.stored === "opfs") await discard(record.name);
}

function offerKept() {
  const record = remembered(held.ref);
  if (!record || !held.open) return;
  const known = held.uploads.find((upload) => record.url.endsWith(upload.token));
  at("kept").hidden = false;
  at("kept-what").textContent = fill(words.kept, hourOf(seconds(record.at) * 1000), known ? `${Math.floor((known.size / known.length) * 100)}%` : "0%");
  at("kept-drop").addEventListener("click", async () => { await dropKept(); at("kept").hidden = true; });
  at("kept-go").addEventListener("click", async () => {
    at("kept-go").disabled = true;
    state.busy = true;
    try {
      if (known?.whole) {
        state.record = record;
        state.token = known.token;
        at("progress").hidden = false;
        at("pause").hidden = at("cancel").hidden = true;
        say(words.uploaded);
        readyToSubmit();
      } else {
        step(2);
        await sendFile(await leftover(record.name), record, () => {});
      }
      at("kept").hidden = true;
    } catch (fault) {
      state.busy = false;
      at("kept-what").textContent = fault.words || words.kept_gone;
      await dropKept();
    }
  });
}

at("offline-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  at("progress").hidden = false;
  try {
    const file = at("o-bid").files[0];
    const envelope = JSON.parse(await at("o-submission").files[0].text());
    const value = readEnvelope(envelope, "submission").peek();
    const info = await inspect(file);
    checkStatement(value, info, await sealedRoot(file, info));
    if (value.policy !== held.policy_id || value.bidder !== held.bidder) throw Object.assign(new Error("policy"), { code: "CONTEXT_MISMATCH" });
    state.busy = true;
    state.envelope = envelope;
    step(2);
    await sendFile(file, { url: "", stored: "file" }, () => {});
  } catch (fault) {
    state.busy = false;
    state.envelope = null;
    say(fault.words || fill(words.offline_bad, fault.code || fault.message));
  }
});

// --- begin ------------------------------------------------------------------------------------------------------------------

at("bid-form").addEventListener("input", showSums);
at("bid-files").addEventListener("change", (event) => { take(event.target.files); event.target.value = ""; });
at("drop").addEventListener("dragover", (event) => event.preventDefault());
at("drop").addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files); });

at("bid-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (state.busy || !state.policy) return;
  const { announce, faults } = await selfCheck();
  showFaults(faults);
  if (faults.length) return;
  state.busy = true;
  at("bid-fields").disabled = true;
  at("seal-why").textContent = words.opening_key;
  try {
    state.ring = await openKey();
    at("seal-why").textContent = "";
    await sealAndUpload(announce);
  } catch (fault) {
    state.busy = false;
    state.sealing = null;
    at("bid-form").hidden = at("offline").hidden = false;
    at("bid-fields").disabled = false;
    at("seal-why").textContent = "";
    step(1);
    if (fault.name === "AbortError") say(words.cancelled);
    else if (fault.told) showFaults([{ key: "", text: fault.told }]);
    else say(fault.words || fill(words.failed, fault.code ? `${fault.code} ${fault.reason ?? fault.why ?? ""}` : fault.message));
  }
});

showSums();
await checkKeys();
offerKept();
