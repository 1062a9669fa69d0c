// What is ticked in the refund queue, added up as one ticks. Whole fen, so nothing is rounded. Without scripts the page gives the sum of all rows.
const form = document.getElementById("prepare");
const out = form?.querySelector("[data-picked]");
const all = form?.querySelector("[data-pick-all]");
const boxes = form ? [...form.querySelectorAll("input[name=refs]")] : [];

function yuan(fen) {
  const text = String(fen).padStart(3, "0");
  return `${text.slice(0, -2).replace(/\B(?=(\d{3})+$)/g, ",")}.${text.slice(-2)}`;
}

function tell() {
  const picked = boxes.filter((box) => box.checked);
  const sum = picked.reduce((fen, box) => fen + BigInt(box.dataset.fen), 0n);
  out.textContent = out.dataset.words.replace("{n}", picked.length).replace("{sum}", yuan(sum));
}

if (out && boxes.length) {
  out.hidden = all.hidden = false;
  form.addEventListener("change", tell);
  all.addEventListener("click", () => {
    const on = boxes.some((box) => !box.checked);
    boxes.forEach((box) => { box.checked = on; });
    tell();
  });
  tell();
}
