"""Another account for a refund that came back: asked for by the bidder with its bank's proof, approved by two, typed in by no clerk.

Law of the noun: money goes back to where it came from; only when the bank has returned it may its owner name another account in its own
name (rulebook §4.6, rule D-30).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Select, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from deposits import bound
from deposits.refunds import approvals, signed_approvals
from deposits.refunds.refunds import Refund
from deposits.refunds.signed_approvals import Matter
from trading.files import proof_scans
from trading.files.scanning import STATES, WAITING, Scanner
from trading.kernel import audit, ids
from trading.kernel.access import Act
from trading.kernel.at_rest import Sealed, hold
from trading.kernel.blobs import Blob
from trading.kernel.db import Base, Moment, one_of
from trading.kernel.errors import Conflict, Faults, Invalid, NotAllowed, NotFound, WrongStep
from trading.kernel.work import Office, UnitOfWork, View

CHANGEABLE = ("DUE", "RETURNED_BY_BANK")


class PayeeChange(Base):
    """``proof``: SHA-256 of the bank's paper, with what the scanner said of it. The account counts from the second approval on; a request
    a controller declined counts for nothing, and its owner may ask anew."""

    __tablename__ = "payee_change"
    __table_args__ = (CheckConstraint(one_of("scan", STATES), name="scan"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    refund_id: Mapped[int] = mapped_column(ForeignKey("refund.id"), index=True)
    account: Mapped[str] = mapped_column(Sealed)
    proof: Mapped[str] = mapped_column(String(64))
    proof_size: Mapped[int] = mapped_column(default=0)
    scan: Mapped[str] = mapped_column(String(20), default=WAITING)
    finding: Mapped[str] = mapped_column(String(200), default="")
    asked_by: Mapped[int] = mapped_column(ForeignKey("account.id"))
    asked_at: Mapped[datetime] = mapped_column(Moment)
    first_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    first_at: Mapped[datetime | None] = mapped_column(Moment)
    second_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    second_at: Mapped[datetime | None] = mapped_column(Moment)
    declined_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    declined_at: Mapped[datetime | None] = mapped_column(Moment)
    declined_why: Mapped[str] = mapped_column(String(400), default="")
    refund: Mapped[Refund] = relationship(lazy="joined")

    @property
    def log_of(self) -> str:
        return self.refund.log_of


hold(PayeeChange, row="ref")


def ask(work: UnitOfWork, refund: Refund, *, account: str, proof: Blob) -> PayeeChange:
    """The bidder names another account of its own for a refund the bank returned.

    Refuses: NotAllowed, NotFound (not its refund), WrongStep (was not returned), Conflict (asked already), Invalid.
    """
    work.require(Act.DEPOSIT_LOOK_OWN)
    if refund.demand is None or refund.demand.participant.party_id != work.actor.party_id:
        raise NotFound("refund.unknown")
    work.lock(refund.demand)
    work.lock(refund)
    _require_returned(refund)
    account = "".join(account.split())
    faults = Faults()
    if not account:
        faults.add("account", "form.required")
    elif not (account.isascii() and account.isalnum() and len(account) <= 34):
        faults.add("account", "payee.account")
    faults.refuse_if_any()
    if pending(work.session, refund) is not None:
        raise Conflict("payee.asked")
    assert work.actor.account_id is not None
    new = PayeeChange(
        ref=ids.new_reference(),
        refund_id=refund.id,
        account=account,
        proof=proof.name,
        proof_size=proof.size,
        scan=WAITING,
        finding="",
        asked_by=work.actor.account_id,
        asked_at=work.now,
        declined_why="",
    )
    new.refund = refund
    work.session.add(new)
    work.session.flush()
    work.record("payee.ask", refund.log_of, payee=account, proof=proof.name)
    return new


def matter(view: View, change: PayeeChange) -> Matter:
    """What each of two controllers signs: the account, as the archive shows it, and the bank's paper. Refuses: Conflict
    ``refund.payee_differs`` where nobody asked for just that."""
    refund = change.refund
    asked = approvals.acts(view, "payee.ask", [refund.log_of])
    if (
        not asked
        or not approvals.names_payee(asked[-1], change.account)
        or approvals.facts(asked[-1])["proof"] != change.proof
    ):
        raise Conflict("refund.payee_differs", of=refund.ref)
    return approvals.matter_of_payee(refund, change.account, asked[-1])


def approve(work: UnitOfWork, change: PayeeChange, *, approval: Any) -> bool:
    """One of the two approvals, each signed (``approval``: an envelope of kind ``approval``); True with the second, when the refund gets
    its new account. The name stays the payer's.

    Who asked and who approved first is asked of the signed book, not of the row. Refuses: NotAllowed (``refund.same_person``; not freshly
    signed in), WrongStep, Conflict (approved already; ``refund.payee_differs``: another account or paper than what was asked for;
    ``refund.book_differs``: the first approval is not in the book), as ``signed_approvals.take``.
    """
    work.require(Act.REFUND_APPROVE)
    refund = change.refund
    if refund.demand is not None:
        work.lock(refund.demand)
    work.lock(refund)
    work.lock(change)
    _require_returned(refund)
    if change.second_by is not None:
        raise Conflict("payee.approved")
    if change.declined_by is not None:
        raise Conflict("payee.declined_already")
    about = matter(work, change)
    asked = about.prepared
    before = [one for one in approvals.acts(work, "payee.approve", [refund.log_of]) if one.id > asked.id]
    if work.actor.account_id in (change.asked_by, change.first_by) or any(
        approvals.is_by(one, work.actor.account_id) for one in (asked, *before)
    ):
        raise NotAllowed("refund.same_person")
    if bool(before) != (change.first_by is not None) or not all(
        approvals.names_payee(one, change.account) for one in before
    ):
        raise Conflict("refund.book_differs", of=refund.ref)
    signature = signed_approvals.take(work, about, approval)
    if change.first_by is None:
        change.first_by, change.first_at = work.actor.account_id, work.now
    else:
        change.second_by, change.second_at = work.actor.account_id, work.now
        refund.payee_account = change.account
        refund.version += 1
    work.session.flush()
    second = change.second_by is not None
    work.record(
        "payee.approve",
        refund.log_of,
        payee=change.account,
        second=second,
        bound=audit.hide({"payee": bound.account(refund.receipt, change.account)}),
        **{signed_approvals.FACT: signature},
        **({"n": refund.version} if second else {}),
    )
    return second


def decline(work: UnitOfWork, change: PayeeChange, *, why: str) -> None:
    """A controller does not accept the proof: the account counts for nothing, and its owner may hand in another.

    Refuses: NotAllowed (not freshly signed in), Conflict (approved or declined already), Invalid.
    """
    work.require(Act.REFUND_APPROVE)
    if not why.strip():
        raise Invalid("form.required", field="why")
    work.lock(change.refund)
    work.lock(change)
    if change.second_by is not None:
        raise Conflict("payee.approved")
    if change.declined_by is not None:
        raise Conflict("payee.declined_already")
    change.declined_by, change.declined_at, change.declined_why = work.actor.account_id, work.now, why.strip()[:400]
    work.session.flush()
    work.record("payee.decline", change.log_of, payee=change.account, why=change.declined_why)
    if change.refund.demand is not None:
        work.send(
            f"payee.declined/{change.ref}",
            to=f"party:{change.refund.demand.participant.party_id}",
            template="payee.declined",
            refund=change.refund.ref,
        )


def pending(session: Session, refund: Refund) -> PayeeChange | None:
    return session.scalar(_of(refund).where(PayeeChange.second_by.is_(None), PayeeChange.declined_by.is_(None)))


def latest(session: Session, refund: Refund) -> PayeeChange | None:
    """The one that waits, or how the last one ended."""
    return session.scalar(_of(refund).order_by(PayeeChange.id.desc()).limit(1))


standing, release = proof_scans.standing, proof_scans.release


def _of(refund: Refund) -> Select[PayeeChange]:
    return select(PayeeChange).where(PayeeChange.refund_id == refund.id)


def scan(office: Office, scanner: Scanner | None) -> int:
    """The clock's part: papers of banks that wait are looked at. Raises: ScannerDown."""
    return proof_scans.scan(office, scanner, PayeeChange, act="payee.scan")


def _require_returned(refund: Refund) -> None:
    if refund.state not in CHANGEABLE or refund.returned_at is None:
        raise WrongStep("payee.not_returned", state=refund.state)
