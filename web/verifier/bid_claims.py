"""Claims `deadline` and `sealed_bids`: who came in time, that the set is theirs, and each bid what its bidder signed (K2, K3, K4, A3)."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from crypto import sealed_bid
from crypto.canonical import H, b64u, later, unb64u
from crypto.errors import CryptoError
from crypto.headers import Header, parse_header
from crypto.opening import LEFT_SEALED, LISTED_EVENTS, replay, set_id
from crypto.policies import DRILL, check_context, policy_id
from crypto.policy_lines import Generation, generation_of, generations
from crypto.receipts import claim_counts, claims_end, verify_receipt
from crypto.ticks import is_late_close
from crypto.trust import check_cosigned
from crypto.verdicts import DEAD, policy_dead
from web.verifier.log_claims import Log, entry_list
from web.verifier.material import BID, PRICE, Document, Entry, Material

ACCEPTED = ("bid-received", "bid-replaced", "bid-withdrawn")


def check(material: Material, log: Log) -> None:
    """Both claims. Never refuses."""
    findings = material.findings
    parts = [BID]
    with findings.guard("sealed_bids", "B_POLICY", "policy/"):
        parts = material.parts()
    for part in dict.fromkeys(
        [*parts, *(str(e.value["envelope"]) for e in material.of_event("policy"))]
    ):  # those of draws too
        with findings.guard("sealed_bids", "B_POLICY", "policy/"):
            _check_policies(material, part)
    for part in parts:
        with findings.guard("deadline", "B_LATE", "the deadline"):
            _check_deadline(material, log, part)
        with findings.guard("sealed_bids", "B_SET", "the opening set"):
            _check_set(material, part)
        for entry in material.of_event("omission-claim", envelope=part):
            with findings.guard("sealed_bids", "B_SET", f"claim of omission {entry.c}"):
                _check_claim(material, log, entry, part)
        for document in _counted(material, part):
            with findings.guard("sealed_bids", "B_BID", f"bid {document.value['header_hash']}"):
                _check_bid(material, document, part)
    for part in parts if len(parts) > 1 else ():
        with findings.guard("sealed_bids", "B_SET", f"what stays sealed of {part}"):
            _check_left_sealed(material, part)


# --- A3 -------------------------------------------------------------------------------------------------------------------------------


def _check_policies(material: Material, part: str) -> None:
    """Signed by all (A1), logged before publication, tried by every officer; extended only before the deadline that moves."""
    chain = material.chain(part)
    if not chain:
        raise CryptoError("CONTEXT_MISMATCH", "no policy of the bids")
    published = material.of_event("published")
    entries = {
        policy_id(material.spoken_of(e).value): e
        for e in material.of_event("policy")
        if e.value["statement"] in material.documents
    }
    first = entries[policy_id(chain[0])]
    if published and first.tick > published[0].tick:
        raise CryptoError("CONTEXT_MISMATCH", "the policy was logged after the publication")
    found = generations(chain)
    for old, new in pairwise(chain):
        logged = entries[policy_id(new)]
        if logged.proven is None or not logged.proven.at < old["deadline"]:
            raise CryptoError("CONTEXT_MISMATCH", "a policy that came at or after the deadline then in force")
        if published and logged.tick < published[0].tick:
            raise CryptoError("CONTEXT_MISMATCH", "a policy superseded before the publication that names it")
    in_line = {policy_id(policy) for policy in chain}
    for name, entry in entries.items():
        if (
            entry.value["envelope"] == part
            and name not in in_line
            and (not published or entry.tick > published[0].tick)
        ):
            raise CryptoError("CONTEXT_MISMATCH", f"policy {name} stands beside the line of the published one")
    if published:
        named = material.spoken_of(published[0]).value["policies"]
        for one in named:
            if one not in entries or entries[one].tick > published[0].tick:
                raise CryptoError(
                    "CONTEXT_MISMATCH", f"published policy {one} is not in the log before the publication"
                )
        if policy_id(chain[0]) not in named:
            raise CryptoError("CONTEXT_MISMATCH", "another policy than the one published")
        _check_drills(material, named, published[0].tick)
    where = {"tender": material.lot["tender"], "lot": material.lot["lot"], "platform": material.lot["platform"]}
    if any(policy[name] != value for policy in chain for name, value in where.items()):
        raise CryptoError("CONTEXT_MISMATCH", "a policy of another lot")
    policy = chain[-1]
    words = f"policy of {policy['t']} of {policy['n']} officers, signed and tried by all"
    if len(found) > 1:
        dead = sum(not one.alive for one in found)
        words += f"; officers replaced {len(found) - 1} times, {dead} earlier generations dead"
    material.findings.checked("sealed_bids", words)


def _check_drills(material: Material, policies: list[str], published: int) -> None:
    done: dict[str, set[int]] = {}
    for entry in material.of_event("drill"):
        drill = material.spoken_of(entry).value
        if entry.tick <= published:
            done.setdefault(drill["policy"], set()).add(drill["j"])
    for document in material.of_kind("policy"):
        name = policy_id(document.value)
        missing = set(range(1, document.value["n"] + 1)) - done.get(name, set())
        if name in policies and missing:
            raise CryptoError(
                "CONTEXT_MISMATCH", f"officers who did not open the drill bid of {name}: {sorted(missing)}"
            )


# --- K2 -------------------------------------------------------------------------------------------------------------------------------


def _check_deadline(material: Material, log: Log, part: str) -> None:
    entries = material.of_event("deadline", envelope=part)
    if not entries:
        return
    policy = material.chain(part)[-1]
    entry = entries[0]
    document = material.spoken_of(entry).value
    if document["deadline"] != policy["deadline"] or document["policy"] != policy_id(policy):
        raise CryptoError("CONTEXT_MISMATCH", "a deadline of another policy")
    closing, due = entry.shown, later(policy["deadline"], 60)
    if closing.at < due:
        raise CryptoError("TICK_PROOF", "the deadline entry is in a tick before the closing one")
    if closing.tick > log.first and log.leaf(closing.tick - 1)["at"] >= due:
        raise CryptoError("TICK_PROOF", "there was an earlier closing tick")
    shown = log.shown.get(closing.tick + 1)
    if shown is None:
        raise CryptoError("TICK_PROOF", "the closing checkpoint is not shown")
    check_cosigned(type(closing)(closing.leaf, shown), material.trust)
    if is_late_close(closing.at, policy["deadline"]):
        _check_late_close(material, entry, closing.tick, part)
    for one in material.of_event(*LISTED_EVENTS, envelope=part):
        if one.event in ACCEPTED and not one.at < policy["deadline"]:
            material.findings.fault(
                "deadline", "B_LATE", f"{one.event} {one.c} was accepted at {one.at}, deadline {policy['deadline']}"
            )
        if one.event in ACCEPTED and one.tick > closing.tick:
            material.findings.fault(
                "deadline", "B_LATE", f"{one.event} {one.c} is in tick {one.tick}, after the closing tick"
            )
    for one in material.of_event("opening-set", "shares", envelope=part):
        after = claims_end(closing.at, policy["opens_at"]) if one.event == "shares" else policy["opens_at"]
        if one.at < after or (one.event == "opening-set" and one.tick <= closing.tick):
            material.findings.fault("deadline", "B_LATE", f"{one.event} {one.c} at {one.at}, not before {after}")
    unwitnessed = ", unwitnessed" if material.trust.unwitnessed else ""
    words = f"{_of(part)}deadline {policy['deadline']}, closing tick {closing.tick} at {closing.at}{unwitnessed}"
    material.findings.checked("deadline", words)


def _check_late_close(material: Material, deadline: Entry, closing: int, part: str) -> None:
    for entry in material.of_event("late-close", envelope=part):
        found = material.spoken_of(entry).value
        if found["closing"] == closing and found["deadline"] == deadline.c:
            early = [one for one in material.of_event("opening-set", envelope=part) if one.at < entry.at]
            if early:
                raise CryptoError(
                    "UNAVAILABLE", f"the set was published at {early[0].at}, before the late closing was confirmed"
                )
            material.findings.checked(
                "deadline", f"a closing that came late, confirmed by the supervisory body at {entry.at}"
            )
            return
    raise CryptoError("UNAVAILABLE", "the closing tick came more than 10 minutes late and no late-close confirms it")


# --- K3 -------------------------------------------------------------------------------------------------------------------------------


def _check_set(material: Material, part: str) -> None:
    """What was received less what was replaced or withdrawn is the set; and every entry that had to be on the list is on it."""
    if f"entries/lists/{part}.json" not in material.archive.files:
        if material.of_event("opening-set", envelope=part):
            raise CryptoError("SET_OMISSION", "a set without the list it follows from")
        return
    listed = set(entry_list(material, part))
    closing = material.of_event("deadline", envelope=part)[0]
    for entry in material.of_event(*LISTED_EVENTS, envelope=part):
        if entry.c not in listed and entry.tick <= closing.tick:
            material.findings.fault(
                "sealed_bids", "B_SET", f"{entry.event} {entry.c} is missing from the list of all that came"
            )
        if entry.c in listed and entry.tick > closing.tick:
            material.findings.fault(
                "sealed_bids", "B_SET", f"{entry.event} {entry.c} is on the list, but in a later tick"
            )
    sets = material.of_event("opening-set", envelope=part)
    if not sets and not material.of_kind("submission"):
        return  # a lot that failed unopened: who bid is shown to nobody but the archive
    found = _replayed(material, listed, part)
    if sets:
        if len(sets) > 1:
            raise CryptoError("SET_CONFLICT", "two opening sets")
        opening_set = material.spoken_of(sets[0]).value
        if opening_set["deadline"] != closing.c or opening_set["policy"] != policy_id(material.chain(part)[-1]):
            raise CryptoError("CONTEXT_MISMATCH", "a set of another deadline or policy")
        if opening_set["bids"] != found:
            raise CryptoError("SET_CONFLICT", "the set is not the one the list gives")
        _check_opened(material, opening_set, part)
    material.findings.checked("sealed_bids", f"{_of(part)}{len(listed)} entries listed, {len(found)} bids stand")


def _check_claim(material: Material, log: Log, entry: Entry, part: str) -> None:
    """A claim that counts convicts: the platform signed an entry that is not where it belongs (K3); in a gap it declared, too, and that is
    told then: a declaration excuses checkpoints and no bid. The archive also shows that nothing was opened before the supervisory body
    had settled it."""
    claim = material.spoken_of(entry).value
    receipt = verify_receipt(
        json.loads(material.archive.read(f"claims/{claim['entry']}.json")),
        material.trust.platform_keys,
        material.trust.log_key,
        material.trust.witnesses,
    )
    if b64u(receipt.c) != claim["entry"]:
        raise CryptoError("CONTEXT_MISMATCH", "the receipt shown is of another entry than the one claimed")
    closing = material.of_event("deadline", envelope=part)[0]
    policy, listed = material.chain(part)[-1], set(entry_list(material, part))
    proof_at = receipt.proven.at if receipt.proven is not None else ""
    if not claim_counts(closing=closing.shown.at, opens_at=policy["opens_at"], proof_at=proof_at, filed_at=entry.at):
        raise CryptoError("CONTEXT_MISMATCH", "a claim taken although it came too late to count")
    held = material.entries.get(claim["entry"])
    if claim["entry"] not in listed or held is None or held.tick > closing.tick:
        if receipt.proven is not None and any(gap.covers(receipt.proven.checkpoint) for gap in log.lost):
            material.findings.told("sealed_bids", "claim_lost", claim["entry"])
        material.findings.fault(
            "sealed_bids", "B_SET", f"LOG_OMISSION: {claim['entry']} was signed for and is not in ticks and list"
        )
    else:
        shown = {row["entry"] for d in [material.set_of(part)] if d for row in d.value["bids"]}
        current = {row["entry"] for row in _replayed(material, listed, part)}
        if claim["entry"] not in current or claim["entry"] in shown:
            raise CryptoError("CONTEXT_MISMATCH", "a claim about an entry that stands where it belongs")
        material.findings.fault(
            "sealed_bids", "B_SET", f"SET_OMISSION: {claim['entry']} is current by the list and not in the set"
        )
    _check_settled(material, entry, claim["entry"], part)


def _check_settled(material: Material, entry: Entry, c: str, part: str) -> None:
    if not material.audit:
        return
    acts = [
        d.value
        for d in material.of_kind("act")
        if d.value["act"] == "claim.settle" and d.value["facts"].get("entry") == c
    ]
    settled = min((act["at"] for act in acts), default="")
    for one in material.of_event("opening-set", "shares", "opened", envelope=part):
        if one.at > entry.at and (not settled or one.at < settled):
            material.findings.fault(
                "deadline", "B_LATE", f"{one.event} at {one.at}, while claim {entry.c} was not settled"
            )


def _replayed(material: Material, listed: set[str], part: str) -> list[dict[str, str]]:
    rows = [material.entries[c].value for c in sorted(listed) if c in material.entries]
    documents = {d.hash: d.value for kind in ("submission", "withdrawal") for d in material.of_kind(kind)}
    return replay(rows, documents, tender=material.lot["tender"], lot=material.lot["lot"], envelope=part)


def _check_opened(material: Material, opening_set: dict[str, Any], part: str) -> None:
    for entry in material.of_event("opened", envelope=part):
        opened = material.spoken_of(entry).value
        if opened["set"] != set_id(opening_set):
            raise CryptoError("SET_CONFLICT", "an opening list of another set")
        if [row["header_hash"] for row in opened["bids"]] != [row["header_hash"] for row in opening_set["bids"]]:
            raise CryptoError("SET_OMISSION", "the opening list is not of just the bids of the set")
        line, left = material.generations(part), material.left_sealed(set_id(opening_set))
        for row in opened["bids"]:
            if row["header_hash"] not in left:
                _check_dead(row, generation_of(line, header_of(material, row["header_hash"]).ctx["policy"]))


def _check_dead(row: dict[str, Any], generation: Generation) -> None:
    """A bid whose officers were replaced to the point that nobody opens it is listed as that, with their cause; and no other is."""
    wanted = policy_dead(row["header_hash"], generation)
    said = (row["verdict"], row["cause"])
    if (said != (wanted.code, wanted.cause)) if not generation.alive else (row["verdict"] == DEAD):
        words = f"{row['header_hash']} is listed as {said[0]} {said[1]}, its generation is {'alive' if generation.alive else 'dead'}"
        raise CryptoError("POLICY_DEAD", words)


def _of(part: str) -> str:
    return "" if part == BID else f"{part} envelope: "


# --- two envelopes -------------------------------------------------------------------------------------------------------------------


def technical_result(material: Material) -> tuple[Entry, set[str]] | None:
    """The entry of the technical result and the bidders who passed; None where it was never fixed. Refuses: SET_CONFLICT for two."""
    found = [d for d in material.of_kind("act") if d.value["act"] == "technical.fix"]
    if len(found) > 1:
        raise CryptoError("SET_CONFLICT", "two technical results")
    if not found:
        return None
    (entry,) = material.logged(found[0])
    return entry, set(found[0].value["facts"]["passed"])


def _check_left_sealed(material: Material, part: str) -> None:
    """What stays sealed is just what must: lone envelopes, and prices of who did not pass; said before any share, listed as unopened."""
    opening_set = material.set_of(part)
    if opening_set is None:
        return
    left = material.left_sealed(set_id(opening_set.value))
    bidders = {d.value["header_hash"]: d.value["bidder"] for d in material.of_kind("submission")}
    listed = {row["header_hash"] for row in opening_set.value["bids"]}
    if part == PRICE:
        fixed = technical_result(material)
        entries = material.of_event("opening-set", envelope=PRICE)
        if fixed is None or fixed[0].tick > entries[0].tick or fixed[0].at > entries[0].at:
            raise CryptoError("SET_CONFLICT", "prices were listed before the technical result was fixed")
        wanted = {name for name in listed if bidders[name] not in fixed[1]}
    elif f"entries/lists/{PRICE}.json" in material.archive.files and material.set_of(PRICE) is not None:
        whole = {bidders[row["header_hash"]] for row in material.set_of(PRICE).value["bids"]}  # type: ignore[union-attr]
        wanted = {name for name in listed if bidders[name] not in whole}
    else:
        wanted = set(left) & listed  # who handed in a price is not shown of a lot that ended before its prices
    if set(left) != wanted:
        raise CryptoError("SET_CONFLICT", f"stays sealed: {sorted(left)}, but should: {sorted(wanted)}")
    said = [e for d in material.of_kind("bid-failed") if d.value["header_hash"] in left for e in material.logged(d)]
    shares = material.of_event("shares", envelope=part)
    if any(e.value["envelope"] != part or any(e.at > s.at or e.tick > s.tick for s in shares) for e in said):
        raise CryptoError("SET_CONFLICT", "what stays sealed was not said before the shares")
    for document in material.lists_of(part):
        for row in document.value["bids"]:
            unopened = row["verdict"] == LEFT_SEALED and row["cause"] == left.get(row["header_hash"])
            if unopened is not (row["header_hash"] in left):
                raise CryptoError("SET_CONFLICT", f"{row['header_hash']} is listed as {row['verdict']}")
    if left:
        material.findings.checked("sealed_bids", f"{_of(part)}{len(left)} of the set stay sealed, as they must")


# --- K4 -------------------------------------------------------------------------------------------------------------------------------


def _counted(material: Material, part: str) -> list[Document]:
    """The submissions of the bids that stand: of the set, or, of a lot that failed, those replayed."""
    sets = [d for d in material.of_kind("opening-set") if d.value["envelope"] == part]
    names = {row["statement"] for d in sets for row in d.value["bids"]}
    if not sets:
        with material.findings.guard("sealed_bids", "B_SET", "the bids that stand"):
            if f"entries/lists/{part}.json" in material.archive.files and material.of_kind("submission"):
                names = {row["statement"] for row in _replayed(material, set(entry_list(material, part)), part)}
    missing = names - set(material.documents)
    for name in sorted(missing):
        material.findings.fault("sealed_bids", "B_BID", f"the submission {name} of a counted bid is missing")
    return [material.documents[name] for name in sorted(names - missing)]


def header_of(material: Material, header_hash: str) -> Header:
    """The header of a counted bid, hashed here. Refuses: HEADER_*, CONTEXT_MISMATCH; KeyError where it is missing."""
    raw = material.archive.read(f"bids/{header_hash}/header", 1 << 20)
    if b64u(H("header", raw)) != header_hash:
        raise CryptoError("CONTEXT_MISMATCH", "another header than the one listed")
    return parse_header(raw)


def pieces_of(material: Material, header_hash: str) -> bytes:
    """The digests of a bid's pieces, 32 bytes each. Raises ValueError, KeyError."""
    text = material.archive.read(f"bids/{header_hash}/pieces.txt").decode("ascii")
    lines = text.split("\n")
    if lines.pop() != "" or any(len(line) != 64 or line != line.lower() for line in lines):
        raise ValueError("pieces are lines of 64 hexadecimal digits")
    return b"".join(bytes.fromhex(line) for line in lines)


