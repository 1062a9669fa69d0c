"""Claims `opening` and `opening_list`: officers' shares, the verdict on every bid, and what was read out (I1, I2, I3). Archive only.

Everything is opened again here: joined from the shares, re-derived, decrypted in a stream, and held against the opening list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crypto.canonical import later, parse_time, unb64u
from crypto.copied import copies
from crypto.documents import CAUSES
from crypto.errors import CryptoError
from crypto.headers import Header
from crypto.opening import check_posted_shares, set_id
from crypto.policies import policy_id
from crypto.policy_lines import Generation, boxes_of, generation_of
from crypto.receipts import claims_end
from crypto.signatures import signers
from crypto.verdicts import (
    BAD_BOX,
    OPENED,
    RESCUABLE,
    Finding,
    Verdict,
    check_finding,
    open_bid,
    open_with_seed,
    policy_dead,
)
from trading.opening.rules import stood_still
from web.verifier.bid_claims import header_of
from web.verifier.log_claims import Log
from web.verifier.material import Document, Entry, Material
from web.verifier.signers import officer_key


class _Nowhere:
    """Takes what is decrypted and keeps nothing: the digests are what counts."""

    def write(self, data: memoryview, /) -> None:
        return None


def check(material: Material, log: Log) -> None:
    """Both claims. Never refuses."""
    for part in material.parts() if material.audit else ():
        _check_part(material, log, part)


def _check_part(material: Material, log: Log, part: str) -> None:
    findings, opening_set, lists = material.findings, material.set_of(part), material.lists_of(part)
    if opening_set is None:
        return
    if not lists:
        findings.fault("opening", "B_SHARE", f"a set of {part} was published, but there is no opening list")
        return
    with findings.guard("opening", "B_SHARE", f"the shares of {part}"):
        parts, complaints = _shares(material, part, opening_set, lists[0])
        outage = _check_bidder_parts(material, log, part, opening_set)
        _check_all(material, part, opening_set, lists[0], parts, complaints, outage)
    with findings.guard("opening", "B_SHARE", f"the window for repair of {part}"):
        _check_pause(material, part, opening_set, lists[0])
    with findings.guard("opening", "B_SHARE", f"the rulings on {part}"):
        _check_rulings(material, lists[0])


def _shares(
    material: Material, part: str, opening_set: Document, opened: Document
) -> tuple[dict[str, dict[int, bytes]], dict[str, dict[int, str]]]:
    """header_hash → officer → part, and → code of a complaint; every part checked against its commitment."""
    findings, name = material.findings, set_id(opening_set.value)
    headers: dict[str, Header] = {}
    left = material.left_sealed(name)
    for row in opening_set.value["bids"]:
        if row["header_hash"] in left:
            continue
        with findings.guard("opening", "B_SHARE", f"the header of {row['header_hash']}"):
            headers[row["header_hash"]] = header_of(material, row["header_hash"])
    line = material.generations(part)
    parts: dict[str, dict[int, bytes]] = {one: {} for one in (*headers, *left)}
    complaints: dict[str, dict[int, str]] = {one: {} for one in (*headers, *left)}
    came: dict[int, Document] = {}
    logged = {e.value["statement"] for e in material.of_event("shares", envelope=part)}
    missing = logged - {d.hash for d in material.of_kind("shares")}
    if missing:
        findings.fault("opening", "B_SHARE", f"logged shares that are not here: {sorted(missing)}")
    for document in material.of_kind("shares"):
        if document.hash not in logged:
            continue
        with findings.guard("opening", "B_SHARE", document.path):
            j = document.value["j"]
            if j in came:
                raise CryptoError("SHARE_COMMIT", f"officer {j} posted twice")
            came[j] = document
            boxes = boxes_of(line, headers, j, left)
            for header_hash, (given, code) in check_posted_shares(document.value, headers, name, line, left).items():
                if given:
                    parts[header_hash][boxes[header_hash]] = given
                elif code == "SHARE_COMMIT" and _posted(document, header_hash):
                    findings.fault(
                        "opening", "B_SHARE", f"officer {j}'s share of {header_hash} is not the one committed to"
                    )
                elif header_hash not in left:
                    complaints[header_hash][boxes[header_hash]] = code
    policy = material.chain(part)[-1]
    signed = [
        j
        for j in range(1, policy["n"] + 1)
        if signers(opened.envelope, [officer_key(material, part, j, policy_id(policy))])
    ]
    if len(signed) < min(policy["t"], max(len(came), 1)):
        findings.fault("opening", "B_SHARE", f"the opening list is countersigned by {len(signed)} officers")
    names = [f"{j} {policy['officers'][j - 1]['side']}" for j in sorted(came)]
    findings.checked(
        "opening",
        f"{len(came)} of {policy['n']} officers gave shares ({', '.join(names)}), {len(signed)} countersigned",
    )
    return parts, complaints


def _posted(document: Document, header_hash: str) -> bool:
    return any(item["header_hash"] == header_hash and item["part"] for item in document.value["items"])


def _check_all(
    material: Material,
    part: str,
    opening_set: Document,
    opened: Document,
    parts: dict[str, dict[int, bytes]],
    complaints: dict[str, dict[int, str]],
    outage: bool,
) -> None:
    line, left = material.generations(part), material.left_sealed(set_id(opening_set.value))
    said = {row["header_hash"]: row for row in opened.value["bids"]}
    given = _given(material, line, {name: one for name, one in parts.items() if name not in left}, complaints)
    for row in opening_set.value["bids"]:
        name = row["header_hash"]
        with material.findings.guard("opening", "B_REDERIVE", f"bid {name}"):
            statement = material.documents[row["statement"]].value
            if name not in parts:
                raise CryptoError("CONTEXT_MISMATCH", "its header cannot be read")
            if name in left:
                _check_left(material, name)
                continue
            generation = generation_of(line, header_of(material, name).ctx["policy"])
            if not generation.alive:
                _compare(material, said[name], policy_dead(name, generation), file_names=False)
                _check_closed(material, name)
                continue
            if name not in given.parts:
                continue  # its findings did not hold, and that was named
            _check_one(
                material,
                name,
                said[name],
                unb64u(statement["sealed_root"], 32),
                given,
                complaints[name],
                line[-1].policy,
                generation.policy,
                outage,
            )


@dataclass
class _Given:
    """What was given for each bid that officers open, by header hash."""

    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    """Shares, and the bidder's own part under 0."""
    judged: dict[str, dict[int, Finding]] = field(default_factory=dict)
    seeds: dict[str, bytes] = field(default_factory=dict)
    """Of rescues, b"" without one."""
    copied_at_first: frozenset[str] = frozenset()
    """The bids that hold a box of another one, as the shares show it: before there was a rescue or a finding."""
    copied: frozenset[str] = frozenset()
    """The same with all that was given."""


