// Countdowns on server time: seen each second, spoken only at 60, 15, 5 and 1 minutes and at the hour itself.
import { serverNow } from "./clock.js";

const two = (n) => String(n).padStart(2, "0");
const english = document.documentElement.lang.startsWith("en");
const units = english ? ["d", "h", "min", "s"] : ["天", "时", "分", "秒"];

function draw(box, left) {
  const face = box.querySelector(".t");
  const s = Math.max(0, Math.ceil(left / 1000));
  const parts = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60, s % 60];
  const pieces = [];
  if (parts[0]) {
    parts.forEach((n, i) => {
      const unit = document.createElement("small");
      unit.textContent = units[i];
      pieces.push(i ? two(n) : String(n), unit);
    });
  } else {
    pieces.push(parts[1] ? `${two(parts[1])}:${two(parts[2])}:${two(parts[3])}` : `${two(parts[2])}:${two(parts[3])}`);
  }
  face.replaceChildren(...pieces);
}

function begin(box) {
  const until = Number(box.dataset.until);
  const voice = document.createElement("span");
  voice.className = "countsay";
  voice.setAttribute("role", "status");
  box.append(voice);
  let before = until - serverNow();
  let over = before <= 0;
  const turn = () => {
    const left = until - serverNow();
    draw(box, left);
    for (const minutes of [60, 15, 5, 1]) {
      if (before > minutes * 60_000 && left <= minutes * 60_000) voice.textContent = box.dataset.minutes.replace("{0}", String(minutes));
    }
    if (left <= 0 && !over) {
      over = true;
      voice.textContent = box.dataset.over;
      box.dispatchEvent(new CustomEvent("hour", { bubbles: true }));
    }
    before = left;
    if (left > 0 && box.isConnected) setTimeout(turn, 1000 - (((serverNow() % 1000) + 1000) % 1000) + 5);
  };
  if (over) return;
  turn();
}

document.querySelectorAll("[data-until]").forEach(begin);
document.addEventListener("taken", (event) => event.target.querySelectorAll("[data-until]").forEach(begin)); // brought by a live update
