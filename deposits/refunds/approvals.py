"""What people did with money, read back from the signed book: rows of the database are a cache, and money does not leave by a cache.

Each act that makes a value binds it (deposits/bound.py) in a record that the platform signed when it happened and that nothing can change
afterwards. Refunds are held against these records when they are approved, when they are paid, and again when the order leaves for the
bank; what differs is refused by its name.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import select

from crypto.canonical import dumps, loads
from crypto.errors import CryptoError
from crypto.signatures import document_hash
from deposits import bound, demands, receipts
from deposits.receipts import BankStatement, Receipt
from deposits.refunds import batch_digest, signed_approvals
from deposits.refunds.batch_digest import RowProof
from deposits.refunds.signed_approvals import Matter
from trading.kernel import audit, signed
from trading.kernel.audit import ActRecord, LogEntry
from trading.kernel.errors import Conflict
from trading.kernel.work import View

Refund = Any
RefundBatch = Any
"""Rows of refunds.py, which stands above this file and imports it."""
BOUND = "bound"
"""The hidden facts of an act about money."""
LINE_PROOF = "line"
"""The fact of an approved refund that shows its line in the digest of the batch."""


def acts(view: View, act: str, of: Collection[str]) -> list[ActRecord]:
    """The acts of a kind of these things, oldest first: only what an entry names that this platform signed.

    Refuses: Conflict ``refund.book_differs`` for a record that was changed.
    """
    query = (
        select(ActRecord, LogEntry.envelope)
        .outerjoin(LogEntry, LogEntry.c == ActRecord.entry_hash)
        .where(ActRecord.act == act)
        .order_by(ActRecord.id)
    )
    names, found = sorted(of), []
    for start in range(0, len(names), demands.PIECE):
        some = query.where(ActRecord.of.in_(names[start : start + demands.PIECE]))
        for record, envelope in view.session.execute(some):
            if not _is_signed(record, envelope, view.office.keys.public):
                raise Conflict("refund.book_differs", of=record.of)
            found.append(record)
    return sorted(found, key=lambda record: record.id)


def _is_signed(record: ActRecord, envelope: str | None, platform: bytes) -> bool:
    try:
        entry, c = signed.entry_of(platform, envelope or "{}")
        told = loads(record.payload.encode())
    except CryptoError:
        return False
    return (entry["statement"], c, told["act"], told["of"]) == (
        document_hash(record.payload.encode()),
        record.entry_hash,
        record.act,
        record.of,
    )


def last(view: View, act: str, of: Collection[str]) -> dict[str, ActRecord]:
    """The newest act of a kind of each thing. Refuses: as ``acts``."""
    return {record.of: record for record in acts(view, act, of)}


def facts(record: ActRecord) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(record.payload)["facts"]
    return found


def is_by(record: ActRecord, account_id: int | None) -> bool:
    """Whether a person did an act, who stands in the book as a salted hash."""
    return account_id is not None and audit.check_fact_of(record.payload, "person", f"account:{account_id}")


def approved_digest(view: View, batch: str) -> str:
    """The digest a second person approved, as the book has it; "" where nobody did."""
    found = acts(view, "batch.approve", [f"batch/{batch}"])
    return str(facts(found[-1])["digest"]) if found else ""


def changed_payees(view: View, refunds: Collection[str]) -> dict[str, ActRecord]:
    """The change of account that two persons approved last, by what the book calls the refund (``refund/<ref>``)."""
    return {record.of: record for record in acts(view, "payee.approve", refunds) if facts(record)["second"]}


def names_payee(record: ActRecord, payee: str) -> bool:
    """Whether an act is about this payee, who stands in the book as a salted hash."""
    return audit.check_fact_of(record.payload, "payee", payee)


# --- what would be paid is what the book says -------------------------------------------------------------------------


def require_received(view: View, paid: Sequence[Receipt]) -> None:
    """That payments are what the bank's statements brought, and taken for whose they were.

    Refuses: Conflict ``refund.not_as_received``, ``refund.book_differs``.
    """
    names = {f"receipt/{receipt.ref}": receipt for receipt in paid}
    recorded, claimed = last(view, "receipt.record", names), last(view, "receipt.claim", names)
    for name, receipt in names.items():
        record, line = recorded.get(name), receipt.line
        differs = "receipt"
        if record is not None:
            found = audit.differing(record.payload, BOUND, bound.received(receipt))
            if found is None:  # of before values were bound: the amount and the account stand in it
                told = facts(record)["amount"] == line.amount_minor
                found = "" if told and audit.check_fact_of(record.payload, "payer", line.payer_account) else "payer"
            differs = (
                found or audit.differing((claimed.get(name) or record).payload, BOUND, bound.matched(receipt)) or ""
            )
        if differs or receipt.amount_minor != line.amount_minor:
            raise Conflict("refund.not_as_received", of=receipt.ref, differs=differs or "received")


def require_statements(view: View, ids: Collection[int], *, but: Collection[str] = ()) -> None:
    """That statements are, line by line, what was taken in; ``but``: those that this very unit takes in, which are not in the book yet.

    Refuses: Conflict ``statement.not_as_taken``, ``refund.book_differs``.
    """
    query = select(BankStatement).where(BankStatement.id.in_(sorted(ids)), BankStatement.ref.not_in(sorted(but)))
    rows = {f"statement/{row.ref}": row for row in view.session.scalars(query.order_by(BankStatement.id))}
    records = last(view, "statement.import", rows)
    for name, row in rows.items():
        record, lines = records.get(name), {"lines": receipts.digest_of_lines(view.session, row)}
        if record is None or audit.differing(record.payload, BOUND, lines):
            raise Conflict("statement.not_as_taken", of=row.ref)


def require_found(view: View, rows: Sequence[Refund]) -> None:
    """That refunds are those that fell due, in part, amount, event and days, and converted by as much as was set.

    Refuses: Conflict ``refund.not_as_found``, ``refund.book_differs``.
    """
    names = {row.log_of: row for row in rows}
    due, conversions = last(view, "refund.due", names), last(view, "refund.set_conversion", names)
    for name, row in names.items():
        record, set_ = due.get(name), conversions.get(name)
        differs = "refund" if record is None else audit.differing(record.payload, BOUND, bound.fallen_due(row))
        if not differs and row.converted_minor != (facts(set_)["converted"] if set_ is not None else 0):
            differs = "converted"
        if differs:
            raise Conflict("refund.not_as_found", of=row.ref, differs=differs)


def batch_matter(view: View, batch: RefundBatch) -> Matter:
    """What is approved of a batch: its digest and day, as prepared last.

    Refuses: Conflict ``refund.batch_changed`` for one that was never prepared, ``refund.book_differs``."""
    found = acts(view, "batch.prepare", [batch.log_of])
    if not found:
        raise Conflict("refund.batch_changed")
    return matter_of_batch(batch, found[-1])


def matter_of_batch(batch: RefundBatch, prepared: ActRecord) -> Matter:
    return Matter("batch", batch.log_of, prepared, {"digest": batch.digest, "value_on": batch.value_on.isoformat()})


def require_signed(view: View, rows: Sequence[Refund]) -> None:
    """That the batch of each refund was approved under the signature of a controller's own key, and that the refund's line lies in what was
    signed, whatever became of the others of the batch.

    Refuses: Conflict ``refund.not_signed``, ``refund.not_as_approved``, ``refund.book_differs``.
    """
    batches = {row.batch.log_of: row.batch for row in rows if row.batch is not None}
    records, lines = last(view, "batch.approve", batches), last(view, "refund.approve", [row.log_of for row in rows])
    for name, batch in sorted(batches.items()):
        if name not in records:
            raise Conflict("refund.not_as_approved", of=batch.ref, differs="rows")
        signed_approvals.require(view, batch_matter(view, batch), records[name])
    for row in rows:
        if row.batch is None or row.log_of not in lines:
            raise Conflict("refund.not_as_approved", of=row.ref, differs="rows")
        shown = facts(lines[row.log_of]).get(LINE_PROOF)
        if shown is None:
            if signed_approvals.FACT in facts(records[row.batch.log_of]):
                raise Conflict("refund.not_signed", of=row.ref, reason="CONTEXT_MISMATCH")
        elif not _lies_in(row, shown):
            raise Conflict("refund.not_as_approved", of=row.ref, differs="line")


def _lies_in(row: Refund, shown: dict[str, Any]) -> bool:
    """Whether a refund as it stands is a line of its batch's digest."""
    batch = row.batch
    try:
        proof = RowProof(shown["salt"], shown["index"], tuple(shown["path"]))
        found = batch_digest.digest_by(batch.ref, batch.value_on.isoformat(), bound.line(row), proof)
    except (CryptoError, KeyError, TypeError):
        return False
    return found == batch.digest