def _given(
    material: Material,
    line: Sequence[Generation],
    parts: dict[str, dict[int, bytes]],
    complaints: dict[str, dict[int, str]],
) -> _Given:
    given, headers = _Given(), dict[str, Header]()
    for name in parts:
        with material.findings.guard("opening", "B_REDERIVE", f"bid {name}"):
            header = header_of(material, name)
            if not generation_of(line, header.ctx["policy"]).alive:
                continue
            given.judged[name] = _judged(material, header, name, complaints[name])
            given.seeds[name] = _rescued(material, name)
            given.parts[name] = parts[name] | _bidder_part(material, name)
            headers[name] = header
    counted = {
        name: one | {j: part for j, (_, part) in given.judged[name].items() if part}
        for name, one in given.parts.items()
    }
    given.copied_at_first = copies(headers, given.parts)
    given.copied = copies(headers, counted, given.seeds)
    return given


def _check_bidder_parts(material: Material, log: Log, part: str, opening_set: Document) -> bool:
    """Bidders' own parts came between the set and the shares (protocol §5 step 3). Whether the log shows an outage in that time."""
    policy, entries = material.chain(part)[-1], material.of_event("bidder-part", envelope=part)
    if not policy["co_opening"]:
        if entries:
            material.findings.fault("opening", "B_SHARE", "bidders' parts where the policy asks for none")
        return False
    listed = material.of_event("opening-set", envelope=part)[0]
    (deadline,) = material.of_event("deadline", envelope=part)
    begins = max(
        claims_end(deadline.shown.at, policy["opens_at"]), later(listed.value["tick_by"], 60 * policy["window"])
    )
    for entry in entries:
        if not listed.at <= entry.at < begins or any(
            entry.tick > share.tick for share in material.of_event("shares", envelope=part)
        ):
            material.findings.fault(
                "opening", "B_SHARE", f"bidder-part {entry.c} at {entry.at}, not between {listed.at} and {begins}"
            )
        if material.spoken_of(entry).value["set"] != set_id(opening_set.value):
            material.findings.fault("opening", "B_SHARE", f"bidder-part {entry.c} is of another set")
    for entry in material.of_event("shares", envelope=part):
        if entry.at < begins:
            material.findings.fault(
                "opening", "B_SHARE", f"shares {entry.c} at {entry.at}, inside the bidders' window until {begins}"
            )
    material.findings.checked("opening", f"{len(entries)} bidders gave their own part before the shares")
    return stood_still([parse_time(leaf["at"]) for leaf in log.leaves], parse_time(listed.at), parse_time(begins))


