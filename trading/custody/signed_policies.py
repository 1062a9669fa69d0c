"""The opening policies of a lot as their officers signed them: which stand, until when bids are taken, who opens.

Law of the noun: publication names the first policy of each envelope in a logged document; from there each names the one it supersedes, so
the newest follows from signed documents alone. What the rows of policies, seats and the lot say of it is held against them here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from crypto.canonical import loads, parse_time, unb64u
from crypto.documents import open_policy
from crypto.errors import CryptoError
from crypto.keys import kid
from crypto.policies import policy_id
from crypto.signatures import payload_of
from trading.custody import officers
from trading.custody.officers import BID, STANDING, OfficerSeat, Policy, bid_envelopes, is_link, line_of
from trading.kernel import signed
from trading.kernel.audit import LogEntry, envelope_text
from trading.kernel.errors import Conflict
from trading.kernel.signed import Difference, Remembered
from trading.kernel.work import View
from trading.parties.enrolments import EnrolledKey
from trading.tendering.tenders import Lot

_PROVED = Remembered(2_000)


@dataclass(frozen=True)
class SignedPolicy:
    """A complete policy: ``document`` as everybody signed it, ``text`` its envelope, ``c`` the entry that logged it, "" where the log has
    none and only the row still holds the envelope."""

    document: dict[str, Any]
    id: str
    text: str
    c: str

    @property
    def deadline(self) -> datetime:
        return parse_time(self.document["deadline"])

    @property
    def opens_at(self) -> datetime:
        return parse_time(self.document["opens_at"])


def opened(view: View, text: str) -> tuple[dict[str, Any], str]:
    """(policy, id) of an envelope that the platform and all its officers signed. Raises: CryptoError for any other."""

    def prove() -> tuple[dict[str, Any], str]:
        envelope = signed.parsed(text)
        claimed = loads(payload_of(envelope))
        kids = {str(one["sign_kid"]) for one in claimed["officers"]}
        document = open_policy(envelope, view.office.keys.public, officer_keys(view.session, kids))
        return document, policy_id(document)

    found: tuple[dict[str, Any], str] = _PROVED.get(prove, view.office.keys.public, text)
    return found


def officer_keys(session: Session, kids: set[str]) -> dict[str, bytes]:
    """kid → public key, wherever one still stands: a kid is a hash, so whoever gives the key need not be believed."""
    asked = (
        select(EnrolledKey.sign_public).where(EnrolledKey.sign_kid.in_(kids)),
        select(OfficerSeat.sign_public).where(OfficerSeat.sign_kid.in_(kids)),
        select(EnrolledKey.sign_public).where(EnrolledKey.role == "officer"),
    )
    found: dict[str, bytes] = {}
    for query in asked:
        for text in session.scalars(query):
            try:
                public = unb64u(text, 32)
            except CryptoError:
                continue
            if (name := kid("ed25519", public)) in kids:
                found[name] = public
        if len(found) == len(kids):
            return found
    for text in session.scalars(select(EnrolledKey.document).where(EnrolledKey.role == "officer")):
        public = _key_in(text)
        if public and (name := kid("ed25519", public)) in kids:
            found[name] = public
    return found


def _key_in(text: str) -> bytes:
    try:
        return unb64u(loads(payload_of(json.loads(text)))["sign_pk"], 32)
    except (CryptoError, ValueError, KeyError, TypeError):
        return b""


def line(view: View, lot: Lot, part: str = BID) -> list[SignedPolicy]:
    """The policies of an envelope since publication, oldest first, the one in force last; empty before publication.

    A complete envelope that the log has lost and the row still holds is not passed over: no deadline comes earlier because an entry was
    hidden. Refuses: Conflict ``signed.altered``.
    """
    tender, no = lot.tender.ref, lot.no_text
    published = signed.listed(view, "published", tender=tender, lot=no)
    if not published:
        return []
    found: dict[str, SignedPolicy] = {}
    for one in signed.listed(view, "policy", tender=tender, lot=no, part=part):
        text = envelope_text(one.document)
        try:
            policy = SignedPolicy(*opened(view, text), text, one.c)
        except CryptoError as error:
            raise signed.altered(f"log_entry {one.number}", one.c) from error
        found[policy.id] = policy
    for _, _, _, kept in view.session.execute(_CHAIN, {"lot": lot.id, "envelope": part}):
        text = kept or ""
        try:
            document, name = opened(view, text)
        except (CryptoError, KeyError, TypeError):
            continue  # told as a difference of its row
        if (document["tender"], document["lot"], document["envelope"]) == (tender, no, part):
            found.setdefault(name, SignedPolicy(document, name, text, ""))
    named = [found[name] for name in published[0].payload["policies"] if name in found]
    if not named:
        raise signed.altered(f"log_entry {published[0].number}", published[0].c)
    after: dict[str, SignedPolicy] = {}
    for policy in found.values():
        before = str(policy.document["supersedes"])
        if before and after.setdefault(before, policy) is not policy:
            raise signed.altered(f"policy {policy.id}", policy.c)  # two that supersede one
    answer = [named[0]]
    while (successor := after.get(answer[-1].id)) is not None and len(answer) <= len(found):
        answer.append(successor)
    return answer


LINKS = (Policy.policy_id, Policy.supersedes, Policy.standing, Policy.dsse)
"""What ``chain_of`` takes of each policy, as a part of a larger question (``officers.is_link``)."""


def chain(view: View, lot: Lot, part: str = BID) -> list[dict[str, Any]]:
    """The documents of an envelope's line, oldest first: what a header is held against (``crypto.policies.check_context``)."""
    rows = view.session.execute(_CHAIN, {"lot": lot.id, "envelope": part}).all()
    return chain_of(view, lot.id, lot.deadline, part, rows)


