// Step 3: sealing in the worker, the sealed file read back and compared, then the upload; pause, cancel, go on, take along.
import { b64u, unb64u } from "./sb/bytes.js";
import { readEnvelope } from "./sb/dsse.js";
import { wrapSeed } from "./sb/keyfile.js";
import { checkStatement, inspect, sealedRoot } from "./sb/sealed_bid.js";
import { sealInWorker } from "./sb/sealer.js";
import { formatTime } from "./sb/times.js";
import { serverNow } from "./clock.js";
import { barsFor, barsForSealed, moveBars } from "./bidder_bars.js";
import { tell } from "./bidder_choose.js";
import { sizeWords } from "./bidder_form.js";
import { dropDamaged, dropKept, keep, saveBoth, uploadOf } from "./bidder_kept.js";
import { at, fill, held, say, state, step, words, workers } from "./bidder_page.js";
import { readyToSubmit, signedSubmission } from "./bidder_submit.js";
import { sendSealed } from "./bidder_upload.js";
import { offer } from "./keys_ring.js";

const show = (id, visible) => { at(id).hidden = !visible; };

// Browsers hold no worker to an integrity: what they are about to load is asked for first, and a changed byte ends it here.
async function workersUnchanged() {
  try {
    await Promise.all(Object.entries(workers).map(async ([address, integrity]) => (await fetch(address, { integrity })).arrayBuffer()));
  } catch (fault) {
    throw Object.assign(new Error(fault.message), { words: words.changed_file });
  }
}

/** Seal the chosen files with what is announced, compare, upload. Throws AbortError when cancelled. */
export async function sealAndUpload(announce) {
  const files = state.files.map((file) => ({ name: file.name.normalize("NFC"), type: file.type, blob: file }));
  const rows = barsFor(announce, files);
  for (const [id, visible] of [["progress", true], ["bid-form", false], ["offline", false], ["kept", false], ["cancel", false], ["pause", false], ["take", false]]) show(id, visible);
  step(2);
  say(words.sealing);
  await workersUnchanged(); // nothing can be cancelled before there is a worker
  show("cancel", true);
  const job = { policy: state.policy, bidder: held.bidder, announce, files };
  if (state.policy.co_opening) job.bidderKey = unb64u(held.key.seal_pk, 32);
  state.sealing = sealInWorker(job, {
    onProgress({ phase, done, total }) {
      if (phase === "seal") moveBars(rows, "seal", done, total);
      else say(fill(words.comparing, Math.floor((done / total) * 100)));
    },
  });
  const { file, name, stored, sealed } = await state.sealing.result;
  state.sealing = null;
  if (state.policy.rescue) offer(at("keeper"), `bidhall-keeper-${held.ref}.json`, await wrapSeed(sealed.seed, at("key-pass").value));
  sealed.seed.fill(0);
  await dropKept(); // an earlier sealed file of this lot: this one takes its place
  const record = {
    name, stored, ctx: sealed.ctx, header_hash: b64u(sealed.headerHash), sealed_root: b64u(sealed.sealedRoot), sealed_size: sealed.sealedSize,
    at: formatTime(serverNow() / 1000), url: "",
  };
  keep(record);
  await sendFile(file, record, rows);
}

async function sendFile(file, record, rows) {
  state.file = file;
  state.record = record;
  for (const id of ["progress", "pause", "cancel", "take"]) show(id, true);
  state.paused = false;
  at("pause").textContent = words.pause;
  say(words.uploading);
  const began = performance.now();
  let first = -1, lost = false;
  state.sending = sendSealed(file, held, {
    url: record.url,
    onUrl(url) {
      record.url = url;
      keep(record);
    },
    onProgress(sent, total) {
      if (first < 0) first = sent;
      const speed = (sent - first) / Math.max(0.5, (performance.now() - began) / 1000);
      at("pace").textContent = `${sizeWords(sent)} / ${sizeWords(total)}${speed > 0 ? ` · ${sizeWords(Math.round(speed))}/s` : ""}`;
      if (lost && !state.paused) say(words.uploading);
      lost = false;
      moveBars(rows, "sent", sent, total);
    },
    onLost() {
      lost = true;
      if (!state.paused) say(words.lost);
    },
  });
  try {
    state.token = await state.sending.done;
  } finally {
    state.sending = null;
    show("pause", false);
    show("cancel", false);
  }
  moveBars(rows, "sent", 1, 1);
  say(words.uploaded);
  readyToSubmit();
}

