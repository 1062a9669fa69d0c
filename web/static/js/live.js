// Live updates: server-sent events of a topic; after 30 s of silence it says so and polls each 5 s; on return it asks from the last event on.
//
// An event's data is {"html": …} never: Trusted Types forbid it, and so do we. It is {"id": "element", "text": …} for a plain text, or
// {"reload": "element"} to fetch the page again and take over that element, so that there is one template for both. A form somebody is
// filling in is kept as it is, with its cursor; countdowns of the new part begin to run ("taken").
import { hourOf, serverNow } from "./clock.js";
import { pageAddress } from "./page.js";

const SILENCE = 30_000;
const POLL = 5_000;

// The page once more, parsed by the browser's own loader, which needs no markup from a script.
function pageAgain() {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("GET", pageAddress());
    request.responseType = "document";
    request.onload = () => resolve(request.status === 200 ? request.responseXML : null);
    request.onerror = () => resolve(null);
    request.send();
  });
}

async function take(ids) {
  const fresh = await pageAgain();
  if (!fresh) return false;
  for (const id of ids) {
    const here = document.getElementById(id);
    const there = fresh.getElementById(id);
    if (!here || !there || here.isEqualNode(there)) continue;
    const adopted = document.importNode(there, true);
    mark(here, adopted);
    const put = keepTyped(here, adopted);
    here.replaceWith(adopted);
    put();
    adopted.dispatchEvent(new CustomEvent("taken", { bubbles: true }));
  }
  return true;
}

const nameOf = (form) => [form.getAttribute("action"), ...[...form.querySelectorAll('input[type="hidden"]')]
  .filter((field) => !["csrf_token", "form_id", "version"].includes(field.name)).map((field) => `${field.name}=${field.value}`)].join("|");

const isTyped = (field) => (field.type === "file" ? field.files.length > 0
  : field.type === "checkbox" || field.type === "radio" ? field.checked !== field.defaultChecked
    : field.options ? [...field.options].some((one) => one.selected && !one.defaultSelected && one.index > 0)
      : field.type !== "hidden" && field.defaultValue !== undefined && field.value !== field.defaultValue);

// Forms with something typed, or with the cursor in them, move over as they are; one whose act is no longer offered goes.
function keepTyped(old, fresh) {
  const cursor = old.contains(document.activeElement) ? document.activeElement : null;
  const [from, to] = cursor && typeof cursor.selectionStart === "number" ? [cursor.selectionStart, cursor.selectionEnd] : [null, null];
  for (const form of old.querySelectorAll("form[action]")) {
    const typing = form.contains(cursor) && cursor.matches("input, textarea, select");
    if (!typing && ![...form.elements].some(isTyped)) continue;
    const there = [...fresh.querySelectorAll("form[action]")].find((one) => nameOf(one) === nameOf(form));
    if (!there) continue;
    const around = there.closest("details");
    if (around && form.closest("details")?.open) around.open = true;
    there.replaceWith(form);
  }
  const again = cursor?.id ? `#${CSS.escape(cursor.id)}` : "";
  return () => {
    const place = cursor?.isConnected ? cursor : again && document.querySelector(again);
    if (!place) return;
    place.focus({ preventScroll: true });
    if (from !== null && place === cursor) place.setSelectionRange(from, to);
  };
}

function mark(old, fresh) {
  const before = new Set([...old.querySelectorAll("tr, li")].map((row) => row.textContent));
  const rows = fresh.querySelectorAll("tr, li");
  for (const row of rows) {
    if (!before.has(row.textContent)) {
      row.classList.add("is-new");
      setTimeout(() => row.classList.remove("is-new"), 3_000);
    }
  }
}

function begin(bar) {
  const watched = [...document.querySelectorAll("[data-live-part]")].map((part) => part.id).filter(Boolean);
  let last = bar.dataset.last;
  let heard = Date.now();
  let polling = 0;
  let source = null;

  const alive = () => {
    heard = Date.now();
    bar.classList.remove("is-on");
    bar.textContent = "";
    bar.dataset.at = hourOf(serverNow());
    clearInterval(polling);
    polling = 0;
  };
  const open = () => {
    source?.close();
    source = new EventSource(bar.dataset.live + (last ? `?after=${encodeURIComponent(last)}` : ""));
    source.addEventListener("open", alive);
    source.addEventListener("beat", alive);
    source.addEventListener("message", async (event) => {
      alive();
      if (event.lastEventId) last = event.lastEventId;
      let told;
      try { told = JSON.parse(event.data); } catch { return; }
      if (told.text !== undefined && told.id) {
        const place = document.getElementById(told.id);
        if (place) place.textContent = told.text;
      } else {
        await take(told.reload ? [].concat(told.reload) : watched);
      }
    });
  };
  setInterval(() => {
    if (Date.now() - heard <= SILENCE || polling) return;
    bar.classList.add("is-on");
    bar.textContent = bar.dataset.lost.replace("{0}", bar.dataset.at || hourOf(serverNow()));
    polling = setInterval(async () => {
      try { if (await take(watched)) bar.dataset.at = hourOf(serverNow()); } catch { /* still away */ }
      if (source?.readyState === EventSource.CLOSED) open();
    }, POLL);
  }, 1_000);
  bar.dataset.at = hourOf(serverNow());
  document.addEventListener("hour", () => setTimeout(() => take(watched), 2_000)); // a button that waits for an hour is no event of the lot
  open();
}

document.querySelectorAll("[data-live]").forEach(begin);
