"""Every kind of document: its exact keys, the form of each value, who signs it.

Implements the table of the protocol, section 4 (documents), and the enrolment rule of section 2. What a field may hold
is said once, here; whether a document fits the world (deadline, log, current bid) is for those who have that world.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from crypto import signatures
from crypto.canonical import loads, parse_time, unb64u
from crypto.errors import CODES, CryptoError
from crypto.keys import check_ed25519_public, check_x25519_public, kid
from crypto.policies import check_policy
from crypto.ticks import check_entry

Check = Callable[[Any], object]
CAUSES = ("bidder", "platform", "tenderee", "unknown")
ROLES = ("bidder", "officer", "platform", "log", "witness", "supervisor", "expert", "tenderee", "agency", "controller")
MAX_LISTED = 1000


def _fault(detail: str) -> CryptoError:
    return CryptoError("JSON_PROFILE", detail)


def _text(most: int = 128, least: int = 1) -> Check:
    def check(value: Any) -> None:
        if type(value) is not str or not least <= len(value.encode("utf-8", "surrogatepass")) <= most:
            raise _fault(f"a text of {least} to {most} bytes")

    return check


def _number(least: int = 0) -> Check:
    def check(value: Any) -> None:
        if type(value) is not int or value < least:
            raise _fault(f"a whole number from {least} on")

    return check


def _bytes(length: int, empty: bool = False) -> Check:
    def check(value: Any) -> None:
        if not (empty and value == ""):
            unb64u(value, length)

    return check


def _one_of(*values: str) -> Check:
    def check(value: Any) -> None:
        if type(value) is not str or value not in values:
            raise _fault(f"one of {', '.join(values)}"[:200])

    return check


def _list(item: Check, most: int = 100_000) -> Check:
    def check(value: Any) -> None:
        if type(value) is not list or len(value) > most:
            raise _fault("a list")
        for one in value:
            item(one)

    return check


def _object(**fields: Check) -> Check:
    def check(value: Any) -> None:
        if type(value) is not dict or value.keys() != fields.keys():
            raise _fault(f"an object of exactly {', '.join(sorted(fields))}")
        for name, one in fields.items():
            one(value[name])

    return check


def _at_least(**fields: Check) -> Check:
    """An object that has these keys and may have more: what the rules of one tender add to a sheet or a ranking."""

    def check(value: Any) -> None:
        if type(value) is not dict or not fields.keys() <= value.keys():
            raise _fault(f"an object with {', '.join(sorted(fields))}")
        for name, one in fields.items():
            one(value[name])

    return check


def _object_of(item: Check) -> Check:
    def check(value: Any) -> None:
        if type(value) is not dict:
            raise _fault("an object")
        for one in value.values():
            item(one)

    return check


def _flag(value: Any) -> None:
    if type(value) is not bool:
        raise _fault("a flag")


def _version(value: Any) -> None:
    if type(value) is not int or value != 1:
        raise _fault("version 1")


def _sorted_hashes(value: Any) -> None:
    """A list of commitments, sorted as bytes, none twice."""
    _list(HASH)(value)
    raw = [unb64u(one) for one in value]
    if any(a >= b for a, b in pairwise(raw)):
        raise _fault("commitments are sorted, none twice")


def _refusals(value: Any) -> None:
    _sorted_hashes(value)
    if len(value) > MAX_LISTED:
        raise _fault("a refusal list holds at most 1000")


def _set_bids(value: Any) -> None:
    _list(_object(entry=HASH, header_hash=HASH, statement=HASH))(value)
    raw = [unb64u(one["header_hash"]) for one in value]
    if any(a >= b for a, b in pairwise(raw)):
        raise _fault("bids are sorted by header_hash, none twice")


def _share_item(value: Any) -> None:
    _object(error=_one_of("", *CODES), header_hash=HASH, part=_bytes(32, empty=True))(value)
    if bool(value["error"]) is bool(value["part"]):
        raise _fault("a part or an error, the other empty")


def _opened_bid(value: Any) -> None:
    _object(
        announce=_object_of(_text(1_000_000, 0)),
        cause=_one_of("", *CAUSES),
        header_hash=HASH,
        files=_list(_object(digest=HASH, name=_text(255, 0)), MAX_LISTED),
        verdict=_one_of("opened", *CODES),
    )(value)
    opened = value["verdict"] == "opened"
    if opened is bool(value["cause"]) or (not opened and (value["announce"] or value["files"])):
        raise _fault("a cause where the bid was not opened, and only there; and then nothing announced")


def _approval(value: Any) -> None:
    """What is approved decides which facts stand in it."""
    kept = {"amount": _number(1), "ground": NAME, "proposal": HASH, "receipts": _list(NAME, MAX_LISTED), "to": NAME}
    facts = {
        "batch": _object(digest=_text(64, 64), value_on=_text(10, 10)),
        "forfeit": _object(**kept, **({"decides": NAME} if "decides" in value["facts"] else {})),
        "decision": _object(**kept),
        "payee": _object(payee=HASH, proof=_text(64, 64)),
    }
    facts[value["what"]](value["facts"])


def _form_field(value: Any) -> None:
    """A field of the bid form; one of type `choice` also names its choices, a price its ceiling (`most`), an item what it is `part_of`."""
    fields = {"key": NAME, "label": _text(400), "type": NAME, "required": _flag}
    may = {"choices": _list(_text(400), 100), "most": _text(40), "part_of": NAME}
    if type(value) is dict:
        fields |= {name: check for name, check in may.items() if name in value}
    _object(**fields)(value)


def _distinct_texts(value: Any) -> None:
    _list(NAME)(value)
    if len(set(value)) != len(value):
        raise _fault("a name twice")


NAME, HASH, TIME = _text(), _bytes(32), parse_time
_LOT: dict[str, Check] = {"platform": NAME, "tender": NAME, "lot": NAME, "envelope": NAME}
_SET: dict[str, Check] = {"at": TIME, "set": HASH}


@dataclass(frozen=True)
class Kind:
    """One kind of document: its fields (exactly these keys), those it may have besides, and its signers, in words."""

    fields: Mapping[str, Check]
    signed_by: str
    whole: Check | None = None
    may: Mapping[str, Check] = field(default_factory=dict)

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(self.fields)


def _kind(signed_by: str, *groups: Mapping[str, Check], whole: Check | None = None, **fields: Check) -> Kind:
    merged: dict[str, Check] = {"v": _version}
    for group in groups:
        merged |= group
    return Kind(merged | fields, signed_by, whole)


def _any(value: Any) -> None:
    """Checked by the rule of the whole document."""


_NONE = "none; the entry names its hash"
KINDS: dict[str, Kind] = {
    "enrolment": _kind(
        "new key and the one it replaces, or the supervisor's",
        at=TIME,
        party=NAME,
        platform=NAME,
        replaces=_bytes(16, empty=True),
        role=_one_of(*ROLES),
        seal_pk=_bytes(32, empty=True),
        sign_pk=HASH,
    ),
    "policy": _kind(
        "platform and every officer",
        _LOT,
        dict.fromkeys(
            (
                "co_opening",
                "deadline",
                "file_names",
                "max_plen",
                "mirror",
                "n",
                "officers",
                "opens_at",
                "rescue",
                "serial",
                "suite",
                "supersedes",
                "t",
                "window",
            ),
            _any,
        ),
        whole=check_policy,
    ),
    "drill": _kind("officer j", _LOT, at=TIME, header_hash=HASH, j=_number(1), policy=HASH),
    "published": _kind(
        "platform",
        at=TIME,
        platform=NAME,
        tender=NAME,
        policies=_list(HASH),
        files=_list(_object(name=_text(255), sha256=HASH, size=_number())),
    ),
    "submission": _kind(
        "bidder",
        _LOT,
        bidder=NAME,
        header_hash=HASH,
        policy=HASH,
        replaces=_bytes(32, empty=True),
        sealed_at=TIME,
        sealed_root=HASH,
        sealed_size=_number(1),
        tool=NAME,
    ),
    "withdrawal": _kind("bidder", _LOT, at=TIME, bidder=NAME, statement=HASH),
    "refusal-list": _kind(_NONE, _LOT, bidder=NAME, entries=_refusals),
    "entry": _kind(
        "platform",
        dict.fromkeys(
            ("id", "salt", "at", "tick_by", "event", "tender", "lot", "envelope", "statement", "reason"), _any
        ),
        whole=check_entry,
    ),
    "mirror-ack": _kind(
        "supervisor", _LOT, at=TIME, header_hash=HASH, kind=_one_of("files", "digests"), sealed_root=HASH
    ),
    "deadline": _kind(_NONE, _LOT, at=TIME, deadline=TIME, entries=HASH, policy=HASH),
    "late-close": _kind(
        "supervisor", _LOT, at=TIME, closing=_number(), deadline=HASH, finding=_text(4000), policy=HASH
    ),
    "entry-list": _kind("none; deadline.entries is its hash", entries=_sorted_hashes, salt=HASH),
    "omission-claim": _kind("bidder", _LOT, at=TIME, bidder=NAME, entry=HASH),
    "opening-set": _kind("platform", _LOT, at=TIME, bids=_set_bids, deadline=HASH, policy=HASH),
    "bidder-part": _kind("bidder", _SET, header_hash=HASH, part=HASH),
    "shares": _kind("officer j", _SET, items=_list(_share_item), j=_number(1)),
    "bid-failed": _kind("platform", _SET, cause=_one_of(*CAUSES), code=_one_of(*CODES), header_hash=HASH),
    "rescue": _kind("bidder", _SET, header_hash=HASH, seed=HASH),
    "finding": _kind("supervisor", _SET, code=_one_of(*CODES), header_hash=HASH, j=_number()),
    "opened": _kind("platform and at least t officers", _SET, bids=_list(_opened_bid)),
    "draw-notice": _kind(
        "platform",
        at=TIME,
        beacon=_text(128, 0),
        draw=NAME,
        label=_one_of("experts", "invited", "k"),
        parties=_distinct_texts,
        policy=HASH,
        pool=HASH,
        replaces=_text(128, 0),
        size=_number(1),
        take=_number(1),
    ),
    "draw-commit": _kind("party", at=TIME, commit=HASH, draw=NAME, header_hash=HASH, party=NAME),
    "commit-list": _kind("platform and each party or expert", at=TIME, entries=_list(HASH), of=_text(257), root=HASH),
    "draw-reveal": _kind("party", at=TIME, draw=NAME, party=NAME, r=HASH),
    "draw": _kind(
        "platform",
        at=TIME,
        beacon=_text(128, 0),
        draw=NAME,
        faults=_distinct_texts,
        label=_one_of("experts", "invited", "k"),
        picks=_list(_number()),
        pool=HASH,
        root=HASH,
        seed=HASH,
        size=_number(1),
    ),
    "draw-void": _kind("platform and supervisor", at=TIME, draw=NAME, missing=_distinct_texts, next=NAME),
    "sheet-commit": _kind("expert", at=TIME, commit=HASH, expert=NAME, lot=NAME, reason=_text(4000, 0), tender=NAME),
    "sheet": _kind(
        "expert",
        bids=_list(_at_least(bidder=NAME, items=_list(_at_least(id=NAME)))),
        expert=NAME,
        lot=NAME,
        tender=NAME,
    ),
    "ranking": _kind(
        "platform",
        at=TIME,
        lot=NAME,
        platform=NAME,
        tender=NAME,
        rules=HASH,
        ranking=_list(_at_least(bidder=NAME, rank=_number(1))),
    ),
    "approval": _kind(
        "controller, or the purchaser",
        approver=NAME,
        at=TIME,
        facts=_any,
        log=NAME,
        of=_text(257),
        person=NAME,
        platform=NAME,
        prepared=HASH,
        what=_one_of("batch", "forfeit", "decision", "payee"),
        whole=_approval,
    ),
    "act": _kind(
        _NONE, act=NAME, actor=NAME, at=TIME, facts=_object_of(_any), of=_text(257, 0), platform=NAME, salt=HASH
    ),
    "attempt": _kind(
        _NONE,
        _LOT,
        bidder=NAME,
        bytes=_number(),
        declared=_bytes(32, empty=True),
        first_at=TIME,
        last_at=TIME,
        sha256=HASH,
    ),
    "index": _kind(
        "platform", files=_list(_object(path=_text(1000), sha256=HASH, size=_number())), profile=NAME, tender=NAME
    ),
    "ticket": _kind(
        "platform",
        _LOT,
        title=_text(1000),
        policy=_text(100_000),
        form=_list(_form_field),
        trust=_object(
            origin=NAME,
            log_key=_text(400),
            platform_keys=_list(HASH),
            supervisor_keys=_list(HASH),
            witnesses=_list(_text(400)),
            quorum=_number(),
        ),
    ),
}
KINDS["ticket"] = replace(KINDS["ticket"], may={"enrolments": _list(_text(100_000), MAX_LISTED)})
"""Every kind by name. `ticket` is the one kind that is never logged: what a lot's page hands to the sealer."""


