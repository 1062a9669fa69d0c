// Replacing a bid: the moment the new receipt is on the page, the banner of the one before gives way, and says that it is superseded.
const [banner, place] = ["standing", "receipt-place"].map((id) => document.getElementById(id));
const over = document.getElementById("standing-over");

if (banner && place && over) {
  const watch = new MutationObserver(() => {
    if (place.hidden || !document.getElementById("r-c").textContent) return; // not before the page has proved the new receipt
    watch.disconnect();
    banner.replaceWith(over.content.cloneNode(true));
  });
  watch.observe(place, { attributes: true, childList: true, subtree: true, characterData: true });
}
