"""The deposit records of a lot for its bundle (protocol §6, claim E5): what came, what became of it, who prepared and who approved.

The values are those that the acts of the money room bind (deposits/bound.py), so the bundle proves them by the log.
Accounts and persons stand as hashes under the salt of their payment, which stays here: two that are equal are seen to be equal (payee and
payer; never preparer and approver), and nobody learns which they are. Amounts are whole fen. For the archive's profile alone.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from deposits import bound, demands, forfeits, receipts
from deposits.ledger.postings import LedgerEntry
from deposits.receipts import Receipt
from deposits.refunds import refunds, signed_approvals
from deposits.refunds.refunds import Refund, RefundBatch, parts_of, terminal_of
from trading.disclosure.bundle import File, bytes_file, canonical_file
from trading.disclosure.dossier import Extra
from trading.kernel.audit import ActRecord, LogDocument
from trading.kernel.errors import TooEarly
from trading.kernel.work import View
from trading.parties.enrolments import EnrolledKey
from trading.tendering.tenders import Lot

APPROVALS = ("batch.approve", "forfeit.check", "forfeit.decide", "payee.approve")
"""Acts whose records name a document that a controller, or the purchaser, signed."""


def records(session: Session, lot: Lot) -> list[dict[str, Any]]:
    """One record a payment, by its random reference. ``received`` = ``refunded`` + ``forfeited`` + ``converted`` + ``held`` in each.

    Refuses: TooEarly ``deposit.sealed`` before the payers are public.
    """
    if not demands.is_public(session, lot):
        raise TooEarly("deposit.sealed", ref=lot.ref)
    found: list[dict[str, Any]] = []
    for demand in demands.of_lot(session, lot):
        paid = receipts.of_demand(session, demand.id)
        kept = forfeits.find(session, demand)
        rows: dict[int, list[Refund]] = {}
        for row in refunds.of_demand(session, demand.id):
            rows.setdefault(row.receipt_id, []).append(row)
        for receipt, (asked, _) in zip(
            paid, parts_of(demand.amount_minor, (r.amount_minor for r in paid)), strict=True
        ):
            forfeited = asked if _was_kept(session, receipt) else 0
            record = _record(receipt, rows.get(receipt.id, []), forfeited)
            found.append(
                {
                    "v": 1,
                    **record,
                    "forfeit": _forfeit(receipt, kept) if forfeited and kept is not None else None,
                }
            )
    return sorted(
        ({key: value for key, value in record.items() if value is not None} for record in found),
        key=lambda one: one["receipt"],
    )


def extra(view: View, lot: Lot, profile: str) -> Extra:
    """What the money room adds to the archive: one account a payment, and the acts of receipts and batches in the log."""
    if profile != "audit" or not demands.is_public(view.session, lot):
        return Extra()
    found = records(view.session, lot)
    files = tuple(canonical_file(f"acts/deposits/{record['receipt']}.json", record) for record in found)
    digests = {row["batch"] for record in found for row in record["refunds"] if row["batch"]}
    things = [f"receipt/{record['receipt']}" for record in found]
    things += [f"refund/{row['refund']}" for record in found for row in record["refunds"]]
    entries = tuple(_acts(view, things, digests))
    return Extra(files=(*files, *_approvals(view, lot, entries)), entries=entries, holders=_signers(view, lot))


def _approvals(view: View, lot: Lot, entries: tuple[str, ...]) -> list[File]:
    """What controllers and the purchaser signed, as the records of these acts and those of the lot name it."""
    named = [
        select(ActRecord.payload).where(ActRecord.act.in_(APPROVALS), condition)
        for condition in (ActRecord.entry_hash.in_(entries), ActRecord.of == lot.log_of)
    ]
    hashes = {
        json.loads(payload)["facts"].get(signed_approvals.FACT)
        for one in named
        for payload in view.session.scalars(one)
    }
    kept = select(LogDocument).where(LogDocument.hash.in_(sorted(one for one in hashes if one)))
    return [bytes_file(f"acts/approvals/{row.hash}.json", row.text.encode()) for row in view.session.scalars(kept)]


def _signers(view: View, lot: Lot) -> tuple[tuple[str, str], ...]:
    """Everybody who ever held a key to approve with, so that an approval without a signature can be held against the first of them, and the
    purchaser, who decides what is kept."""
    held = select(EnrolledKey.holder).where(EnrolledKey.role == signed_approvals.ROLE).distinct()
    controllers = [(name, signed_approvals.ROLE) for name in sorted(view.session.scalars(held))]
    return (*controllers, (lot.project.purchaser.code, forfeits.DECIDER))


def _acts(view: View, things: list[str], digests: set[str]) -> list[str]:
    of_things = select(ActRecord.entry_hash).where(ActRecord.of.in_(things)).order_by(ActRecord.id)
    batches = view.session.scalars(select(RefundBatch).where(RefundBatch.digest.in_(digests)))
    of_batches = select(ActRecord.entry_hash, ActRecord.payload).where(
        ActRecord.of.in_([row.log_of for row in batches])
    )
    told = view.session.execute(of_batches.order_by(ActRecord.id))
    named = [c for c, payload in told if json.loads(payload)["facts"].get("digest") in digests]
    return [*view.session.scalars(of_things), *named]


def _was_kept(session: Session, receipt: Receipt) -> bool:
    ended = select(LedgerEntry.id).where(
        LedgerEntry.terminal == terminal_of(receipt, "deposit"), LedgerEntry.kind == "forfeited"
    )
    return session.scalar(ended) is not None


def _record(receipt: Receipt, rows: list[Refund], forfeited: int) -> dict[str, Any]:
    back = [_refund(row) for row in rows if row.state != "FORFEITED"]
    refunded = sum(row.principal_minor for row in rows if row.state == "CONFIRMED")
    converted = sum(row.converted_minor for row in rows if row.bank_key is not None or row.state == "CONVERTED")
    return {
        **bound.received(receipt),
        **bound.matched(receipt),
        "exceptions": list(receipt.exceptions),
        "refunded": refunded,
        "converted": converted,
        "forfeited": forfeited,
        "held": receipt.amount_minor - refunded - converted - forfeited,
        "refunds": back,
    }


def _refund(row: Refund) -> dict[str, Any]:
    values = bound.fallen_due(row) | bound.approved(row, row.batch.digest if row.batch is not None else "")
    del values["receipt"]
    return values | bound.confirmed(row) | {"state": row.state}


def _forfeit(receipt: Receipt, kept: forfeits.Forfeit) -> dict[str, Any]:
    values = bound.kept(receipt, kept, 0)
    del values["forfeited"]
    return values
