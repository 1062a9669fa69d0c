// When the platform gives no answer to "Submit": the digest of the signed submission, signed with the bidder's key, as a file to be left at
// the digest drop. The drop is another origin, so nothing is sent from here; the file names neither project nor bidder.
import { b64u } from "./sb/bytes.js";
import { hashOf } from "./sb/documents.js";
import { readEnvelope, signEnvelope } from "./sb/dsse.js";
import { publicOf } from "./sb/keys.js";
import { openKey } from "./bidder_choose.js";
import { at, held, say, state } from "./bidder_page.js";
import { signedSubmission } from "./bidder_submit.js";

/** `{key, signed}` as the drop takes it (crypto/drops.py). */
async function signedDigest() {
  const envelope = await signedSubmission();
  state.ring ??= await openKey();
  const key = state.ring.keys.ed25519;
  const digest = await hashOf(readEnvelope(envelope, "submission").peek());
  const signed = await signEnvelope("drop-digest", { digest, platform: held.platform, v: 1 }, [key]);
  return { key: b64u(await publicOf("ed25519", key.secret)), signed };
}

document.addEventListener("bid:no-answer", () => {
  at("drop-place").hidden = false;
  at("drop-place").scrollIntoView({ block: "center" });
});

at("drop-save")?.addEventListener("click", async () => {
  try {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(await signedDigest(), null, 1)], { type: "application/json" }));
    link.download = `digest-${held.ref}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    at("drop-next").hidden = false;
  } catch (fault) {
    say(fault.told ?? fault.message ?? String(fault));
  }
});