def check_document(kind: str, document: Any) -> None:
    """The exact keys and the form of every value. Refuses: JSON_PROFILE (a policy: SUITE_UNKNOWN too)."""
    rule = KINDS[kind]
    if type(document) is not dict or document.keys() - rule.may.keys() != rule.keys:
        raise _fault(f"a {kind} has exactly the keys {', '.join(sorted(rule.keys))}")
    for name, check in [*rule.fields.items(), *((name, rule.may[name]) for name in rule.may if name in document)]:
        try:
            check(document[name])
        except CryptoError as error:
            raise _fault(f"{kind}.{name}: {error.detail}") from error
    if rule.whole is not None:
        rule.whole(document)


def sign_document(kind: str, document: Mapping[str, Any], *secrets: bytes) -> signatures.Envelope:
    """A checked document, signed by each of the secrets. Refuses: JSON_PROFILE."""
    check_document(kind, dict(document))
    return signatures.sign(kind, dict(document), *secrets)


def open_document(envelope: Any, kind: str, *publics: bytes) -> dict[str, Any]:
    """The checked document of an envelope signed by exactly these keys. Refuses: SIG, SIG_TYPE, JSON_PROFILE."""
    document = signatures.verify_all(envelope, kind, publics)
    check_document(kind, document)
    found: dict[str, Any] = document
    return found


