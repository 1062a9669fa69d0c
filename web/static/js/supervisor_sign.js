// The supervisory body signs in the page: that a late closing stands, and what it found in boxes that key holders reported (the protocol §4, §5.2).
import { keywork, say, serverSeconds } from "./officer_parts.js";
import { ringBytes } from "./keys_ring.js";
import { b64u, unb64u } from "./sb/bytes.js";
import { signDocument } from "./sb/documents.js";
import { need } from "./sb/errors.js";
import { openBox, parseHeader } from "./sb/header.js";
import { unwrapKey } from "./sb/keyfile.js";
import { formatTime } from "./sb/times.js";

keywork("late-close", "supervisor", async ({ ring, list, data }) => {
  const finding = document.getElementById("late-finding").value.trim();
  if (!finding) throw new Error(say("late_finding"));
  const envelope = await signDocument("late-close", { ...data.document, finding, at: formatTime(serverSeconds()) }, ring.keys.ed25519);
  list.ok(say("late_signed", data.document.closing));
  return envelope;
});

keywork("lost", "supervisor", async ({ ring, list, data }) => {
  const made = [];
  // what is signed is what the reader has before the eyes, each once
  const shown = [...document.querySelectorAll("[data-lost]")].map((row) => row.dataset.lost).sort();
  const asked = data.lost.map((one) => one.header_hash).sort();
  need(shown.length > 0 && shown.join() === asked.join(), "CONTEXT_MISMATCH", say("lost_other"));
  for (const one of data.lost) {
    const value = { v: 1, at: formatTime(serverSeconds()), set: one.set, header_hash: one.header_hash, j: 0, code: "SEALED_ROOT" };
    made.push({ document: await signDocument("finding", value, ring.keys.ed25519) });
    list.ok(say("lost_signed", one.header_hash.slice(0, 8)));
  }
  return { fields: { lost: JSON.stringify(made) } };
});

keywork("findings", "supervisor", async ({ ring, list, data }) => {
  const file = document.getElementById("scope-file").files[0];
  const passphrase = document.getElementById("scope-pass");
  if (!file || !passphrase.value) throw new Error(say("scope_choose"));
  const scope = await unwrapKey(await ringBytes(file), passphrase.value);
  const boxes = data.boxes.filter((box) => scope.alg === "x25519" && box.pk === b64u(scope.pub));
  need(boxes.length > 0, "CONTEXT_MISMATCH", say("scope_other"));
  const made = [];
  for (const box of boxes) {
    const header = await parseHeader(unb64u(box.header));
    need(b64u(header.headerHash) === box.header_hash && header.ctx.officers[box.j - 1] === box.pk, "CONTEXT_MISMATCH", "another header");
    let code = "FALSE_COMPLAINT";
    let part = "";
    try {
      part = b64u(await openBox(header, box.j, scope.secret));
      list.ok(say("box_good_found", box.j, box.header_hash.slice(0, 8)));
    } catch (fault) {
      if (fault.code !== "SHARE_OPEN" && fault.code !== "SHARE_COMMIT") throw fault;
      code = fault.code;
      list.open(say("box_bad_found", box.j, box.header_hash.slice(0, 8), code));
    }
    const value = { v: 1, at: formatTime(serverSeconds()), set: data.set, header_hash: box.header_hash, j: box.j, code };
    made.push({ document: await signDocument("finding", value, ring.keys.ed25519), part });
  }
  passphrase.value = "";
  return { fields: { findings: JSON.stringify(made) } };
});
