"""What the mirror of the supervisory body adds to the claims `sealed_bids` and `award`: acknowledgements held to the bids they speak of,
bids lost although the mirror had them, bids erased by rule (protocol §5, §5.1)."""

from __future__ import annotations

from crypto import sealed_bid
from crypto.canonical import b64u
from crypto.errors import CryptoError
from web.verifier.bid_claims import header_of, pieces_of
from web.verifier.material import Document, Entry, Material

LOST = "SEALED_ROOT"


def check(material: Material) -> None:
    """Adds to both claims. Never refuses."""
    for part in _parts(material):
        with material.findings.guard("sealed_bids", "B_BID", f"the mirror of {part}"):
            in_time = _check_acks(material, part)
            _check_lost(material, part, in_time)
        with material.findings.guard("sealed_bids", "B_BID", f"what was erased of {part}"):
            _check_erased(material, part)
    with material.findings.guard("award", "B_AWARD", "lost bids"):
        _check_decided(material)


def _parts(material: Material) -> list[str]:
    found: list[str] = []
    with material.findings.guard("sealed_bids", "B_POLICY", "policy/"):
        found = material.parts()
    return found


def _submissions(material: Material) -> dict[str, Document]:
    return {str(d.value["header_hash"]): d for d in material.of_kind("submission")}


def _check_acks(material: Material, part: str) -> dict[str, str]:
    """header_hash → what the mirror held of the bids it acknowledged by the closing tick. Signatures were checked with the material."""
    entries = material.of_event("mirror-ack", envelope=part)
    mode = material.chain(part)[-1]["mirror"] if entries else "none"
    known, closing = _submissions(material), material.of_event("deadline", envelope=part)
    said: dict[str, Entry] = {}
    in_time: dict[str, str] = {}
    for entry in entries:
        ack = material.spoken_of(entry).value
        name = ack["header_hash"]
        if (
            any(ack[field] != entry.value[field] for field in ("tender", "lot", "envelope"))
            or ack["platform"] != material.lot["platform"]
        ):
            raise CryptoError("CONTEXT_MISMATCH", f"mirror-ack {entry.c} is of another lot or envelope")
        if ack["kind"] != mode:
            raise CryptoError("CONTEXT_MISMATCH", f"mirror-ack {entry.c} of {ack['kind']}, the policy says {mode}")
        if name in said:
            raise CryptoError("SET_CONFLICT", f"two acknowledgements of {name}")
        said[name] = entry
        if known:
            if name not in known:
                raise CryptoError("CONTEXT_MISMATCH", f"mirror-ack {entry.c} is of a bid nobody handed in")
            if ack["sealed_root"] != known[name].value["sealed_root"]:
                raise CryptoError("SEALED_ROOT", f"mirror-ack {entry.c} is of other bytes than its bidder signed")
        if closing and entry.tick <= closing[0].tick:
            in_time[name] = str(ack["kind"])
    if entries:
        words = f"{len(said)} bids were acknowledged by the mirror ({mode}), {len(in_time)} by the closing tick"
        material.findings.checked("sealed_bids", words)
    return in_time


def _found_lost(material: Material, opening_set: str) -> dict[str, list[Entry]]:
    """header_hash → entries of the supervisory body's findings that a bid of this set was lost."""
    found: dict[str, list[Entry]] = {}
    for document in material.of_kind("finding"):
        if {"set": opening_set, "code": LOST, "j": 0}.items() <= document.value.items():
            found.setdefault(document.value["header_hash"], []).extend(material.logged(document))
    return found


def _check_lost(material: Material, part: str, in_time: dict[str, str]) -> None:
    """A bid the mirror held whole by the closing tick cannot have been lost, unless the supervisory body itself says so."""
    found = {name for document in material.lists_of(part) for name in _found_lost(material, document.value["set"])}
    for document in material.lists_of(part):
        for row in document.value["bids"]:
            if (
                row["verdict"] == LOST
                and in_time.get(row["header_hash"]) == "files"
                and row["header_hash"] not in found
            ):
                raise CryptoError(
                    "SEALED_ROOT", f"{row['header_hash']} is listed as lost, although the mirror held the whole file"
                )
    verdicts = {row["header_hash"]: row["verdict"] for d in material.lists_of(part) for row in d.value["bids"]}
    for name in sorted(found & verdicts.keys()):
        if verdicts[name] != LOST:
            raise CryptoError("CONTEXT_MISMATCH", f"a finding that {name} was lost, which was opened")


def _check_erased(material: Material, part: str) -> None:
    """Chunks go of bids outside the set alone; what stays of them gives the root their bidder signed. Shown in the archive."""
    if not material.audit:
        return
    known, opening_set = _submissions(material), material.set_of(part)
    standing = {row["header_hash"] for row in opening_set.value["bids"]} if opening_set else set()
    acts = [
        d.value
        for d in material.of_kind("act")
        if d.value["act"] == "bid.erase" and d.value["facts"].get("envelope") == part
    ]
    for act in acts:
        name = act["facts"]["header_hash"]
        if name in standing or name not in known:
            raise CryptoError("SET_CONFLICT", f"{name} was erased, though it stands in the set or was never handed in")
        if f"bids/{name}/sealed" in material.archive.files:
            raise CryptoError("CONTEXT_MISMATCH", f"the sealed file of {name}, which was erased, is here")
        if not act["facts"]["pieces"]:
            continue
        statement = known[name].value
        header_of(material, name)
        if b64u(sealed_bid.root_of_pieces(pieces_of(material, name))) != statement["sealed_root"]:
            raise CryptoError("SEALED_ROOT", f"the digests kept of {name} do not give the signed root")
    if acts:
        material.findings.checked(
            "sealed_bids", f"{len(acts)} bids outside the set were erased, their headers and digests agree"
        )


def _check_decided(material: Material) -> None:
    """No award, neither decided nor announced, before the supervisory body has found on every lost bid (protocol §5.1): by moment and by
    tick, for the platform writes the moments."""
    awarded = [
        e
        for d in material.of_kind("act")
        if d.value["act"] in ("lot.decide", "lot.announce")
        for e in material.logged(d)
    ]
    if not awarded:
        return
    for part in material.parts():
        for document in material.lists_of(part):
            found = _found_lost(material, document.value["set"])
            for row in document.value["bids"]:
                before = (
                    all(e.at <= one.at and e.tick <= one.tick for one in awarded)
                    for e in found.get(row["header_hash"], ())
                )
                if row["verdict"] == LOST and not any(before):
                    words = f"awarded before the supervisory body had found on {row['header_hash']}, which was lost"
                    raise CryptoError("CONTEXT_MISMATCH", words)
