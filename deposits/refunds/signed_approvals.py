"""An approval of money is signed by whoever gives it, with a key of their own (docs/formats/bundle.md §4).

Law of the noun: the document names what is approved by values the platform reckons anew from its rows, who approves, and the record of who
prepared it, which is another person's. Payment asks for it again each time, so the platform's word alone moves nothing. An approval without
one counts only if the log proves it to be older than the first key of any controller: whoever has the platform's key cannot put an entry
into a tick that is sealed. A purchaser's decision to keep a deposit is signed the same way, with the key of their firm.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crypto.canonical import loads, parse_time, unb64u
from crypto.documents import check_document
from crypto.errors import CryptoError
from crypto.signatures import payload_of, verify_any
from crypto.ticks import verify_proof
from trading.kernel import audit, log, signed
from trading.kernel.audit import ActRecord
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound
from trading.kernel.work import UnitOfWork, View
from trading.parties import parties, signed_keys
from trading.parties.enrolments import SKEW, holder_of
from trading.parties.parties import Account
from trading.parties.signed_keys import SignedKey

KIND, ROLE = "approval", "controller"
FACT = "signature"
"""The fact of a record that names the signed document by its hash."""


@dataclass(frozen=True)
class Matter:
    """What is approved: ``what`` of (batch, forfeit, decision, payee), the thing's name, the record of its preparation, the values that
    count, and in which role the key that signs was enrolled."""

    what: str
    of: str
    prepared: ActRecord
    facts: Mapping[str, Any]
    role: str = ROLE


def document(view: View, matter: Matter, *, approver: str, person: str, at: str) -> dict[str, Any]:
    """What an approver signs under the kind ``approval``. ``person``: the word for the account that is hashed in the log."""
    return {
        "v": 1,
        "at": at,
        "platform": view.office.platform,
        "log": log.origin(view.office.platform),
        "approver": approver,
        "person": person,
        "what": matter.what,
        "of": matter.of,
        "prepared": matter.prepared.entry_hash,
        "facts": dict(matter.facts),
    }


def to_sign(view: View, matter: Matter) -> dict[str, Any]:
    """The document for whoever looks, all but the moment. Refuses: NotFound ``key.not_enrolled`` without a key of their own."""
    name = own_name(view, matter.role)
    if not signed_keys.then(view, name, matter.role, view.now):
        raise NotFound("key.not_enrolled", holder=name, role=matter.role)
    told = document(view, matter, approver=name, person=view.actor.person, at="")
    del told["at"]
    return told


def own_name(view: View, role: str) -> str:
    """The name in signed documents of whoever looks: the person's, or the firm's where the key is."""
    assert view.actor.account_id is not None
    return holder_of(parties.account(view.session, view.actor.account_id), role)


def has_key(view: View, role: str = ROLE) -> bool:
    """Whether whoever looks holds a key to approve with."""
    return bool(signed_keys.then(view, own_name(view, role), role, view.now))


def take(work: UnitOfWork, matter: Matter, envelope: Any, *, at_once: bool = False) -> str:
    """Check and keep a signed approval of the person who acts; its hash, for the record of the act. ``at_once``: money moves by this very
    act, so the enrolment of the key must be sealed in the log already.

    Refuses: NotFound ``key.not_enrolled``, Conflict ``approval.other`` (``fields``: of another thing, other values or another moment),
    ``approval.key_waiting``, Invalid ``approval.refused`` (``reason``: a code of the protocol), NotAllowed ``refund.same_person``.
    """
    wanted = to_sign(work, matter)
    try:
        claimed = loads(payload_of(envelope))
        check_document(KIND, claimed)
    except CryptoError as error:
        raise Invalid("approval.refused", reason=error.code, detail=error.detail) from error
    wrong = sorted(name for name in wanted if claimed[name] != wanted[name])
    if abs(parse_time(claimed["at"]) - work.now) > SKEW:
        wrong.append("at")
    if wrong:
        raise Conflict("approval.other", fields=wrong)
    try:
        key = _verify(work, envelope, claimed, matter.role, work.now)
    except CryptoError as error:
        raise Invalid("approval.refused", reason=error.code, detail=error.detail) from error
    if at_once and not _ticks(work, [key.c]):
        raise Conflict("approval.key_waiting", of=matter.of)
    if audit.check_fact_of(matter.prepared.payload, "person", claimed["person"]):
        raise NotAllowed("refund.same_person")
    return audit.keep_document(work, KIND, envelope, signed=True)


def require(view: View, matter: Matter, record: ActRecord) -> str:
    """That the record of an approval names a document which its approver signed with a key of their own that stood then, over just this
    matter, and who is not the person that prepared it. The approver's name; "" for a controller's approval of before there were keys.

    The key's enrolment is sealed in the log before money moves by it: whoever invents a controller leaves that there for good.

    Refuses: Conflict ``refund.not_signed`` (``reason``), ``approval.key_waiting`` (its enrolment is sealed with the next tick).
    """
    try:
        return _require(view, matter, record)
    except CryptoError as error:
        raise Conflict("refund.not_signed", of=matter.of, reason=error.code, detail=error.detail) from error


def signed_facts(view: View, record: ActRecord) -> dict[str, Any]:
    """The values that stand in the signed document of an approval, not proved yet; none where there is no such document."""
    name = json.loads(record.payload)["facts"].get(FACT, "")
    envelope = signed.kept(view.session, name) if name else None
    if envelope is None:
        return {}
    found: dict[str, Any] = loads(payload_of(envelope))["facts"]
    return found


def _require(view: View, matter: Matter, record: ActRecord) -> str:
    told = json.loads(record.payload)
    name = told["facts"].get(FACT, "")
    if not name:
        if matter.role != ROLE or not _is_older_than_keys(view, record):
            raise CryptoError("SIG", "nobody signed the approval")
        return ""
    envelope = signed.kept(view.session, name)
    if envelope is None:
        raise CryptoError("SIG", "the signed approval is not here")
    claimed = loads(payload_of(envelope))
    check_document(KIND, claimed)
    at = parse_time(told["at"])
    wanted = document(view, matter, approver=claimed["approver"], person=claimed["person"], at=claimed["at"])
    if claimed != wanted or abs(parse_time(claimed["at"]) - at) > SKEW:
        raise CryptoError("CONTEXT_MISMATCH", "an approval of something else")
    key = _verify(view, envelope, claimed, matter.role, at)
    if not _ticks(view, [key.c]):
        raise Conflict("approval.key_waiting", of=matter.of)
    who = _person(view, claimed["person"])
    if who is None or holder_of(who, matter.role) != claimed["approver"]:
        raise CryptoError("CONTEXT_MISMATCH", "signed by another person")
    if not audit.check_fact_of(record.payload, "person", claimed["person"]):
        raise CryptoError("CONTEXT_MISMATCH", "another person than the one who approved")
    if audit.check_fact_of(matter.prepared.payload, "person", claimed["person"]):
        raise CryptoError("CONTEXT_MISMATCH", "prepared and approved by one person")
    return str(claimed["approver"])


def _person(view: View, word: str) -> Account | None:
    """Whose account a word for a person names."""
    kind, _, number = word.partition(":")
    return (
        view.session.get(Account, int(number)) if kind == "account" and number.isascii() and number.isdigit() else None
    )


def _verify(view: View, envelope: Any, claimed: Mapping[str, Any], role: str, at: datetime) -> SignedKey:
    """The key that signed, which stood for the approver then. Raises: CryptoError."""
    keys = {key.sign: key for key in signed_keys.then(view, claimed["approver"], role, at)}
    return keys[verify_any(envelope, KIND, keys)[1]]


def _ticks(view: View, entries: Sequence[str]) -> dict[str, int]:
    """c → the tick it is proved to be sealed in; those that still wait are left out. Raises: CryptoError for a log that proves nothing."""
    key = log.log_key(view.office.platform, view.office.keys)
    shown = log.proofs(view.session, entries)
    return {c: verify_proof(proof, unb64u(c, 32), key).tick for c, proof in shown.items()}


def _is_older_than_keys(view: View, record: ActRecord) -> bool:
    """Whether the log proves an unsigned approval to lie before the first key of a controller: such were given before there were any."""
    first = signed_keys.first_at(view, ROLE)
    ticks = _ticks(view, [record.entry_hash, *([first] if first else [])])
    if record.entry_hash not in ticks:
        return False
    return not first or first not in ticks or ticks[record.entry_hash] < ticks[first]
