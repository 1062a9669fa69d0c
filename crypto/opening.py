"""The opening set: which bids are to be opened, replayed from the log by everybody who opens; and an officer's shares.

Implements the protocol, section 5, steps 1 to 4. An officer's client gives no share before it has replayed the set
itself: from the deadline's entry, through the list that entry commits to, to the signed statements of the bidders.
What follows once the shares are there stands in verdicts.py.
"""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crypto import headers
from crypto.canonical import H, b64u, dumps, later, loads, parse_time, unb64u
from crypto.checkpoints import Checkpoint
from crypto.documents import check_document, open_document, open_policy
from crypto.errors import CryptoError
from crypto.keys import x25519_public
from crypto.merkle import verify_consistency
from crypto.policies import policy_id
from crypto.policy_lines import Generation, boxes_of, check_sealed_under, generations
from crypto.receipts import IN_LOG, Receipt, claims_end, verify_receipt
from crypto.signatures import document_hash, payload_of, verify_any
from crypto.ticks import ProvenTick, commitment, is_late_close, verify_leaf
from crypto.trust import Trust, check_cosigned

LEFT_SEALED = "UNAVAILABLE"
"""The code of a bid of the set that is not to be opened: rejected in the technical envelope, or without its other envelope."""
LISTED_EVENTS = frozenset(("bid-received", "bid-replaced", "bid-withdrawn", "bid-refused", "bid-refusals"))
_ACCEPTED = {"bid-received": "submission", "bid-replaced": "submission", "bid-withdrawn": "withdrawal"}


# lists and sets


def entries_hash(salt: bytes, commitments: Iterable[bytes]) -> str:
    """How the `deadline` document commits to all entries of its lot: salted, or it would tell none from one."""
    if len(salt) != 32:
        raise CryptoError("JSON_PROFILE", "a salt has 32 bytes")
    return b64u(H("entries", salt, *sorted(commitments)))


def make_entry_list(commitments: Iterable[bytes]) -> dict[str, Any]:
    """The `entry-list` document, with a fresh salt. Its `entries_hash` goes into the `deadline` document."""
    document = {"v": 1, "entries": [b64u(c) for c in sorted(commitments)], "salt": b64u(os.urandom(32))}
    check_document("entry-list", document)
    return document


def hash_of_list(entry_list: Mapping[str, Any]) -> str:
    """The hash an `entry-list` document is committed by. Refuses: JSON_PROFILE."""
    check_document("entry-list", dict(entry_list))
    return entries_hash(unb64u(entry_list["salt"]), [unb64u(c) for c in entry_list["entries"]])


def set_id(opening_set: Mapping[str, Any]) -> str:
    """What shares, parts and the opening list name the set by."""
    return b64u(H("set", dumps(dict(opening_set))))


def commit_list_id(commit_list: Mapping[str, Any]) -> str:
    """The same of a `commit-list`: the set of an escrow opening (section 6)."""
    return set_id(commit_list)