def _check_left(material: Material, name: str) -> None:
    """Nothing of a bid that stays sealed was opened: no officer gave a part (``check_posted_shares``), and its sealed file is not here."""
    if f"bids/{name}/sealed" in material.archive.files:
        raise CryptoError("CONTEXT_MISMATCH", "a bid that stays sealed, with its sealed file")
    _check_closed(material, name)
    material.findings.checked("opening", "of no bid that stays sealed was a part given")


def _check_closed(material: Material, name: str) -> None:
    if _bidder_part(material, name) or _rescued(material, name):
        raise CryptoError("CONTEXT_MISMATCH", "a bid that nobody opens, with what would open it")


def _check_one(
    material: Material,
    name: str,
    said: dict[str, Any],
    root: bytes,
    given: _Given,
    complaints: dict[int, str],
    policy: Mapping[str, Any],
    sealed_to: Mapping[str, Any],
    outage: bool,
) -> None:
    """``policy``: the newest, by which the opening was held; ``sealed_to``: that of the officers this bid was sealed to."""
    findings, header = material.findings, header_of(material, name)
    parts, judged, seed = given.parts[name], given.judged[name], given.seeds[name]
    good = sum(1 for j in parts if j) + sum(1 for _, part in judged.values() if part)
    if said["verdict"] == OPENED and good < sealed_to["t"] and not seed:
        findings.fault("opening", "B_SHARE", f"{name} was opened with {good} good shares instead of {sealed_to['t']}")
    path = f"bids/{name}/sealed"
    if path not in material.archive.files:
        if said["verdict"] == "SEALED_ROOT":
            findings.checked("opening", "a bid whose bytes were lost has its verdict")
            return
        raise CryptoError("SEALED_ROOT", "the sealed file is missing")
    sides = [officer["side"] for officer in sealed_to["officers"]]

    def sink(_: dict[str, Any]) -> _Nowhere:
        return _Nowhere()

    found = first = open_bid(
        material.archive.stream(path),
        header,
        sealed_root=root,
        parts=parts,
        sides=sides,
        complaints=complaints,
        outage=outage,
        copied=name in given.copied_at_first,
        sink=sink,
    )
    _check_failure(material, name, first, policy)
    if first.code in RESCUABLE and (judged or name in given.copied):
        found = open_bid(
            material.archive.stream(path),
            header,
            sealed_root=root,
            parts=parts,
            sides=sides,
            complaints=complaints,
            findings=judged,
            outage=outage,
            copied=name in given.copied,
            sink=sink,
        )
    if seed and found.code in RESCUABLE | BAD_BOX:
        found = open_with_seed(
            material.archive.stream(path), header, seed, sealed_root=root, complaints=complaints, sink=sink
        )
    _compare(material, said, found, bool(policy["file_names"]))


def _judged(material: Material, header: Header, name: str, complaints: dict[int, str]) -> dict[int, Finding]:
    """officer → what the supervisory body found of its complaint about this bid; parts it names are held against their commitment."""
    found: dict[int, Finding] = {}
    listed = {
        d.value["set"]: d.value["at"]
        for d in material.of_kind("opened")
        if any(row["header_hash"] == name for row in d.value["bids"])
    }
    for document in material.of_kind("finding"):
        j = document.value["j"]
        if document.value["header_hash"] != name or j == 0:
            continue  # j 0: that its bytes were lost, no word on a box
        if any(entry.at > listed.get(document.value["set"], "") for entry in material.logged(document)):
            words = f"{document.path}: of another set, or made after the list it is about: then the host rules, and no box is opened"
            material.findings.fault("opening", "B_SHARE", words)
            continue
        if j not in complaints or j in found:
            material.findings.fault(
                "opening", "B_SHARE", f"{document.path}: a finding without a complaint of officer {j}, or a second one"
            )
            continue
        path = f"opening/found/{name}.{j}"
        part = material.archive.read(path) if path in material.archive.files else b""
        check_finding(header, j, (document.value["code"], part))
        found[j] = (document.value["code"], part)
        material.findings.checked(
            "opening", "findings signed by the supervisory body, the parts they count are the committed ones"
        )
    return found