def require_approved(view: View, rows: Sequence[Refund]) -> None:
    """That each refund is what a second person approved last. Refuses: Conflict ``refund.not_as_approved``, ``refund.book_differs``."""
    records = last(view, "refund.approve", [row.log_of for row in rows])
    for row in rows:
        record = records.get(row.log_of)
        if record is None:
            raise Conflict("refund.not_as_approved", of=row.ref, differs="rows")
        digest = row.batch.digest if row.batch is not None else ""
        differs = audit.differing(record.payload, BOUND, bound.approved(row, digest))
        if differs is None:  # approved before values were bound: the line as a whole stands in it
            differs = "" if names_payee(record, dumps(line_before(row)).decode()) else "line"
        if differs:
            raise Conflict("refund.not_as_approved", of=row.ref, differs=differs)


def require_payees(view: View, rows: Sequence[Refund]) -> None:
    """That each payee is whom the bank's own line names, and the account that line's or one that two persons confirmed afterwards.

    Refuses: Conflict ``refund.payee_differs``, ``refund.not_signed``, ``refund.not_as_received``, ``refund.book_differs``.
    """
    require_received(view, [row.receipt for row in rows])
    changed = changed_payees(view, [row.log_of for row in rows])
    require_signed_payees(view, [row for row in rows if row.log_of in changed])
    for row in rows:
        other, line = changed.get(row.log_of), row.receipt.line
        is_account = row.payee_account == line.payer_account if other is None else names_payee(other, row.payee_account)
        if not is_account or row.payee_name != line.payer_name:
            raise Conflict("refund.payee_differs", of=row.ref)


