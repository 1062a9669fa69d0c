"""What is written down about every act: signed entries, their documents and records. Append-only (protocol §4).

An entry is a DSSE envelope by the platform over salted facts; it takes no running number and no lock, so its making tells nothing
about others. Entries wait in ``log_pending`` until the clock seals them into the public log (kernel/log.py). A protocol entry is
signed when the act happens, for its envelope is the receipt; ordinary acts are written at the end of the unit. Nothing about persons
stands in a record but salted hashes.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, Protocol

from sqlalchemy import ForeignKey, String, Text, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from crypto import ticks
from crypto.canonical import b64u, dumps, unb64u
from crypto.keys import ed25519_public, kid
from crypto.signatures import Envelope, document_hash, payload_of
from trading.kernel.access import Actor
from trading.kernel.clock import floor_second, parse_moment, write_moment
from trading.kernel.db import Base, Moment, append_only
from trading.kernel.errors import NotFound, NotReady, Refusal
from trading.kernel.log_ticks import LAST_SEALED


@dataclass(frozen=True)
class PlatformKeys:
    """The platform's two Ed25519 secrets (32 bytes each): one signs entries and documents, the other the log's checkpoints."""

    signing: bytes = field(repr=False)
    log: bytes = field(repr=False)

    @cached_property
    def public(self) -> bytes:
        return ed25519_public(self.signing)

    @cached_property
    def log_public(self) -> bytes:
        return ed25519_public(self.log)


class LogDocument(Base):
    """A protocol document by its hash: the DSSE envelope as JSON text, or the canonical payload where nobody signs."""

    __tablename__ = "log_document"

    id: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(String(50), unique=True)
    kind: Mapped[str] = mapped_column(String(30), index=True)
    signed: Mapped[bool]
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Moment)


class LogEntry(Base):
    """A signed entry. ``c`` is its hash, under which it is sealed; ``envelope`` is the DSSE text a receipt holds."""

    __tablename__ = "log_entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    c: Mapped[str] = mapped_column(String(50), unique=True)
    event: Mapped[str] = mapped_column(String(20), index=True)
    at: Mapped[datetime] = mapped_column(Moment)
    tick_by: Mapped[datetime] = mapped_column(Moment)
    tender: Mapped[str] = mapped_column(String(128), index=True)
    lot: Mapped[str] = mapped_column(String(128))
    part: Mapped[str] = mapped_column(String(128))  # the protocol's `envelope`: bid, draw:<id> …
    statement: Mapped[str] = mapped_column(String(50), index=True)
    envelope: Mapped[str] = mapped_column(Text)


class ActRecord(Base):
    """The record behind an ``act`` entry: kept beside the log and shown when the law allows. ``entry_hash``: the ``c`` of that entry."""

    __tablename__ = "act_record"

    id: Mapped[int] = mapped_column(primary_key=True)
    entry_hash: Mapped[str] = mapped_column("c", ForeignKey("log_entry.c"), unique=True)
    act: Mapped[str] = mapped_column(String(60), index=True)
    actor: Mapped[str] = mapped_column(String(20))
    of: Mapped[str] = mapped_column(String(128), index=True)
    at: Mapped[datetime] = mapped_column(Moment)
    payload: Mapped[str] = mapped_column(Text)


class LogPending(Base):
    """Entries not yet sealed. The only log table whose rows go away: the tick takes them."""

    __tablename__ = "log_pending"

    entry_id: Mapped[int] = mapped_column(ForeignKey("log_entry.id"), primary_key=True)


for _table in (LogDocument, LogEntry, ActRecord):
    append_only(_table.__table__)  # type: ignore[arg-type]


@dataclass(frozen=True)
class PendingAct:
    act: str
    of: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class SignedEntry:
    """``envelope``: the DSSE object; ``c``: the entry hash (base64url); ``at`` and ``tick_by`` as signed."""

    envelope: Envelope
    c: str
    at: datetime
    tick_by: datetime

    @property
    def text(self) -> str:
        return envelope_text(self.envelope)


class Platform(Protocol):
    """Who signs: the part of an office that entries need."""

    @property
    def platform(self) -> str: ...

    @property
    def keys(self) -> PlatformKeys: ...

    @property
    def trouble(self) -> Refusal | None: ...


class Unit(Protocol):
    """What writing entries asks of a unit of work (kernel/work.py, which stands above this file)."""

    session: Session
    actor: Actor
    now: datetime
    pending: list[PendingAct]
    entries: list[SignedEntry]

    declares: bool

    @property
    def office(self) -> Platform: ...

    def write(self, statement: Any, facts: dict[str, Any]) -> int: ...


def envelope_text(envelope: Envelope) -> str:
    """An envelope as the one text we store and hand out."""
    return json.dumps(envelope, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def sign_entry(
    work: Unit,
    event: str,
    *,
    statement: str,
    tender: str,
    lot: str = "",
    envelope: str = "",
    reason: str = "",
    at: datetime | None = None,
    slot: bool = True,
) -> SignedEntry:
    """Sign one entry and store it with the unit; ``at`` defaults to the unit's moment, floored to the second. With ``slot`` it waits for
    its place in the next tick.

    A process that stands still signs that it is our fault, and the declaration of a gap that ends it (kernel/restored.py), and nothing
    else. Refuses: NotReady ``log.stands_still``."""
    may = (event, reason) == ("bid-refused", "UNAVAILABLE") or (work.declares and event == "act")
    if work.office.trouble is not None and not may:
        raise NotReady("log.stands_still")
    moment = floor_second(at or work.now)
    payload = ticks.make_entry(
        at=write_moment(moment),
        event=event,
        statement=statement,
        tender=tender,
        lot=lot,
        envelope=envelope,
        reason=reason,
    )
    signed = ticks.sign_entry(payload, work.office.keys.signing)
    by = parse_moment(payload["tick_by"])
    entry = SignedEntry(signed, b64u(ticks.commitment(payload)), moment, by)
    number = work.write(
        _NEW_ENTRY,
        {
            "c": entry.c,
            "event": event,
            "at": moment,
            "tick_by": by,
            "tender": tender,
            "lot": lot,
            "part": envelope,
            "statement": statement,
            "envelope": entry.text,
        },
    )
    if slot:
        work.write(_NEW_PENDING, {"entry_id": number})
    work.entries.append(entry)
    return entry


# Written straight into the tables: every act of a rush writes an entry.
_NEW_ENTRY = insert(LogEntry.__table__)  # type: ignore[arg-type]
_NEW_PENDING = insert(LogPending.__table__)  # type: ignore[arg-type]


def keep_document(work: Unit, kind: str, document: Envelope | dict[str, Any], *, signed: bool) -> str:
    """Store a protocol document by its hash (once) and return the hash. ``signed``: a DSSE envelope; else a plain payload."""
    payload = payload_of(document) if signed else dumps(document)
    name = document_hash(payload)
    text = envelope_text(document) if signed else payload.decode()
    statement = _NEW_DOCUMENT[work.session.get_bind().dialect.name]
    work.write(statement, {"hash": name, "kind": kind, "signed": signed, "text": text, "at": work.now})
    return name


_NEW_DOCUMENT = {
    "sqlite": sqlite.insert(LogDocument.__table__).on_conflict_do_nothing(),  # type: ignore[arg-type]
    "postgresql": postgresql.insert(LogDocument.__table__).on_conflict_do_nothing(),  # type: ignore[arg-type]
}


def document(session: Session, name: str) -> Any:
    """The stored document of a hash: an envelope object, or the payload object where nobody signs. Refuses: NotFound."""
    row = session.scalar(select(LogDocument).where(LogDocument.hash == name))
    if row is None:
        raise NotFound("log.document_unknown", hash=name)
    return json.loads(row.text)


def documents(session: Session, names: Collection[str]) -> dict[str, Any]:
    """The stored documents of many hashes, asked for together. Refuses: NotFound."""
    found = {
        row.hash: json.loads(row.text)
        for some in _some(names)
        for row in session.scalars(select(LogDocument).where(LogDocument.hash.in_(some)))
    }
    for name in names:
        if name not in found:
            raise NotFound("log.document_unknown", hash=name)
    return found


def entries(session: Session, names: Collection[str]) -> dict[str, LogEntry]:
    """Many entries by their c, asked for together. Refuses: NotFound."""
    found = {
        row.c: row for some in _some(names) for row in session.scalars(select(LogEntry).where(LogEntry.c.in_(some)))
    }
    for c in names:
        if c not in found:
            raise NotFound("log.entry_unknown", c=c)
    return found


def _some(names: Collection[str], most: int = 500) -> Iterator[list[str]]:
    """Few enough at a time for one question."""
    ordered = list(names)
    for start in range(0, len(ordered), most):
        yield ordered[start : start + most]


def entry(session: Session, c: str) -> LogEntry:
    """Refuses: NotFound."""
    row = session.scalar(select(LogEntry).where(LogEntry.c == c))
    if row is None:
        raise NotFound("log.entry_unknown", c=c)
    return row


def write_pending(work: Unit) -> None:
    """Turn the unit's noted acts into records and entries: called once, last, by the unit of work."""
    for noted in work.pending:
        salt = secrets.token_bytes(32)
        record = {
            "v": 1,
            "platform": work.office.platform,
            "at": write_moment(floor_second(work.now)),
            "act": noted.act,
            "actor": work.actor.role.value,
            "of": noted.of,
            "salt": b64u(salt),
            "facts": {key: _fact(key, value, salt) for key, value in sorted(_with_person(work, noted.facts).items())},
        }
        payload = dumps(record)
        tender, lot = _thing(noted.of)
        signed = sign_entry(work, "act", statement=document_hash(payload), tender=tender, lot=lot)
        work.session.add(
            ActRecord(
                entry_hash=signed.c,
                act=noted.act,
                actor=work.actor.role.value,
                of=noted.of,
                at=signed.at,
                payload=payload.decode(),
            )
        )
    work.pending.clear()
    work.session.flush()


