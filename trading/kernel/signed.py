"""What was signed, read from the log and proved: an entry by the platform's signature, a document by the hash its entry names.

A column is a cache. Whoever decides by one holds it against what is read here, at the moment of deciding; what was proved
once is remembered in this process by its digest, never in a row.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from hashlib import sha256
from typing import Any

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from crypto import ticks
from crypto.canonical import b64u, loads
from crypto.errors import CryptoError
from crypto.signatures import document_hash, payload_of
from trading.kernel.audit import ActRecord, LogDocument, LogEntry
from trading.kernel.clock import write_moment
from trading.kernel.errors import Conflict
from trading.kernel.work import View

MOST = 20_000
"""How many proofs a process remembers; a forgotten one is made again."""


class Remembered:
    """Results of proofs by the digest of what was proved. Only what held is kept."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._held: OrderedDict[bytes, Any] = OrderedDict()

    def get(self, prove: Callable[[], Any], *proved: bytes | str) -> Any:
        """The result for these texts; ``prove`` makes it, and raises what does not hold."""
        digest = sha256()
        for one in proved:
            data = one.encode() if isinstance(one, str) else one
            digest.update(len(data).to_bytes(8, "big") + data)
        name = digest.digest()
        found = self._held.get(name)
        if found is None:
            found = self._held[name] = prove()
            if len(self._held) > self._most:
                self._held.popitem(last=False)
        return found


_ENTRIES = Remembered()


@dataclass(frozen=True)
class Difference:
    """One column that is not what was signed: ``entry`` is the c of the entry that says what it should be, "" where none does."""

    table: str
    row: str
    column: str
    entry: str
    stored: str = ""
    signed: str = ""

    def refusal(self, ref: str) -> Conflict:
        return Conflict(
            "signed.differs",
            ref=ref,
            where=f"{self.table} {self.row}",
            column=self.column,
            entry=self.entry or "-",
            stored=self.stored or "-",
            signed=self.signed or "-",
        )


@dataclass(frozen=True)
class Proved:
    """A signed entry and the document it names, None where that is kept elsewhere (the record of an act)."""

    number: int
    c: str
    entry: dict[str, Any]
    document: Any = None

    @cached_property
    def payload(self) -> Any:
        """What the document says, signed or not."""
        if isinstance(self.document, dict) and "payload" in self.document and "signatures" in self.document:
            return loads(payload_of(self.document))
        return self.document