def matter_of_payee(row: Refund, account: str, asked: ActRecord) -> Matter:
    """What is approved of another account: as the archive shows it, with the bank's paper. ``asked``: the record of the request."""
    facts_ = {"payee": bound.account(row.receipt, account), "proof": facts(asked).get("proof", "")}
    return Matter("payee", row.log_of, asked, facts_)


def require_signed_payees(view: View, rows: Sequence[Refund]) -> None:
    """That two controllers signed for the account of each refund. Refuses: Conflict ``refund.payee_differs``, ``refund.not_signed``."""
    asked: dict[str, list[ActRecord]] = {}
    given: dict[str, list[ActRecord]] = {}
    names = [row.log_of for row in rows]
    for act, found in (("payee.ask", asked), ("payee.approve", given)):
        for record in acts(view, act, names):
            found.setdefault(record.of, []).append(record)
    for row in rows:
        second = next(one for one in reversed(given[row.log_of]) if facts(one)["second"])
        request = next((one for one in reversed(asked.get(row.log_of, ())) if one.id < second.id), None)
        if request is None or not names_payee(second, row.payee_account):
            raise Conflict("refund.payee_differs", of=row.ref)
        both = [one for one in given[row.log_of] if request.id < one.id <= second.id]
        about = matter_of_payee(row, row.payee_account, request)
        who = [signed_approvals.require(view, about, one) for one in both]
        if len(both) < 2 or len({name for name in who if name}) < len([name for name in who if name]):
            raise Conflict("refund.not_signed", of=about.of, reason="CONTEXT_MISMATCH")


def line_before(row: Refund) -> dict[str, Any]:
    """What would be paid to whom, in the form that was approved before values were bound one by one."""
    return {
        "ref": row.ref,
        "amount": row.principal_minor,
        "converted": row.converted_minor,
        "interest": row.interest_minor,
        "fee": row.fee_minor,
        "name": row.payee_name,
        "account": row.payee_account,
    }
