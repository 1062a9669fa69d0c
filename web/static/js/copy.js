// Buttons that copy a value: [data-copy="text"], data-done says so. Shown only where a page can copy; the values beside them can be selected.
async function copied(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    return true;
  } catch {
    const value = document.getElementById(button.dataset.from);
    if (!value) return false;
    getSelection().selectAllChildren(value); // selected, so that the keyboard's own copy takes it
    return false;
  }
}

const voice = document.createElement("p");
voice.className = "sr";
voice.setAttribute("role", "status");
document.querySelector("main")?.append(voice);

for (const button of document.querySelectorAll("[data-copy]")) {
  const words = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const said = (await copied(button)) ? button.dataset.done : button.dataset.press;
    button.textContent = said;
    button.classList.add("done");
    voice.textContent = `${button.getAttribute("aria-label")}: ${said}`;
    setTimeout(() => { button.textContent = words; button.classList.remove("done"); voice.textContent = ""; }, 4000);
  });
}