def still_in_time(work: Unit, now: datetime) -> None:
    """An entry not committed by its tick must not stand (protocol §4), nor one whose tick is sealed already because the clock went
    back (promise R7): it could never be proved by then. Refuses: NotReady ``log.too_slow``."""
    if not work.entries:
        return
    due = min(entry.tick_by for entry in work.entries)
    sealed = work.session.connection().scalar(LAST_SEALED)
    if now >= due or (sealed is not None and sealed >= due):
        raise NotReady("log.too_slow", tick_by=write_moment(due))


PERSONAL = frozenset({"person", "account", "payer", "payee", "name"})


class Hidden(str):
    """A fact that stands in its record as a salted hash, whatever its name: the record binds it and does not tell it."""

    __slots__ = ()


def hide(values: Mapping[str, Any]) -> dict[str, Hidden]:
    """Values as facts that are bound and not told."""
    return {key: Hidden(value) for key, value in values.items()}


def _with_person(work: Unit, facts: dict[str, Any]) -> dict[str, Any]:
    return {"person": work.actor.person, **facts} if work.actor.account_id is not None else facts


def _fact(key: str, value: Any, salt: bytes) -> Any:
    if key in PERSONAL or isinstance(value, Hidden):
        return b64u(sha256(salt + key.encode() + b"\0" + str(value).encode()).digest())
    if isinstance(value, str):
        return str(value)  # a member of a StrEnum too
    if isinstance(value, bool | int):
        return value
    if isinstance(value, datetime):
        return write_moment(floor_second(value))
    if isinstance(value, list | tuple):
        return [_fact("", item, salt) for item in value]
    if isinstance(value, dict):
        return {k: _fact(k, v, salt) for k, v in value.items()}
    if value is None:
        return ""
    raise TypeError(f"a fact of the log must be text, whole number or list: {key}")