def replay(
    entries: Sequence[Mapping[str, Any]],
    documents: Mapping[str, Mapping[str, Any]],
    *,
    tender: str,
    lot: str,
    envelope: str,
) -> list[dict[str, str]]:
    """The current bids, as they stand in an opening set, from all entries of the list and the documents they speak of.

    `documents`: hash -> submission or withdrawal, each already proved to be signed by its bidder. No order is needed.
    Refuses: SET_CONFLICT: the platform's fault, nothing is opened.
    """
    accepted: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
    for entry in entries:
        if any(entry[name] != value for name, value in (("tender", tender), ("lot", lot), ("envelope", envelope))):
            raise CryptoError("SET_CONFLICT", "an entry of another lot")
        if entry["event"] not in LISTED_EVENTS:
            raise CryptoError("SET_CONFLICT", "an entry of another kind in the list")
        if entry["event"] in _ACCEPTED:
            if entry["statement"] in accepted:
                raise CryptoError("SET_CONFLICT", "a statement accepted twice")
            accepted[entry["statement"]] = (entry, _spoken_of(entry, documents))
    gone: set[str] = set()
    for entry, document in accepted.values():
        named = document["statement"] if entry["event"] == "bid-withdrawn" else document["replaces"]
        if not named:
            continue
        found = accepted.get(named)
        if found is None or found[0]["event"] == "bid-withdrawn" or found[1]["bidder"] != document["bidder"]:
            raise CryptoError("SET_CONFLICT", "a bid named that was not accepted, or is another's")
        if named in gone:
            raise CryptoError("SET_CONFLICT", "a bid named twice")
        gone.add(named)
    current = {s: pair for s, pair in accepted.items() if pair[0]["event"] != "bid-withdrawn" and s not in gone}
    if len({document["bidder"] for _, document in current.values()}) != len(current):
        raise CryptoError("SET_CONFLICT", "two current bids of one bidder")
    bids = [
        {"entry": b64u(commitment(dict(entry))), "header_hash": str(document["header_hash"]), "statement": statement}
        for statement, (entry, document) in current.items()
    ]
    return sorted(bids, key=lambda bid: unb64u(bid["header_hash"]))


