// Co-opening: the bidder opens box 0 of its own bid and signs its part, all in the page (the protocol §5 step 3).
import { keywork, say, serverSeconds } from "./officer_parts.js";
import { packageTrust } from "./enrolled_keys.js";
import { unb64u, b64u } from "./sb/bytes.js";
import { checkDocument, makeBidderPart, setName } from "./sb/documents.js";
import { verifyAny } from "./sb/dsse.js";
import { need } from "./sb/errors.js";
import { openBox, parseHeader } from "./sb/header.js";
import { formatTime } from "./sb/times.js";

keywork("part", "bidder", async ({ ring, list, data }) => {
  need(ring.keys.x25519 && ring.keys.ed25519, "FORMAT", say("no_x25519"));
  const { platformKey } = await packageTrust(data.trust);
  const { value, payload } = await verifyAny(data.opening_set, "opening-set", platformKey);
  checkDocument("opening-set", value);
  const set = await setName(payload);
  need(set === data.set, "CONTEXT_MISMATCH", "another set than the one signed");
  const parsed = await parseHeader(unb64u(data.header));
  const name = b64u(parsed.headerHash);
  need(value.bids.some((bid) => bid.header_hash === name), "SET_OMISSION", say("not_in_set"));
  need(parsed.ctx.bidder === ring.party && parsed.ctx.envelope === value.envelope && parsed.ctx.tender === value.tender && parsed.ctx.lot === value.lot,
    "CONTEXT_MISMATCH", "another's header");
  list.ok(say("in_set"));
  const part = await openBox(parsed, 0, ring.keys.x25519.secret);
  list.ok(say("part_good"));
  const made = await makeBidderPart({ headerHash: parsed.headerHash, part, set, at: formatTime(serverSeconds()), key: ring.keys.ed25519 });
  return made.envelope ?? made;
});
