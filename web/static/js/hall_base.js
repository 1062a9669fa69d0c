// The base price is bound in this page: price and a fresh salt are hashed, the file is saved, the hash alone goes to the platform.
import { b64u } from "./sb/bytes.js";
import { canonical, canonicalText } from "./sb/canonical.js";
import { H, random } from "./sb/hashes.js";

for (const box of document.querySelectorAll("[data-base-price]")) {
  box.hidden = false;
  const bad = box.querySelector("[data-bad]");
  const field = document.getElementById("bp-price");
  box.querySelector("[data-make]").addEventListener("click", async () => {
    box.querySelector("[data-made]").hidden = true;
    const price = field.value.trim();
    bad.hidden = /^(0|[1-9][0-9]{0,12})\.[0-9]{2}$/.test(price);
    field.setAttribute("aria-invalid", String(!bad.hidden));
    if (!bad.hidden) { field.focus(); return; }
    const { platform, tender, lot } = box.dataset;
    const value = { v: 1, platform, tender, lot, price, salt: b64u(random(32)) };
    document.querySelector("#bind-base [name=commitment]").value = b64u(await H("base-price", canonical(value)));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([canonicalText(value)], { type: "application/json" }));
    link.download = `base-price-${tender}-${lot}.json`;
    link.click();
    box.querySelector("[data-made]").hidden = false;
  });
}
