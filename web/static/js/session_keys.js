// Keys of a sign-in, kept by this browser under the mark of that sign-in, as keys no script can read out. They are forgotten on signing
// out, on any page that nobody is signed in on, and when a page of another sign-in asks for them.
const NAME = "bidhall-session-keys";

function opened() {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore("keys");
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}

async function store(mode, act) {
  const base = await opened();
  try {
    return await new Promise((resolve, reject) => {
      const asked = act(base.transaction("keys", mode).objectStore("keys"));
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(asked.error);
    });
  } finally {
    base.close();
  }
}

/** What this sign-in has kept, or null; what another has kept is forgotten. */
export async function keptKeys(mark) {
  try {
    const held = await store("readonly", (keys) => keys.get("ring"));
    if (held && mark && held.mark === mark) return held.value;
    if (held) await forgetKeys();
  } catch {
    return null; // private windows of some browsers keep nothing: the file is opened again
  }
  return null;
}

/** Keep keys for as long as this sign-in lasts. */
export async function keepKeys(mark, value) {
  try {
    if (mark) await store("readwrite", (keys) => keys.put({ mark, value }, "ring"));
  } catch {
    // kept for this page only
  }
}

export function forgetKeys() {
  return new Promise((resolve) => {
    const asked = indexedDB.deleteDatabase(NAME);
    asked.onsuccess = asked.onerror = asked.onblocked = () => resolve();
  });
}

if (!document.querySelector("[data-session-ends]")) forgetKeys();
document.addEventListener("submit", (event) => {
  if (event.target.getAttribute("action") === "/account/acts/sign-out") forgetKeys();
});
