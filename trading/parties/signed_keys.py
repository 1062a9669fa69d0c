"""The key of a holder as the log has it: the enrolment its holder signed, in the entry the platform signed.

Law of the noun: whoever could write into the table of keys could else sign in a bidder's name; so a key counts where its enrolment is in
the log, and the row is believed as far as it says the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select

from crypto.canonical import loads, parse_time, unb64u
from crypto.errors import CryptoError
from crypto.keys import kid
from crypto.signatures import document_hash, payload_of
from trading.kernel import signed
from trading.kernel.audit import ActRecord, LogDocument, LogEntry
from trading.kernel.clock import floor_second
from trading.kernel.errors import NotFound
from trading.kernel.signed import Difference, Remembered
from trading.kernel.work import View
from trading.parties.enrolments import EnrolledKey, find_key, holder_of
from trading.parties.parties import Account

_PROVED = Remembered()


@dataclass(frozen=True)
class SignedKey:
    """An enrolment in the log: ``document`` as its holder signed it, ``text`` its envelope, ``c`` and ``at`` of its entry."""

    document: dict[str, Any]
    text: str
    c: str
    at: datetime

    @property
    def sign(self) -> bytes:
        return unb64u(self.document["sign_pk"], 32)

    @property
    def seal(self) -> bytes:
        return unb64u(self.document["seal_pk"]) if self.document["seal_pk"] else b""

    @property
    def kid(self) -> str:
        return kid("ed25519", self.sign)


def proved(view: View, text: str) -> SignedKey:
    """The enrolment of an envelope, if the log holds it. Raises: CryptoError else."""

    def prove() -> SignedKey:
        payload = payload_of(signed.parsed(text))
        name = document_hash(payload)
        for entry in view.session.connection().scalars(_ENROLLED, {"name": name}):
            value, c = signed.entry_of(view.office.keys.public, entry)
            if (value["event"], value["statement"]) == ("key-enrolled", name):
                return SignedKey(loads(payload), text, c, parse_time(value["at"]))
        raise CryptoError("SIG", "an enrolment the log does not hold")

    found: SignedKey = _PROVED.get(prove, view.office.keys.public, text)
    return found


_ENROLLED = select(LogEntry.envelope).where(LogEntry.statement == bindparam("name"), LogEntry.event == "key-enrolled")


def of(view: View, holder: str, role: str, *, text: str | None, sign: str | None, seal: str | None) -> SignedKey | None:
    """The standing key of a holder: that of the row, given as it was read, where its enrolment is in the log and says the same; else what
    the log alone says. None without any."""
    if text is not None:
        try:
            key = proved(view, text)
            told = key.document
            if (told["party"], told["role"], told["sign_pk"], told["seal_pk"]) == (holder, role, sign, seal or ""):
                return key
        except (CryptoError, KeyError, TypeError):
            pass  # told by the audit; the log decides
    return standing(view, holder, role)


def of_row(view: View, holder: str, role: str, row: EnrolledKey | None) -> SignedKey | None:
    """As ``of``, from the row."""
    if row is None:
        return standing(view, holder, role)
    return of(view, holder, role, text=row.document, sign=row.sign_public, seal=row.seal_public)


def required(view: View, holder: str, role: str) -> SignedKey:
    """The standing key of a holder, as the log has it. Refuses: NotFound ``key.not_enrolled``."""
    found = of_row(view, holder, role, find_key(view.session, holder, role))
    if found is None:
        raise NotFound("key.not_enrolled", holder=holder, role=role)
    return found


def standing(view: View, holder: str, role: str) -> SignedKey | None:
    """The key a holder has by the log alone: the newest enrolment that no other replaces and whose holder has not revoked it."""
    found = [key for key in every(view) if (key.document["party"], key.document["role"]) == (holder, role)]
    replaced = {key.document["replaces"] for key in found}
    gone = revoked(view)
    return next((key for key in reversed(found) if key.kid not in replaced and key.kid not in gone), None)


def of_holder(view: View, holder: str, role: str) -> list[SignedKey]:
    """Every key a holder ever enrolled in the log, oldest first, ended ones too."""
    texts = view.session.scalars(
        select(EnrolledKey.document)
        .where(EnrolledKey.holder == holder, EnrolledKey.role == role)
        .order_by(EnrolledKey.id)
    )
    found = []
    for text in texts:
        try:
            found.append(proved(view, text))
        except (CryptoError, KeyError, TypeError):
            continue  # told by the audit
    return [key for key in found if (key.document["party"], key.document["role"]) == (holder, role)]


def then(view: View, holder: str, role: str, at: datetime) -> list[SignedKey]:
    """The keys that stood for a holder at a moment: enrolled by then in the log, and neither replaced nor revoked before it."""
    chain = of_holder(view, holder, role)
    ended = {key.document["replaces"]: key.at for key in chain if key.document["replaces"]}
    for key in chain:
        for entry, _record in signed.records(view, ("key.revoke",), f"key:{key.kid}"):
            ended[key.kid] = min(parse_time(entry.entry["at"]), ended.get(key.kid, parse_time(entry.entry["at"])))
    moment = floor_second(at)
    return [key for key in chain if key.at <= moment and (key.kid not in ended or moment <= ended[key.kid])]


def first_at(view: View, role: str) -> str:
    """The c of the entry that tells of the first key ever enrolled in a role, "" where the log tells of none.

    Refuses: Conflict ``signed.altered`` where that record is not what was signed."""
    told = select(ActRecord.of).where(ActRecord.act == "key.enrol", ActRecord.payload.contains(f'"role":"{role}"'))
    of = view.session.scalar(told.order_by(ActRecord.id).limit(1))
    if of is None:
        return ""
    return min(signed.records(view, ("key.enrol",), of), key=lambda found: found[0].number)[0].c


def every(view: View) -> list[SignedKey]:
    """All enrolments of the log, oldest first; what is not as it was signed is passed over, the audit names it."""
    query = (
        select(LogDocument.text)
        .join(LogEntry, LogEntry.statement == LogDocument.hash)
        .where(LogEntry.event == "key-enrolled")
        .order_by(LogEntry.id)
    )
    found = []
    for text in view.session.scalars(query):
        try:
            found.append(proved(view, text))
        except (CryptoError, KeyError, TypeError):
            continue
    return found


def revoked(view: View) -> dict[str, str]:
    """kid → the entry of its revocation, of every key its holder ended."""
    query = select(ActRecord.payload, LogEntry.envelope).join(LogEntry, LogEntry.c == ActRecord.entry_hash)
    found = {}
    for payload, envelope in view.session.execute(query.where(ActRecord.act == "key.revoke")):
        try:
            value, c = signed.entry_of(view.office.keys.public, envelope)
        except CryptoError:
            continue
        if value["statement"] == document_hash(payload.encode()):
            found[str(json.loads(payload)["of"]).removeprefix("key:")] = c
    return found


def differences(view: View) -> Iterator[Difference]:
    """Where the table of keys differs from the enrolments and revocations of the log."""
    rows = {row.sign_kid: row for row in view.session.scalars(select(EnrolledKey).order_by(EnrolledKey.id))}
    found = every(view)
    by_kid = {key.kid: key for key in found}
    after = {key.document["replaces"]: key for key in found if key.document["replaces"]}
    gone = revoked(view)
    for name, key in by_kid.items():
        row = rows.pop(name, None)
        if row is None:
            yield Difference("enrolled_key", name, "sign_kid", key.c, "", name)
            continue
        told = key.document
        wanted = {"holder": told["party"], "role": told["role"], "sign_public": told["sign_pk"], "document": key.text}
        yield from signed.compare(row, wanted | {"seal_public": told["seal_pk"]}, key.c)
        yield from _of_holder(view, row, key)
        yield from _of_end(row, after.get(name), gone.get(name, ""))
    for row in rows.values():
        yield Difference("enrolled_key", str(row.id), "sign_kid", "", row.sign_kid, "")


def _of_holder(view: View, row: EnrolledKey, key: SignedKey) -> Iterator[Difference]:
    """Whose the key is, and since when."""
    who = view.session.get(Account, row.account_id)
    if who is None or holder_of(who, row.role) != key.document["party"]:
        yield Difference("enrolled_key", str(row.id), "account_id", key.c, str(row.account_id), key.document["party"])
    elif who.party_id != row.party_id:
        yield Difference("enrolled_key", str(row.id), "party_id", key.c, str(row.party_id), str(who.party_id))
    if floor_second(row.enrolled_at) != key.at:
        yield Difference("enrolled_key", str(row.id), "enrolled_at", key.c, signed.shown(row.enrolled_at))


def _of_end(row: EnrolledKey, successor: SignedKey | None, revocation: str) -> Iterator[Difference]:
    entry = revocation or (successor.c if successor is not None else "")
    ended = bool(entry)
    if (row.ended_at is not None) is not ended:
        yield Difference(
            "enrolled_key", str(row.id), "ended_at", entry, signed.shown(row.ended_at), "" if ended else "-"
        )
    allowed = ("revoked",) if revocation else ("replaced", "lost") if successor is not None else ("",)
    if row.end_reason not in allowed:
        yield Difference("enrolled_key", str(row.id), "end_reason", entry, row.end_reason, " ".join(allowed))
