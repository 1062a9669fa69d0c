// Forms of preparation: what filing still lacks, fields that go with a choice, the list of divisions, caps and sums asked while typing.
// Without this file everything is checked when the form is saved.
const valueOf = (form, name) => {
  const radio = form.querySelector(`input[type="radio"][name="${name}"]:checked`);
  return (radio ?? form.elements[name])?.value?.trim() ?? "";
};

// A field or row marked data-only="name=value|value" belongs to these choices; "name" alone to any choice but none; of several rules with a
// blank between each must hold.
const fits = (form, rules) => rules.split(" ").every((rule) => {
  const [name, wanted] = rule.split("=");
  if (!form.elements[name]) return true;
  const value = valueOf(form, name);
  return wanted === undefined ? value !== "" : wanted.split("|").includes(value);
});

for (const form of document.querySelectorAll("[data-agency-form] form")) {
  const rows = [...document.querySelectorAll("[data-needs]")];
  const only = [...document.querySelectorAll("[data-only]")];
  const told = document.querySelector("[data-missing]");
  const say = () => {
    for (const part of only) part.hidden = !fits(form, part.dataset.only);
    let open = 0;
    for (const row of rows) {
      const there = valueOf(form, row.dataset.needs) !== "";
      row.classList.toggle("is-there", there);
      row.querySelector("[data-state]").textContent = there ? row.dataset.there : row.dataset.open;
      if (!there && !row.hidden) open += 1;
    }
    if (told) told.textContent = open ? told.dataset.some.replace("{n}", String(open)) : told.dataset.none;
  };
  form.addEventListener("input", say);
  form.addEventListener("change", say);
  say();
}

// The whole list of divisions comes when the field is first used; the nearest ones stand in the page.
for (const field of document.querySelectorAll("[data-regions]")) {
  field.addEventListener("focus", async () => {
    const list = field.list;
    const known = new Set([...list.options].map((one) => one.value));
    const answer = await fetch(field.dataset.regions, { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer?.ok) return; // the nearest ones still stand there, and any code or name may be typed
    const more = document.createDocumentFragment();
    for (const label of await answer.json()) {
      if (known.has(label)) continue;
      const option = document.createElement("option");
      option.value = label;
      more.append(option);
    }
    list.append(more);
  }, { once: true });
}

// The server's own rules, asked shortly after the last key: nothing is saved by asking.
for (const box of document.querySelectorAll("[data-check]")) {
  const form = box.querySelector("form");
  let waiting = 0;
  let asked = 0;
  const ask = async () => {
    const mine = ++asked;
    const answer = await fetch(box.dataset.check, {
      method: "POST", body: new FormData(form), headers: { Accept: "application/json" },
    }).catch(() => null);
    if (!answer?.ok || mine !== asked) return;
    const found = await answer.json();
    for (const place of box.querySelectorAll("[data-check-of]")) {
      const line = found.fields[place.dataset.checkOf];
      place.textContent = line?.text ?? "";
      place.className = `checked checked--${line?.tone ?? "none"}`;
    }
    for (const place of document.querySelectorAll("[data-check-sum]")) {
      place.textContent = found.sum?.text ?? "";
      place.className = `checked checked--${found.sum?.tone ?? "none"}`;
    }
  };
  const soon = (event) => {
    if (event.target.type === "file") return;
    clearTimeout(waiting);
    waiting = setTimeout(ask, 400);
  };
  form.addEventListener("input", soon);
  form.addEventListener("change", soon);
  ask();
}
