// Forms: the summary of faults takes the focus, a form is sent once, printing, page shortcuts, rows ticked for a batch.
// "Please fill this in" alone does not say what: the summary names the field by its label.
for (const link of document.querySelectorAll("[data-errors] a[data-name-field]")) {
  const field = document.getElementById(link.hash.slice(1));
  const label = field?.labels?.[0] ?? field?.querySelector("legend");
  if (label) link.textContent = `${label.textContent.trim()}${document.documentElement.lang.startsWith("zh") ? "：" : ": "}${link.textContent}`;
}
document.querySelector("[data-errors]")?.focus();

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || !form.matches("[data-once]")) return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "yes";
});
addEventListener("pageshow", () => document.querySelectorAll("[data-sent]").forEach((form) => delete form.dataset.sent));

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

// A menu closes when one presses Escape or looks elsewhere.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "Escape") document.querySelectorAll(".band details[open]").forEach((menu) => { menu.open = false; });
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    const search = document.querySelector('input[type="search"]');
    if (search) { event.preventDefault(); search.focus(); }
  }
  if (event.key === "?") location.assign(document.querySelector("[data-help]")?.href ?? "/help");
});
document.addEventListener("click", (event) => {
  document.querySelectorAll(".band details[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
});

// Ticking all rows of a table at once, and saying how many are ticked.
for (const all of document.querySelectorAll("[data-tick-all]")) {
  const table = all.closest("table");
  const boxes = () => [...table.querySelectorAll('tbody input[type="checkbox"]:not(:disabled)')];
  const say = () => {
    const n = boxes().filter((box) => box.checked).length;
    all.checked = n > 0 && n === boxes().length;
    all.indeterminate = n > 0 && !all.checked;
    const place = document.querySelector("[data-ticked]");
    if (place) place.textContent = String(n);
  };
  all.addEventListener("change", () => { boxes().forEach((box) => { box.checked = all.checked; }); say(); });
  table.addEventListener("change", say);
  say();
}

// On a narrow window the rail and the band's links are strips that scroll: where one is stands in view.
for (const here of document.querySelectorAll(".rail [aria-current], .band nav [aria-current]")) {
  for (let strip = here.parentElement; strip && strip !== document.body; strip = strip.parentElement) {
    if (strip.scrollWidth <= strip.clientWidth || getComputedStyle(strip).overflowX !== "auto") continue;
    const [mine, around] = [here.getBoundingClientRect(), strip.getBoundingClientRect()];
    if (mine.right > around.right || mine.left < around.left) strip.scrollLeft += mine.left - around.left - (around.width - mine.width) / 2;
    break;
  }
}
