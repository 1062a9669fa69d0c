"""What an officer's client is handed at an opening, as JSON or as files, and how it is read and checked without a server (protocol §5).

One value, three shapes: a JSON document (``type`` ``bidhall-opening``), a folder, a ZIP; files are named as in the bundle of protocol §6.
Pure: no database, so that ``bidhall share`` works on a machine that has nothing but this package and the officer's key file. What the
platform puts in stands in trading/hall/package.py. The escrow opening of a draw has its own type and checks in draw_files.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crypto.canonical import H, b64u, loads, unb64u
from crypto.documents import open_enrolment
from crypto.errors import CryptoError
from crypto.headers import Header
from crypto.keys import kid
from crypto.merkle import verify_consistency
from crypto.opening import CheckedSet, Package, check_opening, open_left_sealed, take_headers
from crypto.receipts import Receipt, verify_receipt
from crypto.signatures import document_hash, payload_of, signers
from crypto.ticks import ProvenTick
from crypto.trust import Trust

OPENING = "bidhall-opening"
BIDDER_PART = "bidhall-bidder-part"
DRAW = "bidhall-draw-opening"
_ONE = {
    "deadline": "entries/deadline.json",
    "deadline_receipt": "entries/deadline.receipt.json",
    "before_closing": "log/before_closing.json",
    "entry_list": "entries/list.json",
    "opening_set": "opening/set.json",
    "opening_set_receipt": "opening/set.receipt.json",
    "late_close": "opening/late_close.json",
    "late_close_receipt": "opening/late_close.receipt.json",
    "consistency": "log/consistency.json",
    "trust": "keys/trust.json",
    "officer": "opening/officer.json",
    "notice": "draw/notice.json",
    "notice_receipt": "draw/notice.receipt.json",
    "listing": "draw/list.json",
    "listing_receipt": "draw/list.receipt.json",
}
_MANY = {
    "left_sealed": "opening/{:04d}.left_sealed.json",
    "policies": "policy/{:03d}.json",
    "policy_receipts": "policy/{:03d}.receipt.json",
    "entries": "entries/{:06d}.json",
    "statements": "entries/{:06d}.statement.json",
    "enrolments": "keys/{:04d}.json",
    "commits": "draw/{:02d}.commit.json",
    "commit_receipts": "draw/{:02d}.commit.receipt.json",
}
_HEAD = "opening/index.json"
_HEADER = "bids/{}/header"


def bad(detail: str) -> CryptoError:
    return CryptoError("JSON_PROFILE", detail)


# --- shapes ---------------------------------------------------------------------------------------------------------------


def to_files(package: Mapping[str, Any]) -> dict[str, bytes]:
    """A package as files: name → bytes, names sorted. ``from_files`` gives the same package again."""
    head = {name: package[name] for name in package if name not in _ONE and name not in _MANY and name != "headers"}
    files = {_HEAD: _json({**head, "holds": sorted(name for name in _MANY if name in package)})}
    for name, path in _ONE.items():
        if name in package:
            files[path] = _json(package[name])
    for name, pattern in _MANY.items():
        for number, item in enumerate(package.get(name, ())):
            files[pattern.format(number)] = _json(item)
    for text in package["headers"]:
        raw = unb64u(text)
        files[_HEADER.format(header_name(raw))] = raw
    return dict(sorted(files.items()))


def from_files(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The package of a folder or ZIP, as ``to_files`` wrote it. Refuses: JSON_PROFILE."""
    if _HEAD not in files:
        raise bad(f"{_HEAD} is missing: not the package of an opening")
    package: dict[str, Any] = dict(_object(_parse(_HEAD, files[_HEAD])))
    for name, path in _ONE.items():
        if path in files:
            package[name] = _parse(path, files[path])
    for name in _list(package.pop("holds", None)):
        found: list[Any] = []
        pattern = _MANY.get(str(name), "")
        if not pattern:
            raise bad(f"{_HEAD} names what is no part of a package")
        while (path := pattern.format(len(found))) in files:
            found.append(_parse(path, files[path]))
        package[name] = found
    # by its own hash, whatever its folder is called
    raws = {
        header_name(raw): raw for path, raw in files.items() if path.startswith("bids/") and path.endswith("/header")
    }
    package["headers"] = [b64u(raws[name]) for name in sorted(raws, key=unb64u)]
    return package