def _spoken_of(entry: Mapping[str, Any], documents: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    document = documents.get(entry["statement"])
    if document is None:
        raise CryptoError("SET_CONFLICT", "a listed entry without its document")
    try:
        check_document(_ACCEPTED[entry["event"]], dict(document))
    except CryptoError as error:
        raise CryptoError("SET_CONFLICT", error.detail) from error
    if document_hash(dict(document)) != entry["statement"]:
        raise CryptoError("SET_CONFLICT", "another document than the one accepted")
    if any(document[name] != entry[name] for name in ("tender", "lot", "envelope")):
        raise CryptoError("SET_CONFLICT", "a document of another lot")
    if entry["event"] != "bid-withdrawn" and (document["replaces"] == "") is not (entry["event"] == "bid-received"):
        raise CryptoError("SET_CONFLICT", "received is what replaces nothing, replaced what does")
    return document


def make_opening_set(
    policy: Mapping[str, Any], *, at: str, deadline_entry: bytes, bids: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    """The `opening-set` document: the replayed bids; `deadline_entry` is the commitment of the `deadline` entry."""
    document = {
        "v": 1,
        "at": at,
        "bids": [dict(bid) for bid in bids],
        "deadline": b64u(deadline_entry),
        "policy": policy_id(policy),
        **{n: policy[n] for n in ("platform", "tender", "lot", "envelope")},
    }
    check_document("opening-set", document)
    return document


# an officer's client


@dataclass(frozen=True)
class Package:
    """What the hall hands to an officer's client, or a backup holds. A receipt is `{entry, proof}` of a logged document.

    `before_closing`: `{leaf, tlog}` of the tick before the closing one; None only if the log began with that.
    `consistency`: (old size, new size) -> RFC 9162 proof, where receipts are under other checkpoints than the closing.
    """

    policies: Sequence[Any]
    policy_receipts: Sequence[Any]
    deadline: Mapping[str, Any]
    deadline_receipt: Any
    before_closing: Mapping[str, Any] | None
    entry_list: Mapping[str, Any]
    entries: Sequence[Any]
    statements: Sequence[Any]
    opening_set: Any
    late_close: Any = None
    late_close_receipt: Any = None
    consistency: Mapping[tuple[int, int], Sequence[bytes]] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckedSet:
    """An opening set that was replayed: only its bids may be opened, and by this client only after `claims_end`.

    `policy`: the newest; `generations`: of its line, for bids sealed under the officers of before.
    """

    policy: dict[str, Any]
    generations: tuple[Generation, ...]
    set: str
    bids: tuple[dict[str, str], ...]
    statements: dict[str, dict[str, Any]]
    closing: ProvenTick
    claims_end: str


SigningKeys = Callable[[str], Iterable[bytes]]
"""party -> its enrolled Ed25519 keys, newest first."""


def check_opening(
    package: Package, trust: Trust, *, now: str, officer_keys: Mapping[str, bytes], signing_keys: SigningKeys
) -> CheckedSet:
    """Every check of section 5, step 2, that needs no header. `now`: the officer's own clock.

    `officer_keys`: kid -> Ed25519 key, of the policy's officers; `signing_keys`: of the bidders.
    Refuses: UNAVAILABLE (too early), SIG, SIG_TYPE, JSON_PROFILE, TICK_PROOF, CONTEXT_MISMATCH, LATE, LOG_OMISSION,
    SET_OMISSION, SET_CONFLICT.
    """
    chain = _policies(package, trust, officer_keys)
    policy = chain[-1]
    parse_time(now)
    if now < policy["opens_at"]:
        raise CryptoError("UNAVAILABLE", f"nothing is opened before {policy['opens_at']}")
    deadline = _in_log(package.deadline_receipt, trust, "deadline", document_hash(dict(package.deadline)))
    check_document("deadline", dict(package.deadline))
    _of_policy(package.deadline, policy)
    if package.deadline["deadline"] != policy["deadline"]:
        raise CryptoError("CONTEXT_MISMATCH", "another deadline than the policy's")
    closing = _closing(package, trust, deadline, policy)
    found = generations(chain)
    for old, receipt in zip([None, *chain], package.policy_receipts, strict=False):
        logged = _in_log(receipt, trust, "policy").proven
        assert logged is not None
        _same_log(logged, closing.checkpoint, package.consistency)
        if logged.tick > closing.tick or (old is not None and not logged.at < old["deadline"]):
            raise CryptoError(
                "CONTEXT_MISMATCH", "a policy logged after the deadline then in force, or after the closing"
            )
    entries = _entries(package, trust, closing, policy)
    documents = _statements(package.statements, entries, signing_keys)
    bids = replay(entries, documents, **{name: policy[name] for name in ("tender", "lot", "envelope")})
    opening_set, _ = verify_any(package.opening_set, "opening-set", trust.platform_keys)
    check_document("opening-set", opening_set)
    _of_policy(opening_set, policy)
    if opening_set["deadline"] != b64u(deadline.c):
        raise CryptoError("CONTEXT_MISMATCH", "a set of another deadline entry")
    if any(bid not in opening_set["bids"] for bid in bids):
        raise CryptoError("SET_OMISSION", "a current bid is not in the set")
    if opening_set["bids"] != bids:
        raise CryptoError("SET_CONFLICT", "the set is not the one the log gives")
    return CheckedSet(
        policy,
        found,
        set_id(opening_set),
        tuple(bids),
        {bid["statement"]: documents[bid["statement"]] for bid in bids},
        closing,
        claims_end(closing.at, policy["opens_at"]),
    )


def _policies(package: Package, trust: Trust, officer_keys: Mapping[str, bytes]) -> list[dict[str, Any]]:
    if not package.policies or len(package.policies) != len(package.policy_receipts):
        raise CryptoError("CONTEXT_MISMATCH", "a policy without its receipt")
    chain = []
    for envelope, receipt in zip(package.policies, package.policy_receipts, strict=True):
        fault = CryptoError("SIG", "no platform key")
        for key in trust.platform_keys:
            try:
                policy = open_policy(envelope, key, officer_keys)
                break
            except CryptoError as error:
                fault = error
        else:
            raise fault
        _in_log(receipt, trust, "policy", document_hash(policy))
        chain.append(policy)
    return chain


def _closing(package: Package, trust: Trust, deadline: Receipt, policy: Mapping[str, Any]) -> ProvenTick:
    closing = deadline.proven
    assert closing is not None
    due = later(policy["deadline"], 60)
    if closing.at < due:
        raise CryptoError("TICK_PROOF", "the deadline entry is in a tick before the closing one")
    check_cosigned(closing, trust)
    if closing.tick:
        if package.before_closing is None or package.before_closing.keys() != {"leaf", "tlog"}:
            raise CryptoError("TICK_PROOF", "the tick before the closing one is not shown")
        before = verify_leaf(
            package.before_closing["leaf"], package.before_closing["tlog"], trust.log_key, trust.witnesses
        )
        _same_log(before, closing.checkpoint, package.consistency)
        if before.tick != closing.tick - 1 or before.at >= due:
            raise CryptoError("TICK_PROOF", "there was an earlier closing tick")
    if is_late_close(closing.at, policy["deadline"]):
        _late_close(package, trust, deadline, closing, policy)
    return closing


def _late_close(
    package: Package, trust: Trust, deadline: Receipt, closing: ProvenTick, policy: Mapping[str, Any]
) -> None:
    if package.late_close is None or package.late_close_receipt is None:
        raise CryptoError("UNAVAILABLE", "the closing tick came late: the supervisor's late-close is due first")
    found, _ = verify_any(package.late_close, "late-close", trust.supervisor_keys)
    check_document("late-close", found)
    _of_policy(found, policy)
    if found["closing"] != closing.tick or found["deadline"] != b64u(deadline.c):
        raise CryptoError("CONTEXT_MISMATCH", "a late-close of another closing")
    _same_log(
        _in_log(package.late_close_receipt, trust, "late-close", document_hash(found)).proven,
        closing.checkpoint,
        package.consistency,
    )


def _entries(package: Package, trust: Trust, closing: ProvenTick, policy: Mapping[str, Any]) -> list[dict[str, Any]]:
    if hash_of_list(package.entry_list) != package.deadline["entries"]:
        raise CryptoError("SET_CONFLICT", "not the list the deadline entry commits to")
    found: dict[str, dict[str, Any]] = {}
    for receipt in package.entries:
        entry = verify_receipt(receipt, trust.platform_keys, trust.log_key, trust.witnesses)
        if entry.state != IN_LOG or "list" in receipt or entry.proven is None:
            raise CryptoError("LOG_OMISSION", "a listed entry without a proof of its own")
        if entry.proven.tick > closing.tick:
            raise CryptoError("LOG_OMISSION", "a listed entry in a tick after the closing one")
        _same_log(entry.proven, closing.checkpoint, package.consistency)
        if entry.entry["event"] in _ACCEPTED and not entry.entry["at"] < policy["deadline"]:
            raise CryptoError("LATE", "an accepted entry that was late")
        found[b64u(entry.c)] = entry.entry
    if set(found) != set(package.entry_list["entries"]):
        raise CryptoError("LOG_OMISSION", "the entries shown are not those of the list")
    return list(found.values())


def _statements(
    envelopes: Sequence[Any], entries: Sequence[Mapping[str, Any]], signing_keys: SigningKeys
) -> dict[str, dict[str, Any]]:
    wanted = {entry["statement"]: _ACCEPTED[entry["event"]] for entry in entries if entry["event"] in _ACCEPTED}
    documents: dict[str, dict[str, Any]] = {}
    for envelope in envelopes:
        named = document_hash(payload_of(envelope))
        if named not in wanted:
            continue
        try:
            claimed = loads(payload_of(envelope))
            check_document(wanted[named], claimed)
            document, _ = verify_any(envelope, wanted[named], signing_keys(claimed["bidder"]))
        except CryptoError as error:
            raise CryptoError("SET_CONFLICT", f"a listed entry without its valid document: {error}") from error
        documents[named] = document
    return documents


def _in_log(receipt: Any, trust: Trust, event: str, statement: str | None = None) -> Receipt:
    found = verify_receipt(receipt, trust.platform_keys, trust.log_key, trust.witnesses)
    if found.proven is None or "list" in receipt:
        raise CryptoError("TICK_PROOF", f"the {event} is not shown to be in the log")
    if found.entry["event"] != event or (statement is not None and found.entry["statement"] != statement):
        raise CryptoError("CONTEXT_MISMATCH", f"an entry that does not speak of this {event}")
    return found


def _same_log(
    proven: ProvenTick | None, closing: Checkpoint, proofs: Mapping[tuple[int, int], Sequence[bytes]]
) -> None:
    assert proven is not None
    old, new = sorted((proven.checkpoint, closing), key=lambda c: c.size)
    verify_consistency(old.size, new.size, proofs.get((old.size, new.size), ()), old.root, new.root)


def _of_policy(document: Mapping[str, Any], policy: Mapping[str, Any]) -> None:
    if document["policy"] != policy_id(policy) or any(
        document[name] != policy[name] for name in ("platform", "tender", "lot", "envelope")
    ):
        raise CryptoError("CONTEXT_MISMATCH", "a document of another policy or lot")


# shares


def open_left_sealed(envelopes: Iterable[Any], set_: str, platform_keys: Iterable[bytes]) -> dict[str, str]:
    """header_hash -> cause of the bids of a set that stay sealed, from the platform's `bid-failed` documents with the code UNAVAILABLE.

    Refuses: SIG, SIG_TYPE, JSON_PROFILE, CONTEXT_MISMATCH (another set, another code, a bid named twice).
    """
    found: dict[str, str] = {}
    keys = tuple(platform_keys)
    for envelope in envelopes:
        document, _ = verify_any(envelope, "bid-failed", keys)
        check_document("bid-failed", document)
        if document["set"] != set_ or document["code"] != LEFT_SEALED or document["header_hash"] in found:
            raise CryptoError("CONTEXT_MISMATCH", "not a bid of this set that stays sealed")
        found[document["header_hash"]] = document["cause"]
    return found


def take_headers(checked: CheckedSet, raws: Iterable[bytes], left: Collection[str] = ()) -> dict[str, headers.Header]:
    """The headers the server hands out, by header_hash: hashed here, each in the set, of this line and bidder.

    Else a withdrawn bid could be slipped in under a listed name. `left`: bids that stay sealed, whose headers nobody gets.
    Refuses: SET_CONFLICT (a header that is not listed, or one missing), HEADER_*, CONTEXT_MISMATCH.
    """
    if not set(left) <= {bid["header_hash"] for bid in checked.bids}:
        raise CryptoError("SET_CONFLICT", "what stays sealed is not in the set")
    listed = {
        bid["header_hash"]: checked.statements[bid["statement"]]
        for bid in checked.bids
        if bid["header_hash"] not in left
    }
    found: dict[str, headers.Header] = {}
    for raw in raws:
        name = b64u(H("header", raw))
        if name not in listed:
            raise CryptoError("SET_CONFLICT", "a header that is not in the set")
        header = headers.parse_header(raw)
        check_sealed_under(header, checked.generations)
        if any(header.ctx[field] != listed[name][field] for field in ("bidder", "policy")):
            raise CryptoError("CONTEXT_MISMATCH", "a header of another bidder, or another policy than was signed")
        found[name] = header
    if set(found) != set(listed):
        raise CryptoError("SET_CONFLICT", "a header of the set is missing")
    return found


Secrets = Callable[[Mapping[str, Any]], bytes]
"""policy -> the officer's X25519 secret of that policy's scope: one root, a key for every serial."""


def release_shares(
    checked: CheckedSet,
    found: Mapping[str, headers.Header],
    *,
    j: int,
    secrets: Secrets,
    now: str,
    left: Collection[str] = (),
) -> dict[str, Any]:
    """The `shares` document of officer j of the newest policy: of every bid it has a box in the own part, or the code of
    a box that is bad.

    A bid sealed under earlier officers is opened with the key of that policy, where its generation is alive and this
    officer was in it; else it does not stand in the shares. `left`: the bids that stay sealed, of which no part is
    given, code UNAVAILABLE. Refuses: UNAVAILABLE before claims end, CONTEXT_MISMATCH.
    """
    if now < checked.claims_end:
        raise CryptoError("UNAVAILABLE", f"no share before {checked.claims_end}")
    officers = checked.policy["officers"]
    held = {checked.policy["serial"]: secrets(checked.policy)}
    if not 1 <= j <= len(officers) or b64u(x25519_public(held[checked.policy["serial"]])) != officers[j - 1]["pk"]:
        raise CryptoError("CONTEXT_MISMATCH", "not this officer's key of this tender, lot and envelope")
    boxes, items = boxes_of(checked.generations, found, j, left), []
    for bid in checked.bids:
        name, part, code = bid["header_hash"], b"", ""
        if name not in boxes and name not in left:
            continue
        try:
            if name in left:
                raise CryptoError(LEFT_SEALED, "it stays sealed")
            policy = check_sealed_under(found[name], checked.generations).policy
            if policy["serial"] not in held:
                held[policy["serial"]] = secrets(policy)
            part = headers.open_share(found[name], boxes[name], held[policy["serial"]])
        except CryptoError as error:
            code = error.code
        items.append({"header_hash": name, "part": b64u(part), "error": code})
    document = {"v": 1, "at": now, "set": checked.set, "j": j, "items": items}
    check_document("shares", document)
    return document


def make_bidder_part(header: headers.Header, *, secret: bytes, set_: str, at: str) -> dict[str, Any]:
    """The bidder's own part, where co-opening asks for it. Refuses: SHARE_OPEN, SHARE_COMMIT."""
    document = {
        "v": 1,
        "at": at,
        "set": set_,
        "header_hash": b64u(header.header_hash),
        "part": b64u(headers.open_share(header, 0, secret)),
    }
    check_document("bidder-part", document)
    return document


def check_posted_shares(
    document: Mapping[str, Any],
    found: Mapping[str, headers.Header],
    set_: str,
    generations_: Sequence[Generation],
    left: Collection[str] = (),
) -> dict[str, tuple[bytes, str]]:
    """The server's answer to a `shares` document, item by item: header_hash -> (good part, "") or (b"", code).

    Each part is held against the box of the officer's own number in that bid's generation (`boxes_of`). The code is the
    officer's own complaint, or SHARE_COMMIT for a part that is not the one committed to: ask again. `left`: the bids
    that stay sealed; no part of theirs is taken.
    Refuses: JSON_PROFILE, CONTEXT_MISMATCH (another set, not every bid of its boxes once, a part of what stays sealed).
    """
    check_document("shares", dict(document))
    names = [item["header_hash"] for item in document["items"]]
    boxes = boxes_of(generations_, found, document["j"], left)
    if document["set"] != set_ or len(set(names)) != len(names) or set(names) != {*boxes, *left}:
        raise CryptoError("CONTEXT_MISMATCH", "shares of another set, or not of every bid this officer has a box in")
    answer: dict[str, tuple[bytes, str]] = {}
    for item in document["items"]:
        name, part, code = item["header_hash"], unb64u(item["part"]), item["error"]
        if name in left and code != LEFT_SEALED:
            raise CryptoError("CONTEXT_MISMATCH", "a part, or another code, of a bid that stays sealed")
        if part:
            try:
                headers.check_share(found[name], boxes[name], part)
            except CryptoError as error:
                part, code = b"", error.code
        answer[name] = (part, code)
    return answer


def open_shares(envelope: Any, officer_key: bytes) -> dict[str, Any]:
    """A `shares` document signed by its officer. Refuses: SIG, SIG_TYPE, JSON_PROFILE."""
    return open_document(envelope, "shares", officer_key)
