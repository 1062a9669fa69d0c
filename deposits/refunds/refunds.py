"""Refunds: found when they fall due, prepared by one person, approved by another, paid to the account the money came from (rulebook §4.2,
§4.6).

Law of the noun: one refund for each part of a payment, ever; the payee is the paying account and nobody types one in; interest and late
fee are reckoned for a value day, and the batch is paid on that day or goes back; held money is not prepared, approved or paid. While a
lot's payers are sealed its refunds are rows without lot, name, account or amount (deposits/views/queries.py).
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from crypto.canonical import b64u, dumps
from deposits import bound, demands
from deposits.bank import transfers
from deposits.bank.protocol import REFUSED, Bank
from deposits.demands import DepositDemand
from deposits.ledger import accounts, postings
from deposits.receipts import Receipt
from deposits.refunds import approvals, batch_digest, interest, rules, signed_approvals, triggers
from trading.awarding import contracts
from trading.kernel import audit, ids
from trading.kernel.access import CLOCK, Act
from trading.kernel.at_rest import Sealed, hold
from trading.kernel.calendar import local_day
from trading.kernel.db import Base, Json, Moment, one_of
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, TooEarly, TooLate, WrongStep
from trading.kernel.flow import Flow, Step, state_check
from trading.kernel.money import Money
from trading.kernel.work import Office, UnitOfWork, View
from trading.tendering import terms

REFUND_FLOW = Flow(
    "refund",
    "DUE",
    Step("prepare", ("DUE", "RETURNED_BY_BANK"), "REFUND_DRAFT", Act.REFUND_PREPARE),
    Step("take_back", "REFUND_DRAFT", "DUE", Act.REFUND_PREPARE),
    Step("send_back", ("REFUND_DRAFT", "REFUND_CHECKED"), "DUE", Act.REFUND_APPROVE),
    Step("approve", "REFUND_DRAFT", "REFUND_CHECKED", Act.REFUND_APPROVE),
    Step("convert", "REFUND_CHECKED", "CONVERTED", Act.REFUND_PAY),
    Step("pay", "REFUND_CHECKED", "SENT", Act.REFUND_PAY),
    Step("confirm", "SENT", "CONFIRMED", Act.STATEMENT_IMPORT),
    Step("refuse", "SENT", "RETURNED_BY_BANK", Act.STATEMENT_IMPORT),
    Step("bounce", "CONFIRMED", "RETURNED_BY_BANK", Act.STATEMENT_IMPORT),
    Step("forfeit", "DUE", "FORFEITED", Act.AWARD_DECIDE),
)
log = logging.getLogger("bidhall.refunds")
PARTS = ("deposit", "excess", "stranger")
"""Of a payment: what was asked for, what was paid beyond it, or all of it where it belongs to no demand."""


class RefundBatch(Base):
    """What is approved and paid together on ``value_on``. ``digest``: SHA-256 over every row, which the approver has before the eyes;
    ``secret``: 32 random bytes by which it tells nobody how many rows it covers, "" in batches of before that was so."""

    __tablename__ = "refund_batch"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    value_on: Mapped[date] = mapped_column(Date)
    digest: Mapped[str] = mapped_column(String(64))
    prepared_by: Mapped[int] = mapped_column(ForeignKey("account.id"))
    prepared_at: Mapped[datetime] = mapped_column(Moment)
    approved_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    approved_at: Mapped[datetime | None] = mapped_column(Moment)
    sent_at: Mapped[datetime | None] = mapped_column(Moment)
    closed_at: Mapped[datetime | None] = mapped_column(Moment)
    reason: Mapped[str] = mapped_column(Text, default="")
    secret: Mapped[str] = mapped_column(String(44), default="")

    @property
    def log_of(self) -> str:
        return f"batch/{self.ref}"


class Refund(Base):
    """One part of a payment on its way back. Fen: ``amount_minor`` is the part, ``converted_minor`` of it stays as performance deposit;
    interest and fee come on top. ``due_reason``: how the day was counted. ``bank_key``: of the order last sent."""

    __tablename__ = "refund"
    __table_args__ = (
        UniqueConstraint("receipt_id", "part"),
        CheckConstraint(state_check(REFUND_FLOW), name="state"),
        CheckConstraint(one_of("part", PARTS), name="part"),
        CheckConstraint("amount_minor > 0 AND interest_minor >= 0 AND fee_minor >= 0", name="amounts"),
        CheckConstraint("converted_minor >= 0 AND converted_minor <= amount_minor", name="converted"),
        CheckConstraint(
            "approved_by IS NULL OR prepared_by IS NOT NULL AND approved_by <> prepared_by", name="two_persons"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    receipt_id: Mapped[int] = mapped_column(ForeignKey("deposit_receipt.id"))
    demand_id: Mapped[int | None] = mapped_column(ForeignKey("deposit_demand.id"), index=True)
    part: Mapped[str] = mapped_column(String(10))
    state: Mapped[str] = mapped_column(String(20), default=REFUND_FLOW.start, index=True)
    version: Mapped[int] = mapped_column(default=0)
    event: Mapped[str] = mapped_column(String(40))
    rule: Mapped[str] = mapped_column(String(20))
    event_on: Mapped[date] = mapped_column(Date)
    due_on: Mapped[date] = mapped_column(Date, index=True)
    due_reason: Mapped[dict[str, Any]] = mapped_column(Json)
    with_interest: Mapped[bool]
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    converted_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    interest_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    fee_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    payee_name: Mapped[str] = mapped_column(Sealed)
    payee_account: Mapped[str] = mapped_column(Sealed)
    made_at: Mapped[datetime] = mapped_column(Moment)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("refund_batch.id"), index=True)
    prepared_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    prepared_at: Mapped[datetime | None] = mapped_column(Moment)
    approved_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    approved_at: Mapped[datetime | None] = mapped_column(Moment)
    bank_key: Mapped[str | None] = mapped_column(String(40), index=True)
    sent_at: Mapped[datetime | None] = mapped_column(Moment)
    confirmed_at: Mapped[datetime | None] = mapped_column(Moment)
    returned_at: Mapped[datetime | None] = mapped_column(Moment)
    returned_why: Mapped[str] = mapped_column(Text, default="")
    receipt: Mapped[Receipt] = relationship(lazy="joined")
    demand: Mapped[DepositDemand | None] = relationship(lazy="joined")
    batch: Mapped[RefundBatch | None] = relationship(lazy="joined")

    @property
    def log_of(self) -> str:
        return f"refund/{self.ref}"

    @property
    def principal_minor(self) -> int:
        """What goes to the bank of the part itself."""
        return self.amount_minor - self.converted_minor

    @property
    def extra_minor(self) -> int:
        return self.interest_minor + self.fee_minor

    @property
    def terminal(self) -> str:
        return terminal_of(self.receipt, self.part)


hold(Refund, row="ref")


# --- small rules ------------------------------------------------------------------------------------------------------


def terminal_of(receipt: Receipt, part: str) -> str:
    """The key under which the ledger lets a part of a payment end once."""
    return f"{receipt.ref}/{part}"


def parts_of(asked: int, paid: Iterable[int]) -> list[tuple[int, int]]:
    """Each payment, in the order of arrival, cut into what was asked for and what is beyond it (fen)."""
    found, left = [], asked
    for amount in paid:
        found.append((min(amount, left), max(0, amount - left)))
        left -= found[-1][0]
    return found


def digest(batch: RefundBatch, rows: Iterable[Refund]) -> str:
    """SHA-256 over the value day and every row: what the approver approves of a batch (``batch_digest``)."""
    ordered = sorted(rows, key=lambda row: row.ref)
    if batch.secret:
        lines = [bound.line(row) for row in ordered]
        return batch_digest.digest(batch.ref, batch.value_on.isoformat(), batch.secret, lines)
    before = [approvals.line_before(row) for row in ordered]
    return hashlib.sha256(dumps({"value_on": batch.value_on.isoformat(), "rows": before})).hexdigest()


def step(work: UnitOfWork, row: Refund, name: str, *, values: bound.Values | None = None, **facts: Any) -> None:
    """Take a step of a refund. The record holds its number ``n`` in the life of the refund, so that none can be left out between others,
    and binds the values that the step makes."""
    more = {} if values is None else {approvals.BOUND: audit.hide(values)}
    REFUND_FLOW.take(work, row, name, n=(row.version or 0) + 1, **more, **facts)


# --- one prepares -----------------------------------------------------------------------------------------------------


def convert(work: UnitOfWork, refund: Refund, *, rate: str) -> rules.Conversion:
    """GP: the winner turns the bid deposit into the performance deposit (O87 art. 38); what is beyond it goes back. ``rate``: share of the
    contract price, as decimal text. Set before the refund is prepared; returns what the winner must add.

    Refuses: NotAllowed, WrongStep, Invalid ``deposit.no_conversion``, ``deposit.performance_above_cap`` (D-03).
    """
    work.require(Act.REFUND_PREPARE)
    work.lock(refund)
    if refund.state != "DUE":
        raise WrongStep("flow.wrong_step", noun="refund", step="convert", state=refund.state, from_states=["DUE"])
    if refund.demand is None or refund.part != "deposit" or refund.event != triggers.WINNER:
        raise Invalid("deposit.no_conversion", rule="O87 art. 38")
    lot = refund.demand.lot
    contract = contracts.contract(work.session, lot)
    siblings = [row for row in of_demand(work.session, refund.demand.id) if row.part == "deposit"]
    found = rules.convert(
        terms.book(lot), Money.total(Money(row.amount_minor) for row in siblings), Money(contract.amount_minor), rate
    )
    elsewhere = sum(row.converted_minor for row in siblings if row.id != refund.id)
    refund.converted_minor = min(refund.amount_minor, max(0, found.performance_required.minor - elsewhere))
    refund.version += 1
    work.session.flush()
    work.record("refund.set_conversion", refund.log_of, converted=refund.converted_minor, rate=rate, n=refund.version)
    return found


def prepare(
    work: UnitOfWork, rows: Sequence[Refund], *, value_on: date | None = None, along: Sequence[Refund] | None = None
) -> RefundBatch:
    """Put refunds into a batch that will be paid on ``value_on`` (Beijing; today), with interest and late fee up to that day. ``along``:
    those of sealed lots that go with them, unseen; there may be none, and then the batch may be empty, which nobody can tell.

    Refuses: NotAllowed, WrongStep, Conflict (``refund.on_hold``, ``reconcile.case_open``), Invalid ``refund.nothing_chosen``, TooLate.
    """
    work.require(Act.REFUND_PREPARE)
    postings.require_no_case(work.session)
    day = value_on or local_day(work.now)
    if not rows and along is None:
        raise Invalid("refund.nothing_chosen")
    rows = list(dict.fromkeys([*rows, *(along or ())]))
    if day < local_day(work.now):
        raise TooLate("refund.value_day_past", value_on=day)
    assert work.actor.account_id is not None
    for row in _locked(work, rows):
        _refuse_held(work, row)
        REFUND_FLOW.check(row, "prepare")
        if row.bank_key is None:
            _reckon(row, day)
    batch = RefundBatch(
        ref=new_batch_ref(day),
        value_on=day,
        digest="",
        secret=b64u(secrets.token_bytes(32)),
        prepared_by=work.actor.account_id,
        prepared_at=work.now,
        reason="",
    )
    batch.digest = digest(batch, rows)
    work.session.add(batch)
    work.session.flush()
    for row in rows:
        row.batch_id, row.batch, row.prepared_by, row.prepared_at = batch.id, batch, work.actor.account_id, work.now
        row.approved_by = row.approved_at = None
        step(work, row, "prepare", batch=batch.ref, values=bound.prepared(row, batch.digest))
    work.session.flush()
    work.record("batch.prepare", batch.log_of, digest=batch.digest, value_on=day.isoformat())
    return batch


def _reckon(row: Refund, day: date) -> None:
    row.interest_minor, row.fee_minor = reckoned(row, day)


def reckoned(row: Refund, day: date) -> tuple[int, int]:
    """Interest from value date in to refund date out, and the fee for being late (D-50 to D-53), on the principal that goes out (fen)."""
    if row.demand is None:
        return 0, 0
    book, principal = terms.book(row.demand.lot), Money(row.principal_minor)
    earned = interest.earned(book, principal, local_day(row.receipt.at), day).minor if row.with_interest else 0
    return earned, interest.late_fee(book, principal, row.due_on, day).minor


def new_batch_ref(value_on: date) -> str:
    """A number one can read out over the phone, ``TF-20261130-7KQ4``: the value day and four characters without I, L, O and U.
    They are drawn at random, so that numbers do not tell how many batches there were."""
    return f"TF-{value_on:%Y%m%d}-{ids.new_reference()[:4].upper()}"


def take_back(work: UnitOfWork, batch: RefundBatch) -> None:
    """The cashier dissolves a batch that nobody has approved yet. Refuses: NotAllowed, WrongStep."""
    work.require(Act.REFUND_PREPARE)
    _dissolve(work, batch, "take_back", "")


# --- another approves -------------------------------------------------------------------------------------------------


def approve(work: UnitOfWork, batch: RefundBatch, *, approval: Any) -> None:
    """Another person approves all rows of a batch, as digested, and signs that (``approval``: an envelope of kind ``approval``).

    Refuses: NotAllowed (``refund.same_person``; not freshly signed in), WrongStep, Conflict (``refund.batch_changed``, ``refund.on_hold``,
    ``reconcile.case_open``, ``refund.batch_before``: prepared before batches could be signed; where a row is not what the book says:
    ``refund.not_as_found``, ``refund.not_as_reckoned``, as ``approvals.require_payees``), TooLate ``refund.value_day_past``; as
    ``signed_approvals.take``.
    """
    work.require(Act.REFUND_APPROVE)
    postings.require_no_case(work.session)
    work.lock(batch)
    rows = _locked(work, of_batch(work.session, batch))
    prepared = approvals.acts(work, "batch.prepare", [batch.log_of])
    if not prepared or approvals.facts(prepared[-1])["digest"] != batch.digest:
        raise Conflict("refund.batch_changed")
    if (
        approvals.is_by(prepared[-1], work.actor.account_id)
        or batch.prepared_by == work.actor.account_id
        or any(row.prepared_by == work.actor.account_id for row in rows)
    ):
        raise NotAllowed("refund.same_person")
    if local_day(work.now) > batch.value_on:
        raise TooLate("refund.value_day_past", value_on=batch.value_on)
    if not batch.secret:
        raise Conflict("refund.batch_before")
    if digest(batch, rows) != batch.digest:
        raise Conflict("refund.batch_changed")
    approvals.require_payees(work, rows)
    approvals.require_found(work, rows)
    require_reckoned(work, batch, rows)
    signature = signed_approvals.take(work, approvals.batch_matter(work, batch), approval)
    shown = batch_digest.proofs(batch.secret, [bound.line(row) for row in rows])
    for row in rows:
        _refuse_held(work, row)
        row.approved_by, row.approved_at = work.actor.account_id, work.now
        line = {approvals.LINE_PROOF: shown[row.ref].to_json()}
        step(work, row, "approve", batch=batch.ref, values=bound.approved(row, batch.digest), **line)
    batch.approved_by, batch.approved_at = work.actor.account_id, work.now
    work.session.flush()
    work.record("batch.approve", batch.log_of, digest=batch.digest, **{signed_approvals.FACT: signature})


def send_back(work: UnitOfWork, batch: RefundBatch, *, reason: str) -> None:
    """The controller returns a batch to the cashier, with the reason; also an approved one that was not paid on its day.

    Refuses: NotAllowed, WrongStep (paid), Invalid (no reason).
    """
    work.require(Act.REFUND_APPROVE)
    if not reason.strip():
        raise Invalid("form.required", field="reason")
    _dissolve(work, batch, "send_back", reason.strip())


def _dissolve(work: UnitOfWork, batch: RefundBatch, way: str, reason: str) -> None:
    work.lock(batch)
    for row in _locked(work, of_batch(work.session, batch)):
        step(work, row, way, batch=batch.ref, reason=reason)
        row.batch_id = row.batch = row.prepared_by = row.prepared_at = row.approved_by = row.approved_at = None
    batch.closed_at, batch.reason = work.now, reason
    work.session.flush()


# --- and it is paid ---------------------------------------------------------------------------------------------------


def pay(work: UnitOfWork, batch: RefundBatch) -> list[transfers.Transfer]:
    """Post a batch and write its orders; ``deliver`` hands them to the bank after this unit. What is wholly converted ends here.

    Refuses: NotAllowed, WrongStep (not approved), TooEarly, TooLate (not the value day), Conflict (``refund.on_hold``,
    ``reconcile.case_open``, ``ledger.ended_already``; as ``require_as_approved``).
    """
    work.require(Act.REFUND_PAY)
    postings.require_no_case(work.session)
    work.lock(batch)
    if batch.approved_at is None or batch.closed_at is not None or batch.sent_at is not None:
        raise WrongStep("refund.batch_not_approved")
    today = local_day(work.now)
    if today < batch.value_on:
        raise TooEarly("refund.value_day_ahead", value_on=batch.value_on)
    if today > batch.value_on:
        raise TooLate("refund.value_day_past", value_on=batch.value_on)
    require_as_approved(work, batch)
    sent = []
    for row in _locked(work, [row for row in of_batch(work.session, batch) if row.state == "REFUND_CHECKED"]):
        _refuse_held(work, row)
        if row.converted_minor and row.demand is not None and row.bank_key is None:
            postings.post(
                work,
                "converted",
                accounts.converted(row.demand.sub_account, row.converted_minor),
                of=row.ref,
                terminal=terminal_of(row.receipt, "converted"),
            )
        if row.principal_minor == 0:
            step(work, row, "convert", batch=batch.ref, values=bound.approved(row, batch.digest))
            continue
        if row.bank_key is None:
            source, item = (
                (accounts.DEPOSITS, row.demand.sub_account) if row.demand else (accounts.SUSPENSE, row.receipt.ref)
            )
            lines = accounts.ordered(
                source, item, row.ref, row.principal_minor, interest=row.interest_minor, fee=row.fee_minor
            )
            postings.post(work, "ordered", lines, of=row.ref, terminal=row.terminal)
        order = transfers.queue(
            work,
            refund=row.ref,
            principal_minor=row.principal_minor,
            extra_minor=row.extra_minor,
            payee_name=row.payee_name,
            payee_account=row.payee_account,
        )
        row.bank_key, row.sent_at = order.key, work.now
        step(work, row, "pay", batch=batch.ref, payee=row.payee_account, values=bound.approved(row, batch.digest))
        sent.append(order)
    batch.sent_at = work.now
    work.session.flush()
    work.record("batch.pay", batch.log_of, digest=batch.digest)
    return sent


# --- what was approved is what is paid --------------------------------------------------------------------------------


def require_as_approved(view: View, batch: RefundBatch) -> None:
    """That the rows of a batch are, to the fen and the account, what a second person approved (``require_lines``), no more and no fewer.

    Refuses: as ``require_lines``.
    """
    rows = of_batch(view.session, batch)
    approvals.require_approved(view, rows)
    if digest(batch, rows) != approvals.approved_digest(view, batch.ref):
        raise Conflict("refund.not_as_approved", of=batch.ref, differs="rows")
    approvals.require_signed(view, rows)
    approvals.require_payees(view, rows)


def require_lines(view: View, rows: Sequence[Refund]) -> None:
    """That each refund is what a second person approved last and signed, as the signed book has it, and its payee still the right one.

    Refuses: Conflict ``refund.not_as_approved``, ``refund.not_signed``, ``refund.payee_differs``, ``refund.not_as_received``,
    ``refund.book_differs``.
    """
    approvals.require_approved(view, rows)
    approvals.require_signed(view, rows)
    approvals.require_payees(view, rows)


def require_reckoned(view: View, batch: RefundBatch, rows: Sequence[Refund]) -> None:
    """That interest and fee are what the rulebook gives for the value day; of what the bank sent back, what went out before.

    Refuses: Conflict ``refund.not_as_reckoned``, ``refund.book_differs``.
    """
    paid = approvals.last(view, "refund.pay", [row.log_of for row in rows])
    for row in rows:
        if row.bank_key is None:
            earned, fee = reckoned(row, batch.value_on)
            differs = "interest" if row.interest_minor != earned else "fee" if row.fee_minor != fee else ""
        else:
            sums = {key: bound.line(row)[key] for key in ("amount", "converted", "interest", "fee")}
            record = paid.get(row.log_of)
            differs = "refund" if record is None else audit.differing(record.payload, approvals.BOUND, sums) or ""
        if differs:
            raise Conflict("refund.not_as_reckoned", of=row.ref, differs=differs)


def require_orders(view: View, orders: Sequence[transfers.Transfer]) -> None:
    """That orders say what was approved: before a bank file is made of them, and before they leave by the line. Those that the bank sent
    back are over and not looked at.

    Refuses: as ``require_as_approved``; Conflict ``refund.order_differs``.
    """
    orders = [one for one in orders if one.state != REFUSED and one.returned_at is None]
    rows = {
        row.bank_key: row
        for row in view.session.scalars(select(Refund).where(Refund.ref.in_(sorted({one.refund for one in orders}))))
    }
    for order in orders:
        row = rows.get(order.key)
        if row is None or (
            order.refund,
            order.principal_minor,
            order.extra_minor,
            order.payee_name,
            order.payee_account,
        ) != (row.ref, row.principal_minor, row.extra_minor, row.payee_name, row.payee_account):
            raise Conflict("refund.order_differs", of=order.refund)
    require_lines(view, list(rows.values()))


def deliver(office: Office, bank: Bank, *, but: Collection[str] = ()) -> list[str]:
    """Hand the waiting orders to the bank (``transfers.deliver``): those that still say what was approved. Others stay here, and the log
    says why. ``but``: the refunds whose orders wait for the clock, so that the time a page takes tells nothing of sealed ones."""
    with office.view(CLOCK) as view:
        waiting, good = [order for order in transfers.waiting(view.session) if order.refund not in but], []
        try:
            require_orders(view, waiting)
            good = [order.key for order in waiting]
        except Conflict:
            for order in waiting:  # something was changed: find which
                try:
                    require_orders(view, [order])
                    good.append(order.key)
                except Conflict as refusal:
                    log.error("order %s is kept back: %s", order.key, refusal.code)
    return transfers.deliver(office, bank, good) if good else []


# --- inside and looking -----------------------------------------------------------------------------------------------


def _locked(work: UnitOfWork, rows: Sequence[Refund]) -> list[Refund]:
    """The rows in the order in which they are locked everywhere: the demand first, then the refund."""
    ordered = sorted(rows, key=lambda row: (row.demand_id or 0, row.id))
    for row in ordered:
        if row.demand is not None:
            work.lock(row.demand)
        work.lock(row)
    return ordered


def _refuse_held(work: UnitOfWork, row: Refund) -> None:
    """An excess is nobody's security and is not held. Refuses: Conflict ``refund.on_hold``."""
    if (
        row.demand_id is not None
        and row.part == "deposit"
        and (held := demands.holds(work.session, row.demand_id, work.now))
    ):
        raise Conflict("refund.on_hold", basis=held[0].basis, until=held[0].until)


def of_batch(session: Session, batch: RefundBatch) -> list[Refund]:
    return list(session.scalars(select(Refund).where(Refund.batch_id == batch.id).order_by(Refund.due_on, Refund.ref)))


def of_demand(session: Session, demand_id: int) -> list[Refund]:
    return list(
        session.scalars(select(Refund).where(Refund.demand_id == demand_id).order_by(Refund.receipt_id, Refund.part))
    )


def refund(session: Session, ref: str) -> Refund:
    """Refuses: NotFound."""
    found = session.scalar(select(Refund).where(Refund.ref == ref))
    if found is None:
        raise NotFound("refund.unknown")
    return found


def batch(session: Session, ref: str) -> RefundBatch:
    """Refuses: NotFound."""
    found = session.scalar(select(RefundBatch).where(RefundBatch.ref == ref))
    if found is None:
        raise NotFound("refund.unknown")
    return found
