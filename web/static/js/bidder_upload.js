// The upload of a sealed file: resumable (tus), goes on by itself when the line breaks, however long that takes.
const CHUNK = 16 << 20;
const WITH_ITS_ANNOUNCEMENT = 1 << 20; // what is no larger comes in one request: one answer to wait for, and little to send again
const RETRY = [0, 1000, 3000, 5000, 10_000];
const LONG_MS = 15_000;

/** Whether trying again can help: no line, a busy server, an offset that moved. */
function again(fault) {
  const status = fault.originalResponse?.getStatus() ?? 0;
  return status === 0 || status === 400 || status === 409 || status === 423 || status === 429 || status >= 500;
}

/**
 * Upload a sealed File or Blob. `held`: `{ref, envelope, copy}`; `copy`: of a bid whose bytes are broken on the platform; `url`: of an upload begun before.
 * `onProgress(sent, total)`, `onUrl(url)`, `onLost()`. Gives `{done: promise of the token, pause(), resume(), cancel()}`;
 * `done` rejects with `{code, words}` where the platform refused, with an AbortError after `cancel()`; a lost line never ends it.
 */
export function sendSealed(file, held, { url, onProgress, onUrl, onLost } = {}) {
  let upload, timer = 0, lost = false, paused = false, cancelled = () => {};
  const lose = () => { lost = true; onLost?.(); };
  const start = () => { clearTimeout(timer); if (!paused) upload.start(); };
  const hasten = async () => {
    if (!lost || paused) return;
    await upload.abort();
    start();
  };
  const done = new Promise((resolve, reject) => {
    cancelled = () => reject(new DOMException("the upload was cancelled", "AbortError"));
    upload = new globalThis.tus.Upload(file, {
      endpoint: "/uploads/acts", uploadUrl: url || null, chunkSize: CHUNK, retryDelays: RETRY, storeFingerprintForResuming: false,
      uploadDataDuringCreation: file.size <= WITH_ITS_ANNOUNCEMENT,
      metadata: { lot: held.ref, envelope: held.envelope, ...(held.copy ? { copy: "yes" } : {}) }, headers: { Accept: "application/json" },
      onProgress(sent, total) {
        lost = false;
        onProgress?.(sent, total);
      },
      onUploadUrlAvailable: () => onUrl?.(upload.url),
      onShouldRetry(fault) {
        if (again(fault)) lose();
        return again(fault);
      },
      onSuccess: () => resolve(upload.url.split("/").pop()),
      onError(fault) {
        if (!again(fault)) return reject(toldBy(fault));
        lose();
        timer = setTimeout(start, LONG_MS);
        return undefined;
      },
    });
    addEventListener("online", hasten);
    start();
  });
  const ended = done.finally(() => { clearTimeout(timer); removeEventListener("online", hasten); });
  ended.catch(() => {});
  const halt = () => { paused = true; clearTimeout(timer); upload.abort(); };
  return {
    done: ended, pause: halt,
    resume: () => { paused = false; start(); },
    cancel: () => { halt(); cancelled(); },
  };
}

function toldBy(fault) {
  try {
    const told = JSON.parse(fault.originalResponse.getBody());
    return Object.assign(new Error(told.words), { code: told.code, reason: told.facts?.reason ?? "", words: told.words });
  } catch {
    return Object.assign(new Error(fault.message), { code: "", reason: "", words: "" });
  }
}
