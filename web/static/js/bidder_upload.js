// The upload of a sealed file: resumable (tus), goes on by itself when the line breaks, remembers where it was after a reload.
const CHUNK = 16 << 20;
const RETRY = [0, 1000, 3000, 5000, 5000, 10_000, 10_000, 30_000, 30_000];

/**
 * Upload a sealed File or Blob. `held`: `{ref, envelope}`; `url`: of an upload begun before.
 * `onProgress(sent, total)`, `onUrl(url)`, `onLost()`. Gives `{done: promise of the token, pause(), resume(), cancel()}`;
 * `done` rejects with `{code, words}` where the platform refused.
 */
export function sendSealed(file, held, { url, onProgress, onUrl, onLost } = {}) {
  let upload;
  const done = new Promise((resolve, reject) => {
    upload = new globalThis.tus.Upload(file, {
      endpoint: "/uploads/acts", uploadUrl: url ?? null, chunkSize: CHUNK, retryDelays: RETRY, storeFingerprintForResuming: false,
      metadata: { lot: held.ref, envelope: held.envelope }, headers: { Accept: "application/json" },
      onProgress, onUploadUrlAvailable: () => onUrl?.(upload.url),
      onShouldRetry(fault) {
        const status = fault.originalResponse?.getStatus() ?? 0;
        const again = status === 0 || status === 400 || status === 409 || status === 423 || status === 429 || status >= 500;
        if (again) onLost?.();
        return again;
      },
      onSuccess: () => resolve(upload.url.split("/").pop()),
      onError: (fault) => reject(toldBy(fault)),
    });
    upload.start();
  });
  done.catch(() => {});
  return { done, pause: () => upload.abort(), resume: () => upload.start(), cancel: () => upload.abort() };
}

function toldBy(fault) {
  try {
    const told = JSON.parse(fault.originalResponse.getBody());
    return Object.assign(new Error(told.words), { code: told.code, reason: told.facts?.reason ?? "", words: told.words });
  } catch {
    return Object.assign(new Error(fault.message), { code: "", reason: "", words: "" });
  }
}

const keyOf = (ref) => `bidhall-sealed-${ref}`;

/** What is remembered of a sealed file on this machine: no secret, no price; enough to go on and to sign. */
export function remember(ref, record) {
  localStorage.setItem(keyOf(ref), JSON.stringify(record));
}

export function remembered(ref) {
  try {
    return JSON.parse(localStorage.getItem(keyOf(ref)));
  } catch {
    return null;
  }
}

export const forget = (ref) => localStorage.removeItem(keyOf(ref));
