// The wall of the centre comes anew by itself, page after page, as long as the house answers; when it does not, what is shown stays.
const EVERY = 30_000;
const next = document.body.dataset.renew;

function renew() {
  fetch(next, { method: "HEAD", cache: "no-store" }).then((answer) => { if (answer.ok) location.replace(next); }).catch(() => {});
}

setInterval(renew, EVERY);
document.addEventListener("hour", () => setTimeout(renew, 2_000));
