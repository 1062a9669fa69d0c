// Live updates: server-sent events of a topic; after 30 s of silence it says so and polls each 5 s; on return it replays from the last event.
//
// An event's data is {"html": …} never: Trusted Types forbid it, and so do we. It is {"id": "element", "text": …} for a plain text, or
// {"reload": "element"} to fetch the page again and take over that element, so that there is one template for both.
import { hourOf, serverNow } from "./clock.js";

const SILENCE = 30_000;
const POLL = 5_000;

// The page once more, parsed by the browser's own loader, which needs no markup from a script.
function pageAgain() {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("GET", location.href);
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
    here.replaceWith(adopted);
  }
  return true;
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
  open();
}

document.querySelectorAll("[data-live]").forEach(begin);
