// Pages of bids beside the cell: an image made apart from the file, the pins on it, the same page of every other bid below.
import { say } from "./officer_parts.js";

const told = new Map();

/** A page of a bid's file: `{pages, image, text, reason}`; asked once. */
async function pageOf(base, { bid, place, page }) {
  const address = `${base}/view/${bid}/${place}/${page}.json`;
  if (!told.has(address)) {
    told.set(address, fetch(address, { headers: { Accept: "application/json" } })
      .then((answer) => (answer.ok ? answer.json() : { pages: 0, reason: say("page_none") }))
      .catch(() => { told.delete(address); return { pages: 0, reason: say("page_offline") }; }));
  }
  return told.get(address);
}

const percent = (part) => `${part / 10}%`;

function mark(pin, on) {
  const box = document.createElement("span");
  box.className = `pinbox${on ? " on" : ""}${pin.w * pin.h === 1_000_000 ? " pinbox--whole" : ""}`;
  Object.assign(box.style, { left: percent(pin.x), top: percent(pin.y), width: percent(pin.w), height: percent(pin.h) });
  const no = document.createElement("b");
  no.textContent = pin.n;
  box.append(no);
  return box;
}

/** The reader of the room. `turned(view)` hears of every page it goes to; `pinned(box)` of every box drawn on one. */
export function reader(leaf, base, { turned, pinned }) {
  const image = leaf.querySelector("[data-page-image]"), text = leaf.querySelector("[data-page-text]"), none = leaf.querySelector("[data-page-none]");
  const sheet = leaf.querySelector("[data-page-sheet]"), where = leaf.querySelector("[data-page-where]"), layer = leaf.querySelector("[data-page-pins]");
  const files = leaf.querySelector("[data-page-file]"), pin = leaf.querySelector("[data-pin]"), whole = leaf.querySelector("[data-pin-whole]");
  let view = null, from = null, ghost = null;

  async function show(next, pins = []) {
    view = next;
    for (const list of files.querySelectorAll("optgroup")) list.hidden = list.disabled = list.dataset.bid !== next.bid;
    files.value = `${next.bid}/${next.place}`;
    const page = await pageOf(base, next);
    if (view !== next) return; // another was asked for meanwhile
    leaf.querySelector("[data-page-bid]").textContent = next.name;
    where.textContent = page.pages ? say("page_of", next.page, page.pages) : say("page_no_image");
    image.hidden = !page.image;
    if (page.image) { image.src = page.image; image.alt = say("page_alt", next.name, next.page); }
    text.hidden = !page.text;
    text.textContent = page.text ?? "";
    none.hidden = Boolean(page.image || page.text);
    none.querySelector("p").textContent = page.reason ?? "";
    none.querySelector("a").href = `${base}/files/${next.bid}/${next.place}`;
    leaf.querySelector("[data-page-before]").disabled = next.page <= 1;
    leaf.querySelector("[data-page-next]").disabled = next.page >= page.pages;
    pin.disabled = whole.disabled = !(page.image || page.text);
    draw(pins);
  }

  function draw(pins, on = 0) {
    const here = pins.filter((one) => one.place === view.place && one.page === view.page);
    layer.replaceChildren(...here.map((one) => mark(one, one.n === on)));
  }

  const go = (change) => turned({ ...view, ...change });
  leaf.querySelector("[data-page-before]").addEventListener("click", () => go({ page: view.page - 1 }));
  leaf.querySelector("[data-page-next]").addEventListener("click", () => go({ page: view.page + 1 }));
  leaf.querySelector("[data-page-zoom]").addEventListener("click", (event) => {
    event.currentTarget.setAttribute("aria-pressed", String(leaf.classList.toggle("is-large")));
  });
  files.addEventListener("change", () => go({ place: Number(files.value.split("/")[1]), page: 1 }));
  leaf.addEventListener("keydown", (event) => {
    if (event.target.closest("select, input, button") || event.altKey || event.ctrlKey || event.metaKey) return;
    const button = { ArrowLeft: "before", ArrowRight: "next", PageUp: "before", PageDown: "next" }[event.key];
    if (button) { event.preventDefault(); leaf.querySelector(`[data-page-${button}]`).click(); }
  });

  // Pins: a box is drawn with the pointer while the button is pressed; or the whole page, by the keyboard.
  const pinning = (on) => {
    pin.setAttribute("aria-pressed", String(on));
    sheet.classList.toggle("is-pinning", on);
    whole.hidden = !on;
  };
  const at = (event) => {
    const around = layer.getBoundingClientRect();
    const part = (value, size) => Math.round(Math.min(Math.max(value / size, 0), 1) * 1000);
    return { x: part(event.clientX - around.left, around.width), y: part(event.clientY - around.top, around.height) };
  };
  const between = (a, b) => ({ x: Math.min(a.x, b.x), y: Math.min(a.y, b.y), w: Math.abs(a.x - b.x), h: Math.abs(a.y - b.y) });
  const done = (box) => { pinning(false); pinned({ place: view.place, page: view.page, ...box }); };
  pin.addEventListener("click", () => pinning(pin.getAttribute("aria-pressed") !== "true"));
  whole.addEventListener("click", () => done({ x: 0, y: 0, w: 1000, h: 1000 }));
  layer.addEventListener("pointerdown", (event) => {
    if (pin.getAttribute("aria-pressed") !== "true") return;
    event.preventDefault();
    layer.setPointerCapture(event.pointerId);
    from = at(event);
  });
  layer.addEventListener("pointermove", (event) => {
    if (!from) return;
    ghost?.remove();
    ghost = mark({ n: "", ...between(from, at(event)) }, true);
    layer.append(ghost);
  });
  layer.addEventListener("pointerup", (event) => {
    if (!from) return;
    const box = between(from, at(event));
    from = null;
    ghost?.remove();
    // A mere press pins the line under it.
    done(box.w < 8 || box.h < 4 ? { x: 0, y: Math.max(0, box.y - 12), w: 1000, h: Math.min(24, 1000 - Math.max(0, box.y - 12)) } : box);
  });
  return { show, draw, pin: () => { leaf.scrollIntoView({ block: "nearest" }); pinning(true); whole.focus(); } };
}

/** A small picture of a page, or none. */
export async function thumb(image, base, view) {
  const page = await pageOf(base, view);
  image.hidden = !page.image;
  if (page.image) image.src = page.image;
}