def chain_of(
    view: View, lot_id: int, deadline: datetime | None, part: str, rows: Sequence[Sequence[Any]]
) -> list[dict[str, Any]]:
    """As ``chain``, from rows of ``LINKS`` read along with something else; rows that found no policy are passed over.

    Rows that say what their envelopes say are the line; where one does not, or the deadline of the lot's row is another than that of the
    newest policy, the log decides. Nobody changes the documents: they are kept.
    """
    links = [row for row in rows if row[0] is not None]
    try:
        documents = {row[0]: _checked(view, row) for row in links}
        found = [documents[name] for name in line_of([(row[0], row[1], row[2]) for row in links])]
        if not found or deadline is None or parse_time(found[-1]["deadline"]) == deadline:
            return found
    except (CryptoError, KeyError, TypeError):
        pass  # a row that is not as it was signed: the audit names it
    lot = view.session.get_one(Lot, lot_id)
    return [one.document for one in line(view, lot, part)] or [
        officers.policy_document(row) for row in officers.policy_rows(view.session, lot, part)
    ]


def _checked(view: View, row: Sequence[Any]) -> dict[str, Any]:
    document, name = opened(view, row[3])
    if (name, document["supersedes"]) != (row[0], row[1]):
        raise CryptoError("CONTEXT_MISMATCH", "the row differs from its envelope")
    return document


_CHAIN = select(*LINKS).where(is_link(bindparam("lot"), bindparam("envelope")))
_POLICIES = select(Policy).where(Policy.lot_id == bindparam("lot"))
_SEATS = select(OfficerSeat).where(OfficerSeat.lot_id == bindparam("lot"), OfficerSeat.stage == STANDING)


def deadline(view: View, lot: Lot) -> datetime | None:
    """Until when bids of a published lot are taken, as all officers signed it; None before publication.

    Refuses: Conflict ``signed.altered``."""
    found = line(view, lot)
    return found[-1].deadline if found else None


# --- rows against what was signed ---------------------------------------------------------------------------------------------


def differences(view: View, lot: Lot) -> Iterator[Difference]:
    """Where the lot's moments and threshold, its policies and its officers differ from what all officers signed.

    Refuses: Conflict ``signed.altered``."""
    for part in bid_envelopes(lot):
        found = line(view, lot, part)
        if not found:
            return
        newest = found[-1]
        document = newest.document
        told: dict[str, Any] = {"deadline": newest.deadline, "opens_at": newest.opens_at}
        told |= {"threshold": document["t"], "window_minutes": document["window"], "co_opening": document["co_opening"]}
        yield from signed.compare(lot, told, newest.c)
        yield from of_rows(view, lot, part, found)
        yield from _of_seats(view, lot, part, newest)


