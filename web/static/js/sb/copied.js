/**
 * Copied boxes (docs/formats/sealed-bid.md §9): two headers made from seeds have no `enc` and no `ct` in common, so whoever shares one with a
 * header that re-derives, and does not re-derive itself, holds a copy. An honest bid re-derives, and is never found here.
 */
import { b64u } from "./bytes.js";
import { SealedBidError } from "./errors.js";
import { joinSeed, rederive } from "./header.js";

/**
 * `headers`: parsed headers of the bids that are to be opened; `parts`: header_hash → Map j → bytes (0: the bidder's own);
 * `seeds`: header_hash → bytes posted in a rescue. Gives the Set of header_hash of the copies.
 */
export async function copies(headers, parts, seeds = {}) {
  const holders = new Map();
  for (const parsed of headers) {
    for (const value of parsed.boxes.flatMap((box) => [box.enc, box.ct])) {
      if (!holders.has(value)) holders.set(value, new Set());
      holders.get(value).add(parsed);
    }
  }
  const together = [...holders.values()].filter((held) => held.size > 1);
  const own = new Map();
  for (const parsed of new Set(together.flatMap((held) => [...held]))) {
    const name = b64u(parsed.headerHash);
    own.set(parsed, await rederives(parsed, parts[name] ?? new Map(), seeds[name]));
  }
  const found = together.filter((held) => [...held].some((one) => own.get(one)));
  return new Set(found.flatMap((held) => [...held].filter((one) => !own.get(one)).map((one) => b64u(one.headerHash))));
}

async function rederives(parsed, parts, seed) {
  const ways = [async () => seed && (await rederive(parsed, seed), true), async () => (await joinSeed(parsed, parts), true)];
  for (const way of ways) {
    try {
      if (await way()) return true;
    } catch (fault) {
      if (!(fault instanceof SealedBidError)) throw fault;
    }
  }
  return false;
}