def _check_generation(material: Material, document: Document, generation: Generation, part: str) -> None:
    """Nobody sealed under officers who had been replaced by then, nor under new ones before all of them had opened their drill."""
    line = material.generations(part)
    if len(line) == 1:
        return
    at = line.index(generation)
    ticks = {policy_id(material.spoken_of(e).value): e.tick for e in material.of_event("policy", envelope=part)}
    drills: dict[int, int] = {}
    for entry in material.of_event("drill", envelope=part):
        drill = material.spoken_of(entry).value
        if drill["policy"] == generation.ids[0]:
            drills.setdefault(drill["j"], entry.tick)
    for entry in material.logged(document):
        if at + 1 < len(line) and entry.tick > ticks[line[at + 1].ids[0]]:
            raise CryptoError("CONTEXT_MISMATCH", "taken under officers who had been replaced")
        if at and any(drills.get(j, entry.tick + 1) > entry.tick for j in range(1, generation.policy["n"] + 1)):
            raise CryptoError("CONTEXT_MISMATCH", "taken before the new officers had all opened their drill")


def _is_lost(material: Material, header_hash: str, part: str) -> bool:
    """Whether the opening list itself says that the bytes of a bid are lost, and nothing of them is here."""
    if any(f"bids/{header_hash}/{name}" in material.archive.files for name in ("pieces.txt", "sealed")):
        return False
    return any(
        row["header_hash"] == header_hash and row["verdict"] == "SEALED_ROOT"
        for document in material.lists_of(part)
        for row in document.value["bids"]
    )


