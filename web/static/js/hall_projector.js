// The reader's keys: arrows and page keys turn a line, on the projector by its links, on the host's page by its forms; f fills the screen.
const NEXT = new Set(["ArrowRight", "ArrowDown", "PageDown"]);
const BACK = new Set(["ArrowLeft", "ArrowUp", "PageUp"]);

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select, [contenteditable]") || event.ctrlKey || event.metaKey || event.altKey) return;
  const wanted = NEXT.has(event.key) ? "[data-next]" : BACK.has(event.key) ? "[data-prev]" : "";
  const button = wanted && document.querySelector(wanted);
  if (button && !button.disabled) {
    event.preventDefault();
    button.click();
  }
  if (event.key === "f" && document.body.classList.contains("projector")) document.documentElement.requestFullscreen?.();
});

document.addEventListener("hour", () => setTimeout(() => location.reload(), 2_000)); // the screen of the room turns by itself at the hour
