// The bidder's own copy of a sealed file whose bytes are broken on the platform: checked here, sent, handed in.
import { sendSealed } from "./bidder_upload.js";

const form = document.getElementById("copy-form");
const go = document.getElementById("copy-go");
const say = document.getElementById("copy-say");

form?.addEventListener("submit", async (event) => {
  if (form.elements.upload.value) return;
  event.preventDefault();
  const file = document.getElementById("copy-file").files[0];
  const words = form.dataset;
  if (!file || file.size !== Number(words.size)) {
    say.textContent = file ? words.other : words.choose;
    return;
  }
  go.disabled = true;
  try {
    const sent = sendSealed(file, { ref: words.lot, envelope: words.envelope, copy: true }, {
      onProgress: (done, total) => { say.textContent = `${Math.floor((100 * done) / total)} %`; },
      onLost: () => { say.textContent = words.lost; },
    });
    form.elements.upload.value = await sent.done;
    form.requestSubmit();
  } catch (fault) {
    say.textContent = fault.words || fault.message;
    go.disabled = false;
  }
});