def parsed(text: str) -> Any:
    """What stands in a column as JSON. Raises: CryptoError for what is none."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise CryptoError("JSON_PROFILE", "no JSON") from error


def entry_of(platform: bytes, text: str) -> tuple[dict[str, Any], str]:
    """(entry, c) of a stored envelope. Raises: CryptoError for one the platform has not signed."""

    def prove() -> tuple[dict[str, Any], str]:
        value, c = ticks.open_entry(parsed(text), (platform,))
        return value, b64u(c)

    found: tuple[dict[str, Any], str] = _ENTRIES.get(prove, platform, text)
    return found


def read_document(name: str, text: str, signed: bool) -> Any:
    """A kept document whose hash is its name. Raises: CryptoError for another."""
    value = parsed(text)
    if document_hash(payload_of(value) if signed else text.encode()) != name:
        raise CryptoError("CONTEXT_MISMATCH", "not the document of its hash")
    return value


def altered(where: str, entry: str = "") -> Conflict:
    return Conflict("signed.altered", where=where, entry=entry or "-")


def missing(ref: str, what: str, entry: str = "") -> Conflict:
    return Conflict("signed.missing", ref=ref, what=what, entry=entry or "-")


def listed(
    view: View, events: str | Collection[str], *, tender: str, lot: str | None = None, part: str | None = None
) -> list[Proved]:
    """The entries of these events about a lot, oldest first, with their documents.

    Refuses: Conflict ``signed.altered`` where one, or its document, is not what was signed.
    """
    given: dict[str, Any] = {"events": [events] if isinstance(events, str) else list(events), "tender": tender}
    given |= {name: value for name, value in (("lot", lot), ("part", part)) if value is not None}
    rows = view.session.connection().execute(_listing("lot" in given, "part" in given), given)
    return [_proved(view.office.keys.public, row[:8], row[8], bool(row[9])) for row in rows]


_COLUMNS = (
    LogEntry.id,
    LogEntry.c,
    LogEntry.event,
    LogEntry.tender,
    LogEntry.lot,
    LogEntry.part,
    LogEntry.statement,
    LogEntry.envelope,
)
_PAIRS = Remembered()


@cache
def _listing(of_lot: bool, of_part: bool) -> Select[*tuple[Any, ...]]:
    """The question of ``listed``: made once, for making it takes as long as asking it."""
    query = (
        select(*_COLUMNS, LogDocument.text, LogDocument.signed)
        .outerjoin(LogDocument, LogDocument.hash == LogEntry.statement)
        .where(LogEntry.tender == bindparam("tender"), LogEntry.event.in_(bindparam("events", expanding=True)))
        .order_by(LogEntry.id)
    )
    if of_lot:
        query = query.where(LogEntry.lot == bindparam("lot"))
    return query.where(LogEntry.part == bindparam("part")) if of_part else query


def _proved(platform: bytes, row: Any, text: str | None, is_signed: bool) -> Proved:
    """An entry with its document, from the columns of its row."""
    number, envelope = row[0], row[7]

    def prove() -> Proved:
        value, c = entry_of(platform, envelope)
        document = None if text is None else read_document(value["statement"], text, is_signed)
        return Proved(number, c, value, document)

    try:
        found: Proved = _PAIRS.get(prove, platform, str(number), envelope, text or "", "1" if is_signed else "0")
        told = found.entry
        if (found.c, told["event"], told["tender"], told["lot"], told["envelope"], told["statement"]) != tuple(
            row[1:7]
        ):
            raise CryptoError("CONTEXT_MISMATCH", "the row differs from what was signed")
    except CryptoError as error:
        raise altered(f"log_entry {number}", row[1]) from error
    return found


def records(view: View, acts: Collection[str], of: str | None = None) -> list[tuple[Proved, dict[str, Any]]]:
    """The records of acts on a thing, or on all things, oldest first: ``(entry, record)``.

    Refuses: Conflict ``signed.altered`` where one is not what its entry names.
    """
    return records_of(view.session, view.office.keys.public, acts, of)


def records_of(
    session: Session, platform: bytes, acts: Collection[str], of: str | None = None, *, saying: str = ""
) -> list[tuple[Proved, dict[str, Any]]]:
    """As ``records``, where there is no office yet; ``saying``: those alone whose text holds this. Refuses: as there."""
    given: dict[str, Any] = {"acts": list(acts)} | ({"of": of} if of is not None else {})
    query = _recorded(of is not None)
    if saying:
        query = query.where(ActRecord.payload.contains(saying))
    found = []
    for row in session.connection().execute(query, given):
        number, c, act, thing, payload = row[8:]
        if row[0] is None:
            raise altered(f"act_record {number}", c)
        proved = _proved(platform, row[:8], None, False)
        if document_hash(payload.encode()) != proved.entry["statement"]:
            raise altered(f"act_record {number}", c)
        value = json.loads(payload)
        if (value["act"], value["of"]) != (act, thing):
            raise altered(f"act_record {number}", c)
        found.append((proved, value))
    return found


@cache
def _recorded(of_thing: bool) -> Select[*tuple[Any, ...]]:
    """The question of ``records_of``, made once."""
    query = (
        select(*_COLUMNS, ActRecord.id, ActRecord.entry_hash, ActRecord.act, ActRecord.of, ActRecord.payload)
        .outerjoin_from(ActRecord, LogEntry, LogEntry.c == ActRecord.entry_hash)
        .where(ActRecord.act.in_(bindparam("acts", expanding=True)))
        .order_by(ActRecord.id)
    )
    return query.where(ActRecord.of == bindparam("of")) if of_thing else query


def kept(session: Session, name: str) -> Any:
    """A kept document by its hash, proved to be it; None where it is not there. Refuses: Conflict ``signed.altered``."""
    row = session.scalar(select(LogDocument).where(LogDocument.hash == name))
    if row is None:
        return None
    try:
        return read_document(name, row.text, row.signed)
    except CryptoError as error:
        raise altered(f"log_document {row.id}") from error


def compare(row: Any, wanted: Mapping[str, Any], entry: str) -> Iterator[Difference]:
    """Each column of a row that is not as wanted."""
    for column, value in wanted.items():
        held = getattr(row, column)
        if held != value:
            yield Difference(row.__tablename__, str(_key(row)), column, entry, shown(held), shown(value))


def paired(
    table: str, rows: Iterable[Any], found: Iterable[Proved], differ: Callable[[Any, Proved], Iterator[Difference]]
) -> Iterator[Difference]:
    """Rows with a ``c`` against the entries of their kind: each entry has its row, each row its entry, and where both are there ``differ``
    tells."""
    left = {row.c: row for row in rows}
    for one in found:
        row = left.pop(one.c, None)
        if row is None:
            yield Difference(table, one.c, "c", one.c, "", one.c)
        else:
            yield from differ(row, one)
    for row in left.values():
        yield Difference(table, str(row.id), "c", "", row.c, "")


def refuse_first(ref: str, found: Iterable[Difference]) -> None:
    """Refuses: Conflict ``signed.differs`` for the first difference, if there is one."""
    for one in found:
        raise one.refusal(ref)


def _key(row: Any) -> Any:
    return getattr(row, "id", None) or ""


def shown(value: Any) -> str:
    """A value in a refusal: short, and what is long by its beginning."""
    if isinstance(value, datetime):
        return write_moment(value)
    return str(value)[:60]
