// Warnings on a page with a deadline: said once when less than a day, an hour, ten minutes are left (server time).
import { serverNow } from "./clock.js";

const english = document.documentElement.lang.startsWith("en");
const STEPS = [[600_000, english ? "10 minutes" : "10 分钟"], [3_600_000, english ? "1 hour" : "1 小时"], [86_400_000, english ? "24 hours" : "24 小时"]];

function begin(box) {
  const until = Number(box.dataset.warnAt);
  const bar = document.createElement("p");
  bar.className = "tag tag--warn";
  bar.setAttribute("role", "status");
  bar.hidden = true;
  box.append(bar);
  const turn = () => {
    const left = until - serverNow();
    const step = left > 0 ? STEPS.find(([ms]) => left <= ms) : null;
    const words = step ? box.dataset.warnWords.replace("{0}", step[1]) : "";
    if (words !== bar.textContent) {
      bar.textContent = words;
      bar.hidden = !words;
    }
    if (left > 0) setTimeout(turn, 1000);
  };
  turn();
}

document.querySelectorAll("[data-warn-at]").forEach(begin);