def of_rows(view: View, lot: Lot, part: str, found: Iterable[SignedPolicy]) -> Iterator[Difference]:
    """The rows of an envelope's line: each there, each as signed, the newest alone standing."""
    rows = {row.policy_id: row for row in view.session.scalars(_POLICIES, {"lot": lot.id})}
    ordered = list(found)
    for policy in ordered:
        row = rows.get(policy.id)
        if row is None:
            yield Difference("policy", policy.id, "policy_id", policy.c, "", policy.id)
            continue
        yield from of_row(row, policy, lot)
        if row.standing is not (policy is ordered[-1]):
            yield Difference("policy", str(row.id), "standing", ordered[-1].c, str(row.standing), ordered[-1].id)


def of_row(row: Policy, policy: SignedPolicy, lot: Lot) -> Iterator[Difference]:
    """One complete policy against its envelope."""
    envelope, document = json.loads(policy.text), policy.document
    wanted: dict[str, Any] = {
        "lot_id": lot.id,
        "envelope": document["envelope"],
        "policy_id": policy.id,
        "payload": payload_of(envelope).decode(),
        "dsse": policy.text,
        "supersedes": document["supersedes"],
        "t": document["t"],
        "deadline": policy.deadline,
        "opens_at": policy.opens_at,
        "signatures": envelope["signatures"],
    }
    if policy.c:
        wanted["log_c"] = policy.c
    yield from signed.compare(row, wanted, policy.c)


def _of_seats(view: View, lot: Lot, part: str, newest: SignedPolicy) -> Iterator[Difference]:
    """The officers in force are those of the policy in force, with the keys it names."""
    rows = view.session.scalars(_SEATS, {"lot": lot.id})
    seats = {row.j: row for row in rows}
    document = newest.document
    for j, officer in enumerate(document["officers"], 1):
        row = seats.pop(j, None)
        if row is None:
            yield Difference("officer_seat", f"{lot.ref} {j}", "j", newest.c, "", str(j))
            continue
        yield from of_seat(row, officer, int(document["serial"]), part, newest.c)
    for row in seats.values():
        yield Difference("officer_seat", str(row.id), "j", newest.c, str(row.j), "")


def of_seat(row: OfficerSeat, officer: dict[str, Any], serial: int, part: str, entry: str) -> Iterator[Difference]:
    """One seat against the officer a policy names."""
    yield from signed.compare(row, {"side": officer["side"], "serial": serial, "sign_kid": officer["sign_kid"]}, entry)
    if row.account.username != officer["name"]:
        yield Difference("officer_seat", str(row.id), "account_id", entry, row.account.username, officer["name"])
    if row.publics.get(part) != officer["pk"]:
        yield Difference("officer_seat", str(row.id), "publics", entry, str(row.publics.get(part)), officer["pk"])
    try:
        held = kid("ed25519", unb64u(row.sign_public, 32))
    except CryptoError:
        held = ""
    if held != officer["sign_kid"]:
        yield Difference("officer_seat", str(row.id), "sign_public", entry, held, officer["sign_kid"])


def deadlines(view: View, lots: Iterable[Lot]) -> dict[int, datetime]:
    """Lot id → the signed deadline of each that is published and whose documents hold: for the clock, which closes by nothing else.

    Asked with every tick, so each is derived anew only when the log has another newest policy."""
    newest = view.session.scalar(
        select(LogEntry.c).where(LogEntry.event.in_(("policy", "published"))).order_by(LogEntry.id.desc()).limit(1)
    )
    found = {}
    for lot in lots:
        try:
            moment = _DEADLINES.get(partial(_deadline, view, lot), newest or "", lot.log_of)
        except Conflict:
            continue  # told by the acts that need it and by doctor; nothing is closed by what nobody signed
        if moment:
            found[lot.id] = moment[0]
    return found


def _deadline(view: View, lot: Lot) -> tuple[datetime, ...]:
    found = line(view, lot)
    return (found[-1].deadline,) if found else ()


_DEADLINES = Remembered(5_000)