/** Whether a file kept on this computer is still the one that was sealed: a machine that went off may not have written all of it. */
async function intact(record, file) {
  const onProgress = (done, total) => say(fill(words.comparing, Math.floor((done / total) * 100)));
  try {
    return b64u(await sealedRoot(file, await inspect(file), { onProgress })) === record.sealed_root;
  } catch {
    return false;
  }
}

/** Go on with a sealed file: kept here, or brought along. `known`: what the server has of it. */
export async function goOn(record, file, known) {
  state.busy = true;
  try {
    step(2);
    if (known?.whole) {
      Object.assign(state, { record, token: known.token, file });
      show("progress", true);
      for (const id of ["pause", "cancel"]) show(id, false);
      show("take", Boolean(file));
      say(words.uploaded);
      readyToSubmit();
      return;
    }
    if (record.stored === "opfs") {
      show("progress", true);
      for (const id of ["pause", "cancel", "take"]) show(id, false);
      if (!(await intact(record, file))) {
        show("progress", false);
        await dropDamaged();
        state.busy = false;
        step(1);
        return;
      }
    }
    if (known) record.url = `/uploads/acts/${known.token}`;
    await sendFile(file, record, barsForSealed(words.sealed_file, record.sealed_size));
  } catch (fault) {
    stopped(fault);
  }
}

/** Back to the choice, saying why. */
export function stopped(fault) {
  state.busy = false;
  state.sealing = state.sending = null;
  show("bid-form", true);
  show("offline", true);
  at("bid-fields").disabled = !state.policy;
  at("seal-why").textContent = "";
  step(1);
  if (fault.name === "AbortError") say(words.cancelled);
  else if (fault.told) {
    show("progress", false);
    tell(fault.told);
  } else say(fault.words || fill(words.failed, fault.code ? `${fault.code} ${fault.reason ?? fault.why ?? ""}` : fault.message));
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
  }
});

/** Sealed file and signed submission as files, to go on at another computer. */
export async function takeAlong(record, file) {
  try {
    state.record = record;
    saveBoth(file, await signedSubmission());
    say(words.taken);
  } catch (fault) {
    if (fault.told) tell(fault.told);
    else say(fill(words.failed, fault.message ?? String(fault)));
  }
}

at("take").addEventListener("click", () => takeAlong(state.record, state.file));

// A sealed file from elsewhere: by the command line, or brought along from another computer. The submission may be signed here.
at("offline-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (state.busy || !state.policy) return;
  const told = (text) => { at("offline-said").textContent = text; };
  told(words.checking);
  try {
    const file = at("o-bid").files[0], signed = at("o-submission").files[0];
    const info = await inspect(file);
    const root = await sealedRoot(file, info);
    const envelope = signed ? JSON.parse(await signed.text()) : null;
    if (envelope) checkStatement(readEnvelope(envelope, "submission").peek(), info, root);
    const ours = { policy: held.policy_id, bidder: held.bidder, lot: held.lot, tender: held.tender, envelope: held.envelope };
    for (const [key, value] of Object.entries(ours)) {
      if (info.ctx[key] !== value) throw Object.assign(new Error(key), { code: "CONTEXT_MISMATCH" });
    }
    const record = {
      name: "", stored: "file", ctx: info.ctx, header_hash: b64u(info.headerHash), sealed_root: b64u(root), sealed_size: info.size,
      at: formatTime(serverNow() / 1000), url: "",
    };
    if (envelope) record.submission = envelope;
    state.envelope = envelope;
    told("");
    await goOn(record, file, uploadOf(record));
  } catch (fault) {
    state.busy = false;
    state.envelope = null;
    told(fault.words || fill(words.offline_bad, fault.code || fault.message));
  }
});