def _thing(of: str) -> tuple[str, str]:
    """``TENDER-no`` → (tender, lot) where it looks like a lot; anything else is the tender field alone."""
    tender, slash, lot = of.partition("/")
    return (tender, lot) if slash and lot.isdigit() and "-" in tender else (of[:128], "")


def check_fact_of(payload: str, key: str, value: str) -> bool:
    """Whether a personal fact in a record is this value: for those who may know the value and must prove it."""
    record = json.loads(payload)
    return bool(record["facts"].get(key) == _fact(key, value, unb64u(record["salt"])))


def names(payload: str, key: str, value: str) -> bool:
    """Whether a record's list of hidden facts names this value: for those who may know the value and must prove it."""
    record = json.loads(payload)
    return _fact("", Hidden(value), unb64u(record["salt"])) in record["facts"].get(key, ())


def differing(payload: str, name: str, values: Mapping[str, Any]) -> str | None:
    """The first of some values that a record's hidden facts ``name`` do not bind, "" where they bind them all; None where the record has
    no such facts."""
    record = json.loads(payload)
    bound = record["facts"].get(name)
    if not isinstance(bound, dict):
        return None
    salt = unb64u(record["salt"])
    return next((key for key, value in values.items() if bound.get(key) != _fact(key, Hidden(value), salt)), "")


def platform_kid(keys: PlatformKeys) -> str:
    return kid("ed25519", keys.public)
