// The report: a number leads to its sum, which opens; printing opens all of them.
const sums = [...document.querySelectorAll("details.opensum")];

function openTarget() {
  const line = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const held = line?.closest("details.opensum");
  if (held) { held.open = true; line.scrollIntoView({ block: "center" }); }
}

addEventListener("hashchange", openTarget);
addEventListener("beforeprint", () => { for (const one of sums) one.open = true; });
openTarget();
