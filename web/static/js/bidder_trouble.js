// A bidder whose bid went wrong: the keeper file's seed checked and signed in the page, or a claim that the platform lost a bid it signed for.
import { checklist, faultWords, fetchJson, say, serverSeconds } from "./officer_parts.js";
import { openRing, ringBytes } from "./keys_ring.js";
import { b64u, fromUtf8, unb64, unb64u } from "./sb/bytes.js";
import { makeOmissionClaim, makeRescue } from "./sb/documents.js";
import { need } from "./sb/errors.js";
import { H } from "./sb/hashes.js";
import { parseHeader, rederive } from "./sb/header.js";
import { unwrapKey } from "./sb/keyfile.js";
import { formatTime } from "./sb/times.js";

const at = (id) => document.getElementById(id);

function working(form, button, run) {
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const list = checklist(form.querySelector("[data-checks]"));
    list.clear();
    button.disabled = true;
    try {
      await run(list);
    } catch (fault) {
      list.bad(faultWords(fault));
      button.disabled = false;
    }
  });
}

working(at("rescue-form"), at("rescue-go"), async (list) => {
  const [keeper, file] = [at("keeper").files[0], at("key-file").files[0]];
  if (!keeper || !file || !at("keeper-pass").value || !at("key-pass").value) throw new Error(say("keeper_choose"));
  list.going(say("opening"));
  const data = await fetchJson(at("rescue-form").dataset.from);
  const seed = await unwrapKey(await ringBytes(keeper), at("keeper-pass").value);
  need(seed.alg === "seed", "FORMAT", say("keeper_other"));
  list.ok(say("keeper_open"));
  const header = await parseHeader(unb64u(data.header));
  need(b64u(header.headerHash) === data.header_hash, "CONTEXT_MISMATCH", say("keeper_other"));
  await rederive(header, seed.secret);
  list.ok(say("keeper_fits"));
  list.going(say("opening"));
  const ring = await openRing(file, at("key-pass").value, { party: data.bidder, role: "bidder" });
  list.ok(say("opened", ring.party));
  const now = formatTime(serverSeconds());
  const envelope = await makeRescue({ headerHash: header.headerHash, seed: seed.secret, set: data.set, at: now, key: ring.keys.ed25519 });
  list.going(say("sent"));
  at("rescue-post").elements.rescue.value = JSON.stringify(envelope);
  at("rescue-post").requestSubmit();
});

async function receiptOf(file) {
  try {
    const receipt = JSON.parse(fromUtf8(new Uint8Array(await file.arrayBuffer())));
    const payload = unb64(receipt.entry.payload);
    return { receipt, entry: b64u(await H("log", payload)), envelope: JSON.parse(fromUtf8(payload)).envelope };
  } catch {
    throw new Error(say("receipt_bad"));
  }
}

working(at("claim-form"), at("claim-go"), async (list) => {
  const [paper, file] = [at("receipt-file").files[0], at("key-file").files[0]];
  if (!paper || !file || !at("key-pass").value) throw new Error(say("receipt_choose"));
  const { receipt, entry, envelope } = await receiptOf(paper);
  list.going(say("opening"));
  const facts = JSON.parse(at("claim-form").dataset.facts);
  const ring = await openRing(file, at("key-pass").value, { party: facts.bidder, role: "bidder" });
  list.ok(say("opened", ring.party));
  const signed = await makeOmissionClaim({ ...facts, envelope, entry, at: formatTime(serverSeconds()), key: ring.keys.ed25519 });
  list.ok(say("receipt_named", entry.slice(0, 12)));
  const target = at("claim-post").elements;
  target.claim.value = JSON.stringify(signed);
  target.receipt.value = JSON.stringify(receipt);
  at("claim-post").requestSubmit();
});
