"""What the bank's statement says of our payments: carried out, or come back. And the one act that takes a statement in.

Law of the noun: a refund is confirmed by the statement alone, never by an answer; a line counts as ours only when key and amount agree,
and anything else stays unexplained until somebody explains it, which shows as a difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select

from deposits import bound, receipts
from deposits.bank import transfers
from deposits.bank.protocol import REFUSED, Bank
from deposits.bank.transfers import Transfer
from deposits.ledger import accounts, postings
from deposits.receipts import BankLine, ImportReport
from deposits.refunds import approvals, refunds
from deposits.refunds.refunds import Refund, refund
from trading.kernel.access import Act
from trading.kernel.errors import Invalid
from trading.kernel.work import UnitOfWork


@dataclass(frozen=True)
class Settled:
    """How many payments of ours the statement confirmed, how many came back, how many the bank refused to make; ``refunds``: of which."""

    confirmed: int
    returned: int
    refused: int
    refunds: tuple[tuple[str, str], ...] = ()

    def without(self, left_out: Collection[str]) -> Settled:
        """The counts without some refunds: those of sealed lots, where they are shown."""
        kept = tuple((what, ref) for what, ref in self.refunds if ref not in left_out)
        count = Counter(what for what, _ref in kept)
        return Settled(count["confirmed"], count["returned"], count["refused"], kept)


def take_statement(work: UnitOfWork, data: bytes, *, name: str) -> tuple[ImportReport, Settled]:
    """Import a statement and settle what it shows. Refuses: as ``receipts.import_statement``."""
    report = receipts.import_statement(work, data, name=name)
    return report, settle(work)


def fetch(work: UnitOfWork, bank: Bank) -> tuple[ImportReport, Settled]:
    """The same straight from the bank, so that no person holds a list of payers; a statement without a line brings nothing new. Raises
    BankUnreachable."""
    try:
        return take_statement(work, bank.statement(), name=name_of_fetch(work))
    except Invalid as refusal:
        if [fault.code for fault in refusal.faults] != ["statement.empty"]:
            raise
        return ImportReport(name_of_fetch(work), (), ()), settle(work)


def credit(work: UnitOfWork, data: bytes) -> int:
    """The clock's part: what a connected bank's statement shows is taken in, so that money paid in counts without a hand; our own payments
    on it wait for the cashier. Returns how many lines were new. Refuses: as ``receipts.import_statement``."""
    return len(receipts.import_statement(work, data, name=name_of_fetch(work)).taken)


FETCHED = "bank-"
"""Statements named so came straight from the bank; of them nobody sees a list of lines."""


def name_of_fetch(work: UnitOfWork) -> str:
    return work.now.strftime(FETCHED + "%Y%m%dT%H%M%SZ.csv")


def name_of_file(given: str | None) -> str:
    """The name a person's file is kept by: without folders, and never like that of a fetched one."""
    name = (given or "statement.csv").replace("\\", "/").rpartition("/")[2]
    return f"file-{name}" if name.startswith(FETCHED) else name


def settle(work: UnitOfWork) -> Settled:
    """Match unexplained lines and refused orders to refunds; twice is harmless. Refuses: NotAllowed; Conflict ``statement.not_as_taken``
    where a statement is no longer what was taken in."""
    work.require(Act.STATEMENT_IMPORT)
    done: list[tuple[str, str]] = []
    ours = receipts.ours(work.session)
    now = [one.of.partition("/")[2] for one in work.pending if one.act == "statement.import"]
    approvals.require_statements(work, {line.statement_id for line, _order in ours}, but=now)
    for line, order in ours:
        work.lock(order)
        if line.amount_minor < 0 and order.settled_at is None:
            _confirm(work, line, order)
            done.append(("confirmed", order.refund))
        elif line.amount_minor > 0 and order.settled_at is not None and order.returned_at is None:
            _come_back(work, line, order)
            done.append(("returned", order.refund))
    query = (
        select(Refund)
        .join(Transfer, Transfer.key == Refund.bank_key)
        .where(Refund.state == "SENT", Transfer.state == REFUSED)
    )
    for row in work.session.scalars(query.order_by(Refund.id)).all():
        work.lock(row)
        _returned(work, row, "refuse", transfers.transfer(work.session, row.bank_key or "").reason)
        done.append(("refused", row.ref))
    return Settled(0, 0, 0, tuple(done)).without(())


def _confirm(work: UnitOfWork, line: BankLine, order: Transfer) -> None:
    row = _refund_of(work, order)
    receipts.use_line(work, line, "transfer", of=order.key)
    postings.post(work, "confirmed", accounts.confirmed(row.ref, order.principal_minor, order.extra_minor), of=row.ref)
    order.settled_at = row.confirmed_at = line.at
    refunds.step(work, row, "confirm", line=line.bank_id, values=bound.confirmed(row))


def _come_back(work: UnitOfWork, line: BankLine, order: Transfer) -> None:
    row = _refund_of(work, order)
    receipts.use_line(work, line, "returned", of=order.key)
    postings.post(work, "bounced", accounts.bounced(row.ref, order.principal_minor, order.extra_minor), of=row.ref)
    order.returned_at = line.at
    row.confirmed_at = None
    _returned(work, row, "bounce", line.text.replace(order.key, "").strip())


def _returned(work: UnitOfWork, row: Refund, way: str, why: str) -> None:
    row.returned_at, row.returned_why = work.now, why[:400]
    refunds.step(work, row, way, reason=row.returned_why)
    if row.demand is not None:
        party = row.demand.participant.party_id
        work.send(
            f"refund.returned/{row.ref}/{row.bank_key}", to=f"party:{party}", template="refund.returned", refund=row.ref
        )
    work.session.flush()


def _refund_of(work: UnitOfWork, order: Transfer) -> Refund:
    row = refund(work.session, order.refund)
    work.lock(row)
    return row