def header_name(raw: bytes) -> str:
    """The name of a header: base64url of its hash."""
    return b64u(H("header", raw))


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _parse(path: str, data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise bad(f"{path} is not JSON") from error


def _object(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise bad("an object expected")
    return value


# --- enrolled keys --------------------------------------------------------------------------------------------------------


class EnrolledKeys:
    """Keys proved from the enrolments handed over: each signed as protocol §2 asks, each shown to be in the log."""

    def __init__(self, enrolments: Sequence[Any], trust: Trust, platform: str) -> None:
        self._keys: dict[tuple[str, str], list[tuple[bytes, ProvenTick]]] = {}
        for one in enrolments:
            if type(one) is not dict or one.keys() != {"document", "receipt"}:
                raise bad("an enrolment is exactly document and receipt")
            self._add(one["document"], one["receipt"], trust, platform)

    def _add(self, envelope: Any, receipt: Any, trust: Trust, platform: str) -> None:
        claimed = _object(loads(payload_of(envelope)))
        holder = (str(claimed.get("party")), str(claimed.get("role")))
        held = self._keys.setdefault(holder, [])
        document, _ = open_enrolment(envelope, held[-1][0] if held else b"", trust.supervisor_keys)
        if document["platform"] != platform:
            raise CryptoError("CONTEXT_MISMATCH", "an enrolment at another platform")
        proven = in_log(receipt, trust, "key-enrolled", document_hash(document)).proven
        assert proven is not None
        held.append((unb64u(document["sign_pk"], 32), proven))

    def of(self, party: str, role: str) -> list[bytes]:
        """The keys of a party in a role, newest first."""
        return [key for key, _ in reversed(self._keys.get((party, role), ()))]

    def of_role(self, role: str) -> list[bytes]:
        """All keys handed over for a role, newest first; for a role one party alone has in a draw."""
        held = [pair for (_, of), pairs in self._keys.items() if of == role for pair in pairs]
        return [key for key, _ in sorted(held, key=lambda pair: -pair[1].tick)]

    def by_kid(self, role: str) -> dict[str, bytes]:
        return {kid("ed25519", key): key for (_, of), held in self._keys.items() if of == role for key, _ in held}

    def chains(self, role: str) -> dict[str, list[bytes]]:
        """Holder → its keys in a role, oldest first."""
        return {party: [key for key, _ in held] for (party, of), held in self._keys.items() if of == role}

    def ticks(self) -> list[ProvenTick]:
        return [proven for held in self._keys.values() for _, proven in held]

    def tick_of(self, key: bytes) -> int:
        return min(proven.tick for held in self._keys.values() for known, proven in held if known == key)


def in_log(receipt: Any, trust: Trust, event: str, statement: str) -> Receipt:
    """A receipt ``{entry, proof}`` that shows a document in the log. Refuses: SIG, JSON_PROFILE, TICK_PROOF, CONTEXT_MISMATCH."""
    found = verify_receipt(receipt, trust.platform_keys, trust.log_key, trust.witnesses)
    if found.proven is None or "list" in receipt:
        raise CryptoError("TICK_PROOF", f"the {event} is not shown to be in the log")
    if found.entry["event"] != event or found.entry["statement"] != statement:
        raise CryptoError("CONTEXT_MISMATCH", f"an entry that does not speak of this {event}")
    return found


# --- an opening -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Handed:
    """A package as read: nothing in it is proved yet. ``officer``: ``{name, j, side}`` of whom it was made for, or None; ``left_sealed``:
    ``[{document, receipt}]`` of the bids of the set that stay sealed, without ``receipt`` until their tick."""

    package: Package
    headers: tuple[bytes, ...]
    enrolments: tuple[Any, ...]
    trust: Mapping[str, Any]
    set_receipt: Any
    officer: Mapping[str, Any] | None
    left_sealed: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Checked:
    """An opening an officer may give shares in: the replayed set, its headers by hash, the officers' signing keys by kid; ``left``: the
    header hashes of the bids that stay sealed."""

    set: CheckedSet
    headers: Mapping[str, Header]
    officer_keys: Mapping[str, bytes]
    left: frozenset[str] = frozenset()


def read_package(value: Any) -> Handed:
    """Read a package of ``hall.package.package``. Refuses: JSON_PROFILE."""
    value = _object(value)
    if value.get("type") != OPENING or value.get("v") != 1:
        raise bad("not the package of an opening, version 1")
    try:
        package = Package(
            policies=_list(value["policies"]),
            policy_receipts=_list(value["policy_receipts"]),
            deadline=_object(value["deadline"]),
            deadline_receipt=value["deadline_receipt"],
            before_closing=value.get("before_closing"),
            entry_list=_object(value["entry_list"]),
            entries=_list(value["entries"]),
            statements=_list(value["statements"]),
            opening_set=value["opening_set"],
            late_close=value.get("late_close"),
            late_close_receipt=value.get("late_close_receipt"),
            consistency=consistency_of(value.get("consistency", [])),
        )
        headers = tuple(unb64u(text) for text in _list(value["headers"]))
        return Handed(
            package,
            headers,
            tuple(_list(value["enrolments"])),
            _object(value.get("trust", {})),
            value.get("opening_set_receipt"),
            value.get("officer"),
            tuple(_list(value.get("left_sealed", []))),
        )
    except KeyError as error:
        raise bad(f"the package lacks {error.args[0]}") from error


def consistency_of(rows: Any) -> dict[tuple[int, int], list[bytes]]:
    """``[{from, to, proof}]`` → (old size, new size) → hashes. Refuses: JSON_PROFILE."""
    try:
        return {(row["from"], row["to"]): [unb64u(item, 32) for item in row["proof"]] for row in _list(rows)}
    except (KeyError, TypeError) as error:
        raise bad("a consistency proof is from, to and proof") from error


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise bad("a list expected")
    return value


def check_package(handed: Handed, trust: Trust, *, now: str) -> Checked:
    """All checks of protocol §5 step 2, headers included. ``now``: the officer's own clock.

    Refuses: as ``crypto.opening.check_opening`` and ``take_headers``; SIG for a key enrolled after what it signed.
    """
    try:
        return _check(handed, trust, now)
    except (
        LookupError,
        TypeError,
        AttributeError,
        ValueError,
    ) as error:  # crypto takes values of the right form for granted
        raise bad(f"the package has another form: {error!r}"[:200]) from error


def _check(handed: Handed, trust: Trust, now: str) -> Checked:
    package = handed.package
    platform = str(package.deadline.get("platform", ""))
    keys = EnrolledKeys(handed.enrolments, trust, platform)
    officer_keys = keys.by_kid("officer")
    checked = check_opening(
        package, trust, now=now, officer_keys=officer_keys, signing_keys=lambda party: keys.of(party, "bidder")
    )
    shown = keys.ticks()
    if handed.set_receipt is not None:
        proven = in_log(handed.set_receipt, trust, "opening-set", document_hash(payload_of(package.opening_set))).proven
        assert proven is not None
        shown.append(proven)
    left = _left_sealed(handed, checked, trust, shown)
    for proven in shown:
        old, new = sorted((proven.checkpoint, checked.closing.checkpoint), key=lambda c: c.size)
        verify_consistency(old.size, new.size, package.consistency.get((old.size, new.size), ()), old.root, new.root)
    _enrolled_before(package, keys, trust)
    return Checked(checked, take_headers(checked, handed.headers, left), officer_keys, left)


def _left_sealed(handed: Handed, checked: CheckedSet, trust: Trust, shown: list[ProvenTick]) -> frozenset[str]:
    """The bids of the set that stay sealed: the platform signed for each, and where a receipt is there the log has it."""
    envelopes = [_object(one)["document"] for one in handed.left_sealed]
    found = open_left_sealed(envelopes, checked.set, trust.platform_keys)
    for one in handed.left_sealed:
        if "receipt" in one:
            proven = in_log(one["receipt"], trust, "bid-failed", document_hash(payload_of(one["document"]))).proven
            assert proven is not None
            shown.append(proven)
    return frozenset(found)


def _enrolled_before(package: Package, keys: EnrolledKeys, trust: Trust) -> None:
    """An enrolment's tick is at or before that of what its key signed (protocol §2). Everything was verified before."""
    officers = list(keys.by_kid("officer").values())
    signed = [
        (envelope, receipt, officers)
        for envelope, receipt in zip(package.policies, package.policy_receipts, strict=True)
    ]
    by_statement = {document_hash(payload_of(envelope)): envelope for envelope in package.statements}
    for receipt in package.entries:
        statement = verify_receipt(receipt, trust.platform_keys, trust.log_key, trust.witnesses).entry["statement"]
        if statement in by_statement:
            envelope = by_statement[
                statement
            ]  # with one signature, of its own bidder: nobody else's keys need be tried
            signed.append((envelope, receipt, keys.of(str(loads(payload_of(envelope))["bidder"]), "bidder")))
    for envelope, receipt, own in signed:
        tick = receipt["proof"]["leaf"]["tick"]
        if any(keys.tick_of(key) > tick for key in signers(envelope, own)):
            raise CryptoError("SIG", "signed with a key that was enrolled later")
