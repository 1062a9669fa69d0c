// Sorting a table whose rows are all on the page. Longer lists sort on the server (?sort=). Figures compare as exact numbers, not as floats.
const collator = new Intl.Collator(document.documentElement.lang, { numeric: true });

function keyOf(cell) {
  return (cell?.dataset.sort ?? cell?.textContent ?? "").trim();
}

function exact(text) {
  const match = /^[-−]?[\d,]+(?:\.(\d+))?%?$/.exec(text);
  if (!match) return null;
  const [whole, part = ""] = text.replace("−", "-").replace(/[,%]/g, "").split(".");
  const digits = BigInt(`${whole}${part.padEnd(12, "0").slice(0, 12)}`);
  return digits;
}

function compare(a, b) {
  const [x, y] = [exact(a), exact(b)];
  if (x !== null && y !== null) return x < y ? -1 : x > y ? 1 : 0;
  return collator.compare(a, b);
}

for (const table of document.querySelectorAll("table[data-sortable]")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, at) => {
    if (!head.textContent.trim() || head.querySelector("a, input")) return;
    const button = document.createElement("a");
    button.className = "sort";
    button.href = "#";
    button.setAttribute("role", "button");
    button.replaceChildren(...head.childNodes);
    head.replaceChildren(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", (event) => {
      event.preventDefault();
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((h) => { if (h.hasAttribute("aria-sort")) h.setAttribute("aria-sort", "none"); });
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const body = table.tBodies[0];
      const rows = [...body.rows].map((row, order) => ({ row, order, key: keyOf(row.cells[at]) }));
      rows.sort((a, b) => (up ? compare(a.key, b.key) : compare(b.key, a.key)) || a.order - b.order);
      body.replaceChildren(...rows.map((r) => r.row));
    });
  });
}
