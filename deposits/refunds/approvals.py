"""What two persons approved, read back from the signed book: rows of the database are a cache, and money does not leave by a cache.

The digest of a batch and the account of a refund stand in acts that the platform signed when they happened and that nothing can change
afterwards. Money that goes out is held against them at the moment of payment, and again when the order leaves for the bank.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import select

from crypto import ticks
from crypto.canonical import b64u, loads
from crypto.errors import CryptoError
from crypto.signatures import document_hash
from trading.kernel import audit
from trading.kernel.audit import ActRecord, LogEntry
from trading.kernel.errors import Conflict
from trading.kernel.work import View


def acts(view: View, act: str, of: Collection[str]) -> list[ActRecord]:
    """The acts of a kind of these things, oldest first: only what an entry names that this platform signed.

    Refuses: Conflict ``refund.book_differs`` for a record that was changed.
    """
    rows = view.session.execute(
        select(ActRecord, LogEntry.envelope)
        .outerjoin(LogEntry, LogEntry.c == ActRecord.c)
        .where(ActRecord.act == act, ActRecord.of.in_(sorted(of)))
        .order_by(ActRecord.id)
    ).all()
    for record, envelope in rows:
        if not _is_signed(record, envelope, view.office.keys.public):
            raise Conflict("refund.book_differs", of=record.of)
    return [record for record, _envelope in rows]


def _is_signed(record: ActRecord, envelope: str | None, platform: bytes) -> bool:
    try:
        entry, c = ticks.open_entry(json.loads(envelope or "{}"), [platform])
        told = loads(record.payload.encode())
    except CryptoError:
        return False
    return (entry["statement"], b64u(c), told["act"], told["of"]) == (
        document_hash(record.payload.encode()),
        record.c,
        record.act,
        record.of,
    )


def approved_digest(view: View, batch: str) -> str:
    """The digest a second person approved, as the book has it; "" where nobody did."""
    found = acts(view, "batch.approve", [f"batch/{batch}"])
    return str(_facts(found[-1])["digest"]) if found else ""


def changed_payees(view: View, refunds: Collection[str]) -> dict[str, ActRecord]:
    """The change of account that two persons approved last, by what the book calls the refund (``refund/<ref>``)."""
    return {record.of: record for record in acts(view, "payee.approve", refunds) if _facts(record)["second"]}


def names_payee(record: ActRecord, payee: str) -> bool:
    """Whether an act is about this payee, who stands in the book as a salted hash."""
    return audit.check_fact_of(record.payload, "payee", payee)


def _facts(record: ActRecord) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(record.payload)["facts"]
    return found
