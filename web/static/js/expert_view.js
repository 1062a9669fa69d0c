// Keys for reading bids: arrows turn pages, Alt and a figure goes to the same page of another bid. Everything is a link without it.
const bids = [...document.querySelectorAll("[data-bids] > *")];

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.target.closest("input, textarea, select, pre")) return;
  let link = null;
  if (!event.altKey && event.key === "ArrowLeft") link = document.querySelector("[data-before]");
  else if (!event.altKey && event.key === "ArrowRight") link = document.querySelector("[data-after]");
  else if (event.altKey && /^Digit[1-9]$/.test(event.code)) link = bids[Number(event.code.slice(5)) - 1];
  if (link?.href) {
    event.preventDefault();
    location.assign(link.href);
  }
});