def _check_bid(material: Material, document: Document, part: str) -> None:
    """header ↔ submission ↔ policy ↔ pieces → sealed root; in the archive the sealed file itself too."""
    statement = document.value
    header = header_of(material, statement["header_hash"])
    if DRILL in (statement["bidder"], header.ctx["bidder"]):
        raise CryptoError("CONTEXT_MISMATCH", "a drill bid counted as a bid")
    generation = generation_of(material.generations(part), header.ctx["policy"])
    keys = unb64u(header.ctx["bidder_key"]) if header.ctx["co_opening"] else b""
    check_context(header, generation.policies, bidder=statement["bidder"], bidder_key=keys)
    _check_generation(material, document, generation, part)
    wrong = [
        name
        for name in ("platform", "tender", "lot", "envelope", "bidder", "policy")
        if statement[name] != header.ctx[name]
    ]
    if wrong or statement["sealed_size"] != header.size:
        raise CryptoError(
            "CONTEXT_MISMATCH", "the statement differs from the header: " + ", ".join(wrong or ["sealed_size"])
        )
    if _is_lost(material, statement["header_hash"], part):
        material.findings.checked("sealed_bids", "a bid whose bytes the platform lost is listed as such")
        return
    if b64u(sealed_bid.root_of_pieces(pieces_of(material, statement["header_hash"]))) != statement["sealed_root"]:
        raise CryptoError("SEALED_ROOT", "the pieces do not give the signed root")
    path = f"bids/{statement['header_hash']}/sealed"
    if path in material.archive.files:
        seen = sealed_bid.inspect(material.archive.stream(path))
        if b64u(seen.sealed_root) != statement["sealed_root"] or seen.header.raw != header.raw:
            raise CryptoError("SEALED_ROOT", "the sealed file is not the one that was signed")
    material.findings.checked("sealed_bids", "header, statement and pieces of each counted bid agree")