def open_policy(envelope: Any, platform_key: bytes, officer_keys: Mapping[str, bytes]) -> dict[str, Any]:
    """A policy signed by the platform and every officer in it. `officer_keys`: kid -> Ed25519 key, from enrolments.

    Refuses: SIG, SIG_TYPE, JSON_PROFILE, SUITE_UNKNOWN.
    """
    claimed = loads(signatures.payload_of(envelope))
    check_document("policy", claimed)
    try:
        publics = [officer_keys[officer["sign_kid"]] for officer in claimed["officers"]]
    except KeyError as error:
        raise CryptoError("SIG", "an officer whose key is not enrolled") from error
    return open_document(envelope, "policy", platform_key, *publics)


def open_opened(envelope: Any, platform_key: bytes, officer_keys: Iterable[bytes], at_least: int) -> dict[str, Any]:
    """An opening list signed by the platform and `at_least` of the officers. Refuses: SIG, SIG_TYPE, JSON_PROFILE."""
    document = signatures.verify_quorum(envelope, "opened", (platform_key,), tuple(officer_keys), at_least)
    check_document("opened", document)
    found: dict[str, Any] = document
    return found


def open_enrolment(
    envelope: Any, current: bytes = b"", supervisor_keys: Iterable[bytes] = ()
) -> tuple[dict[str, Any], str]:
    """(enrolment, how): how is `first`, `rotated` or `replaced by supervisor`.

    `current`: the party's Ed25519 key so far, empty if none. Signed by the new key, and by the one it replaces or, for
    a lost key, by a supervisor: else the platform could withdraw in a bidder's name.
    Refuses: SIG, SIG_TYPE, JSON_PROFILE, CONTEXT_MISMATCH (replaces another key than the current one).
    """
    payload = signatures.payload_of(envelope)
    if signatures.kind_of(envelope) != "enrolment":
        raise CryptoError("SIG_TYPE", "not an enrolment")
    claimed = loads(payload)
    if type(claimed) is not dict:
        raise _fault("a document is an object")
    public = unb64u(claimed.get("sign_pk"), 32)
    check_ed25519_public(public)
    if not signatures.signers(envelope, (public,)):
        raise CryptoError("SIG", "not signed by the new key")
    check_document("enrolment", claimed)
    if claimed["seal_pk"]:
        check_x25519_public(unb64u(claimed["seal_pk"]))
    if claimed["replaces"] != (kid("ed25519", current) if current else ""):
        raise CryptoError("CONTEXT_MISMATCH", "replaces another key than the current one")
    if not current:
        return open_document(envelope, "enrolment", public), "first"
    if current == public:
        raise CryptoError("CONTEXT_MISMATCH", "the key is enrolled already")
    if signatures.signers(envelope, (current,)):
        return open_document(envelope, "enrolment", public, current), "rotated"
    for supervisor in supervisor_keys:
        if signatures.signers(envelope, (supervisor,)):
            return open_document(envelope, "enrolment", public, supervisor), "replaced by supervisor"
    raise CryptoError("SIG", "signed neither by the key it replaces nor by a supervisor")
