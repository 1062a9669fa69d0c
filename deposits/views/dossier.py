"""The deposit records of a lot for its bundle (protocol §6, claim E5): what came, what became of it, who prepared and who approved.

Accounts and persons stand as hashes under the salt of their payment, which stays here: two that are equal are seen to be equal (payee and
payer; never preparer and approver), and nobody learns which they are. Amounts are whole fen. For the archive's profile alone.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crypto.canonical import b64u, dumps
from deposits import demands, forfeits, receipts
from deposits.ledger.postings import LedgerEntry
from deposits.receipts import Receipt
from deposits.refunds import refunds
from deposits.refunds.refunds import Refund, parts_of, terminal_of
from trading.disclosure.bundle import canonical_file
from trading.disclosure.dossier import Extra
from trading.kernel.audit import ActRecord
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.errors import TooEarly
from trading.kernel.work import View
from trading.tendering.tenders import Lot


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
                    "bidder": demand.participant.party.code,
                    "demanded": demand.amount_minor,
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
    return Extra(files=files, entries=tuple(_acts(view, [f"receipt/{record['receipt']}" for record in found], digests)))


def _acts(view: View, things: list[str], digests: set[str]) -> list[str]:
    of_receipts = select(ActRecord.c).where(ActRecord.of.in_(things)).order_by(ActRecord.id)
    of_batches = select(ActRecord.c, ActRecord.payload).where(ActRecord.act.like("batch.%")).order_by(ActRecord.id)
    named = [dumps({"digest": digest})[1:-1].decode() for digest in sorted(digests)]
    batches = view.session.execute(of_batches)
    return [*view.session.scalars(of_receipts), *(c for c, payload in batches if any(one in payload for one in named))]


def _was_kept(session: Session, receipt: Receipt) -> bool:
    ended = select(LedgerEntry.id).where(
        LedgerEntry.terminal == terminal_of(receipt, "deposit"), LedgerEntry.kind == "forfeited"
    )
    return session.scalar(ended) is not None


def _record(receipt: Receipt, rows: list[Refund], forfeited: int) -> dict[str, Any]:
    back = [_refund(receipt, row) for row in rows if row.state != "FORFEITED"]
    refunded = sum(row.principal_minor for row in rows if row.state == "CONFIRMED")
    converted = sum(row.converted_minor for row in rows if row.bank_key is not None or row.state == "CONVERTED")
    return {
        "receipt": receipt.ref,
        "at": write_moment(receipt.at),
        "payer": _hash(receipt, "account", receipt.line.payer_account),
        "exceptions": list(receipt.exceptions),
        "received": receipt.amount_minor,
        "refunded": refunded,
        "converted": converted,
        "forfeited": forfeited,
        "held": receipt.amount_minor - refunded - converted - forfeited,
        "refunds": back,
    }


def _refund(receipt: Receipt, row: Refund) -> dict[str, Any]:
    return {
        "refund": row.ref,
        "part": row.part,
        "state": row.state,
        "event": row.event,
        "rule": row.rule,
        "event_on": row.event_on.isoformat(),
        "due_on": row.due_on.isoformat(),
        "amount": row.amount_minor,
        "converted": row.converted_minor,
        "interest": row.interest_minor,
        "fee": row.fee_minor,
        "payee": _hash(receipt, "account", row.payee_account),
        "prepared": _person(receipt, row.prepared_by),
        "approved": _person(receipt, row.approved_by),
        "batch": row.batch.digest if row.batch is not None else "",
        "confirmed_at": write_moment(floor_second(row.confirmed_at)) if row.confirmed_at is not None else "",
    }


def _forfeit(receipt: Receipt, kept: forfeits.Forfeit) -> dict[str, Any]:
    return {
        "forfeit": kept.ref,
        "ground": kept.ground,
        "to": kept.goes_to,
        "drafted": _person(receipt, kept.drafted_by),
        "checked": _person(receipt, kept.checked_by),
        "decided": _person(receipt, kept.decided_by),
        "decided_at": write_moment(floor_second(kept.decided_at)) if kept.decided_at is not None else "",
    }


def _person(receipt: Receipt, account_id: int | None) -> str:
    return "" if account_id is None else _hash(receipt, "person", str(account_id))


def _hash(receipt: Receipt, kind: str, value: str) -> str:
    return b64u(sha256(receipt.salt + kind.encode() + b"\0" + value.encode()).digest())