def _check_failure(material: Material, name: str, first: Verdict, policy: Mapping[str, Any]) -> None:
    """What was told of a bid that found no t good shares is what its shares give; where it could be repaired it was told."""
    told = [d.value for d in material.of_kind("bid-failed") if d.value["header_hash"] == name]
    due = first.code == "UNRESOLVED" or (first.code in RESCUABLE and policy["rescue"])
    if not told:
        if due:
            material.findings.fault(
                "opening", "B_SHARE", f"{name} failed with {first.code}, and its bidder was never told in the log"
            )
        if _rescued(material, name):
            material.findings.fault("opening", "B_SHARE", f"{name} was rescued without having failed")
        return
    if len(told) > 1 or not due or (told[0]["code"], told[0]["cause"]) != (first.code, first.cause):
        words = f"{name}: told to have failed with {told[0]['code']} {told[0]['cause']}, its shares give {first.code} {first.cause}"
        material.findings.fault("opening", "B_REDERIVE", words)
    material.findings.checked("opening", "bids told to have failed failed by their shares")


def _check_pause(material: Material, part: str, opening_set: Document, opened: Document) -> None:
    """Rescues came inside the window that runs from the tick of the failure, where the policy allows them, and nothing was shown before its
    end (protocol §5.2)."""
    findings, policy, name = material.findings, material.chain(part)[-1], set_id(opening_set.value)
    rescues = material.of_event("rescue", envelope=part)
    failed = [
        e for e in material.of_event("bid-failed", envelope=part) if material.spoken_of(e).value["code"] in RESCUABLE
    ]
    if not failed:
        return
    sealed = [entry.proven.at for entry in failed if entry.proven is not None]
    since = max(sealed)
    until = later(since, 60 * policy["window"])
    for entry in rescues:
        if not policy["rescue"] or not since <= entry.at <= until or material.spoken_of(entry).value["set"] != name:
            findings.fault(
                "opening", "B_SHARE", f"rescue {entry.c} at {entry.at}: not within {since} to {until}, or not allowed"
            )
    if opened.value["at"] < until or any(document["set"] != name for document in _of_entries(material, failed)):
        findings.fault(
            "opening", "B_SHARE", f"shown at {opened.value['at']}, before the window for repair ended at {until}"
        )
    findings.checked("opening", f"window for repair from {since} to {until}, {len(rescues)} rescued")


def _check_rulings(material: Material, opened: Document) -> None:
    """The host ruled on what nobody had proved, after the list, once each (rulebook §5.2, point 6)."""
    causes = {row["header_hash"]: row["cause"] for row in opened.value["bids"]}
    ruled: set[str] = set()
    for act in [d.value for d in material.of_kind("act") if d.value["act"] == "opening.rule"]:
        name, cause = act["facts"]["header_hash"], act["facts"]["cause"]
        if name not in causes:
            continue  # of another envelope
        if (
            causes[name] != "unknown"
            or cause not in set(CAUSES) - {"unknown"}
            or act["at"] < opened.value["at"]
            or name in ruled
        ):
            words = f"ruled at {act['at']} that {name} failed by {cause or 'nobody'}, listed at {opened.value['at']} with {causes[name]}"
            material.findings.fault("opening", "B_SHARE", words)
        ruled.add(name)
    if ruled:
        material.findings.checked(
            "opening", f"{len(ruled)} failed bids of unknown cause ruled on by the host, with reasons"
        )


def _of_entries(material: Material, entries: list[Entry]) -> list[dict[str, Any]]:
    return [material.spoken_of(entry).value for entry in entries]


def _compare(material: Material, said: dict[str, Any], found: Verdict, file_names: bool) -> None:
    findings, name = material.findings, said["header_hash"]
    if (found.code, found.cause) != (said["verdict"], said["cause"]):
        words = f"{name}: {said['verdict']} {said['cause']} in the list, {found.code} {found.cause} here"
        findings.fault("opening", "B_REDERIVE", words)
        return
    findings.checked(
        "opening", "every bid of the set joined, re-derived and decrypted again with the verdict of the list"
    )
    if found.code != OPENED:
        return
    mine = found.to_json(file_names)
    for key in ("announce", "files"):
        if mine[key] != said[key]:
            findings.fault("opening_list", "B_CONTENT", f"{name}: {key} of the list are not those of the bid")
    findings.checked("opening_list", "what was announced, and the digests of all files, are those of the opened bids")


def _bidder_part(material: Material, name: str) -> dict[int, bytes]:
    found = [unb64u(d.value["part"], 32) for d in material.of_kind("bidder-part") if d.value["header_hash"] == name]
    return {0: found[0]} if found else {}


def _rescued(material: Material, name: str) -> bytes:
    return next(
        (unb64u(d.value["seed"], 32) for d in material.of_kind("rescue") if d.value["header_hash"] == name), b""
    )
