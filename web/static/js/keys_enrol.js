// Enrolling a key (the protocol §2): make or open a key file, keep it, answer the challenge, sign the enrolment, hand it in.
import { b64u } from "./sb/bytes.js";
import { newKeyring } from "./sb/keyfile.js";
import { answerEnrolmentChallenge, makeEnrolment } from "./sb/keys.js";
import { formatTime } from "./sb/times.js";
import { serverNow } from "./clock.js";
import { keyWords } from "./keys_recovery.js";
import { fingerprint, marksOf, offer, openRing, post } from "./keys_ring.js";

const LEAST = 10;
const SECONDS_A_KEY = 2;
const box = document.getElementById("make");
const held = JSON.parse(box.dataset.held);
const words = JSON.parse(box.dataset.words);
const at = (id) => document.getElementById(id);
const form = at("make-form");
const fill = (text, value) => text.replace("{0}", value);
let ring = null;

const say = (text, place = "k-say") => { at(place).textContent = text; };

function told(fault) {
  if (fault.code === "SHARE_OPEN") return words.wrong;
  if (fault.code === "FORMAT" || fault.code === "CONTEXT_MISMATCH" || fault.code === "JSON_PROFILE") return words.ring;
  return fill(words.failed, fault.words ?? fault.message ?? String(fault));
}

function picked(name) {
  return form.elements[name]?.value ?? "";
}

function show() {
  for (const part of form.querySelectorAll("[data-for]")) {
    part.hidden = ![picked("source"), picked("consent")].includes(part.dataset.for);
  }
}

async function makeOrOpen() {
  const passphrase = at("k-pass").value;
  if (picked("source") === "file") return openRing(at("k-file").files[0], passphrase, held);
  if (passphrase.length < LEAST) throw { words: words.short };
  if (passphrase !== at("k-pass2").value) throw { words: words.differ };
  say(fill(words.making, held.needs_seal || held.role === "officer" ? 2 * SECONDS_A_KEY : SECONDS_A_KEY));
  return newKeyring({ party: held.party, role: held.role, passphrase });
}

form.addEventListener("change", show);
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!globalThis.isSecureContext) { say(words.context); return; }
  at("k-make").disabled = true;
  try {
    if (picked("consent") === "old" && !at("k-old").files[0]) throw { words: words.old };
    if (picked("consent") === "lost" && !at("k-reason").value.trim()) throw { words: words.why };
    ring = await makeOrOpen();
    const spoken = (await keyWords("ed25519", ring.keys.ed25519.pub))[document.documentElement.lang.startsWith("zh") ? "zh" : "en"].join(" · ");
    const print = `${await fingerprint("ed25519", ring.keys.ed25519.pub)} · ${words.words}: ${spoken}`;
    if (ring.bytes) {
      offer(at("k-download"), ring.name, ring.bytes);
      at("k-enrol").disabled = true;
      say(`${fill(words.made, ring.name)} ${words.fingerprint}: ${print}`);
    } else {
      at("k-enrol").disabled = false;
      say(`${words.fingerprint}: ${print}`);
    }
    at("k-enrol").hidden = false;
  } catch (fault) {
    say(fault.words && !fault.code ? fault.words : told(fault));
  } finally {
    at("k-make").disabled = false;
  }
});
at("k-download").addEventListener("click", () => { at("k-enrol").disabled = false; });

/** The envelope, signed by the new key and, unless it is lost, the one that stands. */
async function enrolment(old) {
  return makeEnrolment({
    platform: held.platform, party: held.party, role: held.role, key: ring.keys.ed25519, sealPk: held.needs_seal ? ring.keys.x25519.pub : undefined,
    replaces: old ?? (held.current ? { kid: held.current.kid } : undefined), at: formatTime(serverNow() / 1000),
  });
}

async function handIn(envelope, target = at("enrol-form")) {
  const marks = marksOf(target);
  let answer = "";
  if (held.needs_seal) {
    const challenge = await post("/account/keys/acts/challenge", { seal_pk: b64u(ring.keys.x25519.pub) }, marks);
    answer = await answerEnrolmentChallenge(ring.keys.x25519.secret, challenge);
  }
  target.elements.enrolment.value = JSON.stringify(envelope);
  target.elements.answer.value = answer;
  target.submit();
}

at("k-enrol").addEventListener("click", async () => {
  at("k-enrol").disabled = true;
  try {
    say(words.enrolling);
    if (!held.current) await handIn(await enrolment());
    else if (picked("consent") === "old") {
      const old = await openRing(at("k-old").files[0], at("k-oldpass").value, held);
      await handIn(await enrolment(old.keys.ed25519));
    } else {
      at("ask-form").elements.reason.value = at("k-reason").value.trim();
      await handIn(await lostRequest(), at("ask-form"));
    }
  } catch (fault) {
    say(told(fault));
    at("k-enrol").disabled = false;
  }
});

/** A request without the lost key's signature: the new key's alone, naming the key it replaces. */
async function lostRequest() {
  const both = await enrolment({ ...ring.keys.ed25519, kid: held.current.kid });
  const own = both.signatures.filter((one) => one.keyid === ring.keys.ed25519.kid);
  return { ...both, signatures: own };
}

show();
