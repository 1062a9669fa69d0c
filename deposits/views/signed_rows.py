"""Rows of money against the records of the acts that made them: the deposits' part of the audit (docs/ledger.md).

What acts bound (deposits/bound.py) is compared value by value; the ledger is posted anew, in the head, from what then stands, and each
entry that differs, is missing or is too many is named.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import select

from deposits import bound, forfeits, receipts
from deposits.bank.protocol import REFUSED
from deposits.bank.transfers import Transfer
from deposits.forfeits import Forfeit
from deposits.ledger import accounts
from deposits.ledger.accounts import Line, Lines
from deposits.ledger.postings import LedgerEntry, Posting
from deposits.receipts import BankLine, BankStatement, LineUse, PooledAccount, Receipt
from deposits.refunds import approvals, signed_approvals
from deposits.refunds.refunds import REFUND_FLOW, Refund, RefundBatch, parts_of, terminal_of
from trading.kernel import audit
from trading.kernel.audit import ActRecord
from trading.kernel.clock import floor_second
from trading.kernel.errors import Conflict
from trading.kernel.signed import Difference, compare
from trading.kernel.work import View

_BOUND_BY = {"prepare": "prepare", "approve": "approve", "pay": "approve", "convert": "convert", "confirm": "approve"}
"""The last step of a refund -> the step whose record holds its payment as it stands."""


def _statements(view: View) -> Iterator[Difference]:
    rows = list(view.session.scalars(select(BankStatement).order_by(BankStatement.id)))
    yield from _gone(view, "statement.import", "bank_statement", {f"statement/{row.ref}" for row in rows})
    yield from _each("bank_line", rows, lambda some: approvals.require_statements(view, {row.id for row in some}))
    pool = view.session.get(PooledAccount, 1)
    if pool is not None and rows:
        yield from compare(pool, {"balance_minor": rows[-1].closing_minor, "stated_at": rows[-1].at}, "")


def _receipts(view: View) -> Iterator[Difference]:
    rows = list(view.session.scalars(select(Receipt).order_by(Receipt.id)))
    yield from _gone(view, "receipt.record", "deposit_receipt", {f"receipt/{row.ref}" for row in rows})
    yield from _each("deposit_receipt", rows, lambda some: approvals.require_received(view, some))
    explained = approvals.last(view, "receipt.explain", [f"receipt/{row.ref}" for row in rows])
    for row in rows:
        record = explained.get(f"receipt/{row.ref}")
        told = approvals.facts(record) if record is not None else {}
        settled = told.get("kind", "deposit" if row.demand_id is not None else "")
        yield from compare(row, {"settled": settled, "note": told.get("note", "")}, record.entry_hash if record else "")


class Refunds:
    """All refunds with their steps, read once for the checks of one audit; where reading refuses, each check is refused."""

    def __init__(self, view: View) -> None:
        self._view = view

    @cached_property
    def rows(self) -> list[Refund]:
        return list(self._view.session.scalars(select(Refund).order_by(Refund.id)))

    @cached_property
    def steps(self) -> dict[str, list[ActRecord]]:
        """The steps of each, oldest first."""
        found: dict[str, list[ActRecord]] = defaultdict(list)
        names = [row.log_of for row in self.rows]
        for step in REFUND_FLOW.steps:
            for record in approvals.acts(self._view, f"refund.{step.name}", names):
                found[record.of].append(record)
        for taken in found.values():
            taken.sort(key=lambda record: record.id)
        return found


def _refunds(view: View, every: Refunds) -> Iterator[Difference]:
    rows = every.rows
    yield from _gone(view, "refund.due", "refund", {row.log_of for row in rows})
    yield from _each("refund", rows, lambda some: approvals.require_found(view, some))
    for row in rows:
        taken = every.steps[row.log_of]
        last = taken[-1] if taken else None
        state = approvals.facts(last)["after"] if last is not None else REFUND_FLOW.start
        yield from compare(row, {"state": state}, last.entry_hash if last is not None else "")
        if last is None or (step := _BOUND_BY.get(last.act.partition(".")[2])) is None:
            continue
        held = next((one for one in reversed(taken) if one.act == f"refund.{step}"), None)
        digest = row.batch.digest if row.batch is not None else ""
        values = bound.prepared(row, digest) if step == "prepare" else bound.approved(row, digest)
        if last.act == "refund.confirm" and audit.differing(last.payload, approvals.BOUND, bound.confirmed(row)):
            yield Difference("refund", row.ref, "confirmed_at", last.entry_hash)
        if held is not None and (column := audit.differing(held.payload, approvals.BOUND, values)):
            yield Difference("refund", row.ref, column, held.entry_hash)


def _batches(view: View) -> Iterator[Difference]:
    rows = list(view.session.scalars(select(RefundBatch).order_by(RefundBatch.id)))
    names = [row.log_of for row in rows]
    yield from _gone(view, "batch.prepare", "refund_batch", set(names))
    prepared, approved = approvals.last(view, "batch.prepare", names), approvals.last(view, "batch.approve", names)
    paid = approvals.last(view, "batch.pay", names)
    for row in rows:
        record = prepared.get(row.log_of)
        told = approvals.facts(record) if record is not None else {"digest": "", "value_on": ""}
        c = record.entry_hash if record is not None else ""
        yield from compare(row, {"digest": told["digest"]}, c)
        if row.value_on.isoformat() != told["value_on"]:
            yield Difference("refund_batch", row.ref, "value_on", c, row.value_on.isoformat(), told["value_on"])
        for column, way, here in (
            ("prepared_by", record, row.prepared_by),
            ("approved_by", approved.get(row.log_of), row.approved_by),
        ):
            if here is not None and (way is None or not approvals.is_by(way, here)):
                yield Difference("refund_batch", row.ref, column, c)
        if record is not None and row.log_of in approved:
            yield from _approval(view, row, record, approved[row.log_of])
        way = paid.get(row.log_of)
        if (floor_second(row.sent_at) if row.sent_at else None) != (floor_second(way.at) if way is not None else None):
            yield Difference("refund_batch", row.ref, "sent_at", way.entry_hash if way is not None else c)


def _approval(view: View, row: RefundBatch, prepared: ActRecord, approved: ActRecord) -> Iterator[Difference]:
    """An approval that no controller signed, or signed over something else."""
    try:
        signed_approvals.require(view, approvals.matter_of_batch(row, prepared), approved)
    except Conflict as refusal:
        if refusal.code != "approval.key_waiting":  # of the last minute: not proved yet, and not paid yet
            reason = str(refusal.facts.get("reason", "-"))
            yield Difference("refund_batch", row.ref, "approved_by", approved.entry_hash, reason, refusal.code)


def _orders(view: View) -> Iterator[Difference]:
    rows = {row.bank_key: row for row in view.session.scalars(select(Refund).where(Refund.bank_key.is_not(None)))}
    for order in view.session.scalars(select(Transfer).where(Transfer.returned_at.is_(None)).order_by(Transfer.id)):
        row = rows.get(order.key)
        if row is None:
            if order.state != REFUSED:
                yield Difference("bank_transfer", order.key, "key", "")
            continue
        wanted = {
            "refund": row.ref,
            "principal_minor": row.principal_minor,
            "extra_minor": row.extra_minor,
            "payee_name": row.payee_name,
            "payee_account": row.payee_account,
        }
        yield from compare(order, wanted, "")


def _forfeits(view: View) -> Iterator[Difference]:
    rows = list(view.session.scalars(select(Forfeit).order_by(Forfeit.id)))

    def check(some: Sequence[Forfeit]) -> None:
        for row in some:
            forfeits.require_in_book(view, row)

    yield from _each("forfeit", rows, check)
    for row in rows:
        record = _decision(view, row)
        if (row.state == "FORFEITED") != (record is not None):
            yield Difference("forfeit", row.ref, "state", record.entry_hash if record is not None else "", row.state)
        elif record is not None:
            yield from compare(row, {"amount_minor": approvals.facts(record)["amount"]}, record.entry_hash)
        if row.state in ("CHECKED", "FORFEITED"):
            yield from _signed_by(view, row, "checked_by", forfeits.require_signed)
        if row.state == "FORFEITED" and record is not None:
            yield from _signed_by(view, row, "decided_by", forfeits.require_decided)


def _signed_by(view: View, row: Forfeit, column: str, require: Callable[[View, Forfeit], None]) -> Iterator[Difference]:
    """A check that no controller, or a decision that no purchaser signed, or signed over something else."""
    try:
        require(view, row)
    except Conflict as refusal:
        if refusal.code != "approval.key_waiting":
            yield Difference("forfeit", row.ref, column, "", str(refusal.facts.get("reason", "-")), refusal.code)


def _decision(view: View, row: Forfeit) -> ActRecord | None:
    taken = approvals.acts(view, "forfeit.decide", [row.log_of])
    return next((one for one in taken if approvals.facts(one).get("forfeit") == row.ref), None)


# --- the ledger, posted anew ------------------------------------------------------------------------------------------

Entry = tuple[str, str, str | None, tuple[tuple[str, str, int], ...]]
"""Kind, what it is about, the part it ends, and its lines in order."""


def _ledger(view: View, every: Refunds) -> Iterator[Difference]:
    lines: dict[int, list[Posting]] = defaultdict(list)
    for line in view.session.scalars(select(Posting).order_by(Posting.id)):
        lines[line.entry_id].append(line)
    wanted = Counter(_entries(view, every))
    for row in view.session.scalars(select(LedgerEntry).order_by(LedgerEntry.id)):
        held = lines.pop(row.id, [])
        entry = _entry(
            row.kind,
            row.of,
            row.terminal,
            tuple(Line(one.account, one.item, one.amount_minor) for one in held),
        )
        if wanted[entry]:
            wanted[entry] -= 1
        else:
            yield Difference("ledger_entry", row.ref, "kind", "", f"{row.kind} {row.of}", "")
    for missing in wanted.elements():
        yield Difference("ledger_entry", missing[1], "kind", "", "", missing[0])
    for number in lines:
        yield Difference("ledger_posting", f"of {number}", "entry_id", "")


def _entry(kind: str, of: str, terminal: str | None, lines: Lines) -> Entry:
    return kind, of, terminal, tuple(sorted((one.account, one.item, one.amount) for one in lines))


def _entries(view: View, every: Refunds) -> Iterator[Entry]:
    """What the ledger must hold, from statements, payments, refunds and what was kept."""
    yield from _money_in(view)
    yield from _money_out(every)
    for row in view.session.scalars(select(Forfeit).order_by(Forfeit.id)):
        yield from _kept(view, row)


def _money_in(view: View) -> Iterator[Entry]:
    first = view.session.scalar(select(BankStatement).order_by(BankStatement.id).limit(1))
    if first is not None and first.opening_minor:
        yield _entry("brought_forward", first.ref, None, accounts.brought_forward(first.opening_minor))
    rows = list(view.session.scalars(select(Receipt).order_by(Receipt.id)))
    claimed = approvals.last(view, "receipt.claim", [f"receipt/{row.ref}" for row in rows])
    for row in rows:
        to = row.demand.sub_account if row.demand is not None else ""
        late = f"receipt/{row.ref}" in claimed
        if to and not late:
            yield _entry("received", row.ref, None, accounts.received(to, row.amount_minor))
            continue
        yield _entry("unidentified", row.ref, None, accounts.unidentified(row.ref, row.amount_minor))
        if to:
            yield _entry("identified", row.ref, None, accounts.identified(row.ref, to, row.amount_minor))
        elif row.settled in (accounts.BANK_INTEREST, accounts.CENTRE):
            yield _entry("explained", row.ref, None, accounts.explained(row.ref, row.settled, row.amount_minor))
    charges = select(BankLine).join(LineUse, LineUse.line_id == BankLine.id).where(LineUse.kind == "charge")
    for line in view.session.scalars(charges.order_by(BankLine.id)):
        yield _entry("charged", line.bank_id[:60], None, accounts.charged(-line.amount_minor))


def _money_out(every: Refunds) -> Iterator[Entry]:
    for row in every.rows:
        taken = [record.act.partition(".")[2] for record in every.steps[row.log_of]]
        to = row.demand.sub_account if row.demand is not None else ""
        if row.converted_minor and to and {"pay", "convert"} & set(taken):
            ends = terminal_of(row.receipt, "converted")
            yield _entry("converted", row.ref, ends, accounts.converted(to, row.converted_minor))
        if "pay" in taken:
            source = (accounts.DEPOSITS, to) if to else (accounts.SUSPENSE, row.receipt.ref)
            lines = accounts.ordered(
                *source, row.ref, row.principal_minor, interest=row.interest_minor, fee=row.fee_minor
            )
            yield _entry("ordered", row.ref, row.terminal, lines)
        for way, entry in (("confirm", accounts.confirmed), ("bounce", accounts.bounced)):
            for _ in range(taken.count(way)):
                kind = {"confirm": "confirmed", "bounce": "bounced"}[way]
                yield _entry(kind, row.ref, None, entry(row.ref, row.principal_minor, row.extra_minor))


def _kept(view: View, row: Forfeit) -> Iterator[Entry]:
    """One entry for each payment that the decision names."""
    record = _decision(view, row)
    names = {one["receipt"] for one in approvals.facts(record)["kept"]} if record is not None else set()
    paid = receipts.of_demand(view.session, row.demand_id)
    parts = parts_of(row.demand.amount_minor, (one.amount_minor for one in paid))
    for receipt, (asked, _beyond) in zip(paid, parts, strict=True):
        if receipt.ref in names:
            lines = accounts.forfeited(row.demand.sub_account, asked, row.goes_to)
            yield _entry("forfeited", row.ref, terminal_of(receipt, "deposit"), lines)


# --- inside -----------------------------------------------------------------------------------------------------------


def _gone(view: View, act: str, table: str, there: set[str]) -> Iterator[Difference]:
    """Rows that a record speaks of and that are not there."""
    told = select(ActRecord.of, ActRecord.entry_hash).where(ActRecord.act == act).order_by(ActRecord.id)
    for of, c in view.session.execute(told):
        if of not in there:
            yield Difference(table, of.partition("/")[2], "id", c)


def _each(table: str, rows: Sequence[Any], check: Callable[[Sequence[Any]], None]) -> Iterator[Difference]:
    """All at once, as nearly always nothing differs; row by row, where something does."""
    try:
        check(rows)
    except Conflict:
        for row in rows:
            try:
                check([row])
            except Conflict as refusal:
                yield Difference(table, row.ref, str(refusal.facts.get("differs", "-")), "", refusal.code, "")


def checks(view: View) -> list[Callable[[], Iterator[Difference]]]:
    """The checks of one audit, each by itself, so that damage in one hides nothing of another.

    Each refuses: Conflict ``refund.book_differs`` for a changed record."""
    every = Refunds(view)
    return [
        lambda: _statements(view),
        lambda: _receipts(view),
        lambda: _refunds(view, every),
        lambda: _batches(view),
        lambda: _orders(view),
        lambda: _forfeits(view),
        lambda: _ledger(view, every),
    ]
