// The recovery sheet: the wrapped key file joins the page as a code and as lines, here, to be printed. Nothing is sent.
import { ringBytes } from "./keys_ring.js";
import { qrPicture } from "./keys_qr.js";
import { sheetOf } from "./keys_recovery.js";
import { readKeyring } from "./sb/keyfile.js";
import { need } from "./sb/errors.js";

const box = document.getElementById("fill");
const held = JSON.parse(box.dataset.held);
const words = JSON.parse(box.dataset.words);
const at = (id) => document.getElementById(id);

at("s-file").addEventListener("change", async () => {
  at("backup").hidden = true;
  try {
    const bytes = await ringBytes(at("s-file").files[0]);
    const ring = readKeyring(bytes);
    need(ring.party === held.party && ring.role === held.role, "CONTEXT_MISMATCH", words.ring);
    const signing = ring.files.find((one) => one.alg === "ed25519");
    need(signing?.pub === held.current.sign_pk, "CONTEXT_MISMATCH", words.former);
    const { code, lines } = await sheetOf(bytes);
    at("s-code").replaceChildren(qrPicture(code, words.code));
    at("s-lines").replaceChildren(...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })));
    at("backup").hidden = false;
    at("s-say").textContent = words.filled;
  } catch (fault) {
    at("s-say").textContent = fault.code === "CONTEXT_MISMATCH" ? fault.why : words.ring;
  }
});
