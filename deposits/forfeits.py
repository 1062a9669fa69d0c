"""Deposits that are kept (不予退还): a decision with ground, evidence and a hearing, never a timer (rules D-40 to D-45).

Law of the noun: three persons in three rooms: the cashier drafts and hears, a controller checks, this lot's purchaser decides. While it is
pending the money is held, up to a date; if that passes without decision it goes back. Works money goes to the tenderee, government
procurement money to the treasury (D-45). Only the deposit is kept, never what was paid beyond it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, ForeignKey, String, Text, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from crypto.canonical import dumps
from crypto.signatures import document_hash
from deposits import bound, demands, receipts
from deposits.demands import DepositDemand, DepositHold
from deposits.ledger import accounts, postings
from deposits.refunds import approvals, refunds, signed_approvals, triggers
from deposits.refunds.refunds import Refund, parts_of, terminal_of
from deposits.refunds.refunds import of_demand as refunds_of_demand
from deposits.refunds.signed_approvals import Matter
from trading.kernel import audit, ids
from trading.kernel.access import Act, may
from trading.kernel.audit import ActRecord
from trading.kernel.db import Base, Moment
from trading.kernel.errors import Conflict, Faults, Invalid, NotAllowed, NotFound
from trading.kernel.flow import Flow, Step, state_check
from trading.kernel.money import Money
from trading.kernel.work import UnitOfWork, View
from trading.procedures import procedure_of
from trading.tendering.projects import Project
from trading.tendering.tenders import Lot, Tender

FORFEIT_FLOW = Flow(
    "forfeit",
    "FORFEIT_DRAFT",
    Step("hear", "FORFEIT_DRAFT", "HEARD", Act.REFUND_PREPARE),
    Step("check", "HEARD", "CHECKED", Act.REFUND_APPROVE),
    Step("decide", "CHECKED", "FORFEITED", Act.AWARD_DECIDE),
    Step("drop", ("FORFEIT_DRAFT", "HEARD", "CHECKED"), "DROPPED", Act.REFUND_APPROVE),
)
NOT_DECRYPTED = "D-44"
DECIDES, DECIDER = "decides", "tenderee"
"""The fact of a signed check that names the firm whose key must stand under the decision, and the role of that key."""
OPEN = ("FORFEIT_DRAFT", "HEARD", "CHECKED")


class Forfeit(Base):
    """``evidence`` in words with where it lies; ``hearing``: what the bidder was told and said; ``amount_minor``: fen, once decided."""

    __tablename__ = "forfeit"
    __table_args__ = (
        CheckConstraint(state_check(FORFEIT_FLOW), name="state"),
        CheckConstraint("checked_by IS NULL OR checked_by <> drafted_by", name="checker"),
        CheckConstraint(
            "decided_by IS NULL OR decided_by <> drafted_by AND decided_by <> checked_by", name="third_person"
        ),
        CheckConstraint("(state = 'FORFEITED') = (decided_at IS NOT NULL)", name="decided"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    demand_id: Mapped[int] = mapped_column(ForeignKey("deposit_demand.id"), index=True)
    hold_id: Mapped[int] = mapped_column(ForeignKey("deposit_hold.id"))
    state: Mapped[str] = mapped_column(String(20), default=FORFEIT_FLOW.start)
    version: Mapped[int] = mapped_column(default=0)
    ground: Mapped[str] = mapped_column(String(10))
    evidence: Mapped[str] = mapped_column(Text)
    hearing: Mapped[str] = mapped_column(Text, default="")
    drafted_by: Mapped[int] = mapped_column(ForeignKey("account.id"))
    drafted_at: Mapped[datetime] = mapped_column(Moment)
    heard_at: Mapped[datetime | None] = mapped_column(Moment)
    checked_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    checked_at: Mapped[datetime | None] = mapped_column(Moment)
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    decided_at: Mapped[datetime | None] = mapped_column(Moment)
    goes_to: Mapped[str] = mapped_column(String(20))
    amount_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    demand: Mapped[DepositDemand] = relationship(lazy="joined")
    hold: Mapped[DepositHold] = relationship(lazy="joined")

    @property
    def log_of(self) -> str:
        return self.demand.lot.log_of


def draft(work: UnitOfWork, demand: DepositDemand, *, ground: str, evidence: str, hold_until: date) -> Forfeit:
    """Begin: the ground and its evidence; the money is held until ``hold_until`` (last day, Beijing).

    Refuses: NotAllowed, NotFound (payers sealed), Conflict (pending already; nothing to keep; ``forfeit.undecided``: a ruling on the
    opening is awaited; ``forfeit.not_revoked``: D-44 for a bid that was not lost by its bidder's own fault), Invalid (every field).
    """
    work.require(Act.REFUND_PREPARE)
    demands.require_public(work.session, demand)
    work.lock(demand)
    law = procedure_of(demand.lot).money
    faults = Faults()
    if ground not in law.grounds:
        faults.add("ground", "forfeit.ground", grounds=list(law.grounds))
    if not evidence.strip():
        faults.add("evidence", "form.required")
    faults.refuse_if_any()
    if find(work.session, demand) is not None:
        raise Conflict("forfeit.pending")
    if not to_keep(work.session, demand):
        raise Conflict("forfeit.nothing_left")
    known = triggers.facts(work.session, demand.lot)
    if demand.participant.party_id in known.undecided:
        raise Conflict("forfeit.undecided")
    if ground == NOT_DECRYPTED and demand.participant.party_id not in known.revoked:
        raise Conflict("forfeit.not_revoked")
    owner = work.actor.name or work.actor.role.value
    hold = demands.set_hold(work, demand, basis=f"{ground}: {evidence.strip()}", owner=owner, until=hold_until)
    assert work.actor.account_id is not None
    new = Forfeit(
        ref=ids.new_reference(),
        demand_id=demand.id,
        hold_id=hold.id,
        state=FORFEIT_FLOW.start,
        version=0,
        ground=ground,
        evidence=evidence.strip(),
        hearing="",
        drafted_by=work.actor.account_id,
        drafted_at=work.now,
        goes_to=accounts.KEPT_BY[law.goes_to],
        amount_minor=0,
    )
    new.demand, new.hold = demand, hold
    work.session.add(new)
    work.session.flush()
    work.send(
        f"forfeit/{new.ref}", to=f"party:{demand.participant.party_id}", template="forfeit.hearing", forfeit=new.ref
    )
    work.record(
        "forfeit.draft",
        new.log_of,
        ground=ground,
        account=demand.participant.party.code,
        forfeit=new.ref,
        bound=audit.hide(_proposal(new)),
    )
    return new


def hear(work: UnitOfWork, forfeit: Forfeit, *, hearing: str) -> None:
    """Note the hearing of the bidder. Refuses: NotAllowed, WrongStep, Invalid."""
    work.require(Act.REFUND_PREPARE)
    if not hearing.strip():
        raise Invalid("form.required", field="hearing")
    work.lock(forfeit)
    forfeit.hearing, forfeit.heard_at = hearing.strip(), work.now
    FORFEIT_FLOW.take(work, forfeit, "hear", forfeit=forfeit.ref, bound=audit.hide({"hearing": forfeit.hearing}))


def check(work: UnitOfWork, forfeit: Forfeit, *, approval: Any) -> None:
    """The controller checks ground, evidence, hearing and what would be kept, and signs that (``approval``: an envelope of kind
    ``approval``).

    Refuses: NotAllowed (``refund.same_person``), WrongStep, Conflict (``forfeit.book_differs``: the row is not what was proposed and heard;
    ``forfeit.nothing_left``), as ``signed_approvals.take``.
    """
    work.require(Act.REFUND_APPROVE)
    if work.actor.account_id == forfeit.drafted_by:
        raise NotAllowed("refund.same_person")
    work.lock(forfeit)
    FORFEIT_FLOW.check(forfeit, "check")
    drafted = _in_book(work, forfeit, "draft", _proposal(forfeit))
    _in_book(work, forfeit, "hear", {"hearing": forfeit.hearing})
    if approvals.is_by(drafted, work.actor.account_id):
        raise NotAllowed("refund.same_person")
    if not approvals.is_by(drafted, forfeit.drafted_by):
        raise Conflict("forfeit.book_differs", of=forfeit.ref, differs="drafted")
    signature = signed_approvals.take(work, matter(work, forfeit), approval)
    forfeit.checked_by, forfeit.checked_at = work.actor.account_id, work.now
    named = {signed_approvals.FACT: signature}
    FORFEIT_FLOW.take(work, forfeit, "check", forfeit=forfeit.ref, bound=audit.hide(_checked(forfeit)), **named)


def decide(work: UnitOfWork, forfeit: Forfeit, *, approval: Any) -> None:
    """The purchaser decides and signs that (``approval``: an envelope of kind ``approval``), the money is posted, the bidder is told.

    Refuses: NotAllowed (not this lot's purchaser; ``refund.same_person``; not freshly signed in), WrongStep, Conflict (a refund is
    running, ``forfeit.nothing_left``, as ``require_signed``; ``forfeit.book_differs``, ``refund.not_as_received``: the rows are not what
    was checked), as ``signed_approvals.take``.
    """
    work.require(Act.AWARD_DECIDE)
    demand = forfeit.demand
    if work.actor.party_id != demand.lot.project.purchaser_id:
        raise NotAllowed("project.not_yours", ref=demand.lot.project.ref)
    if work.actor.account_id in (forfeit.drafted_by, forfeit.checked_by):
        raise NotAllowed("refund.same_person")
    work.lock(demand)
    work.lock(forfeit)
    FORFEIT_FLOW.check(forfeit, "decide")
    _require_as_checked(work, forfeit)
    signature = signed_approvals.take(work, decision(work, forfeit), approval, at_once=True)
    running = {row.receipt_id: row for row in refunds_of_demand(work.session, demand.id) if row.part == "deposit"}
    parts = to_keep(work.session, demand)
    if not parts:
        raise Conflict("forfeit.nothing_left")
    for receipt, amount in parts:
        row: Refund | None = running.get(receipt.id)
        if row is not None:
            work.lock(row)
            if row.state != "DUE" or row.bank_key is not None:
                raise Conflict("forfeit.refund_running", state=row.state)
            refunds.step(work, row, "forfeit", forfeit=forfeit.ref)
        postings.post(
            work,
            "forfeited",
            accounts.forfeited(demand.sub_account, amount, forfeit.goes_to),
            of=forfeit.ref,
            terminal=terminal_of(receipt, "deposit"),
        )
    forfeit.amount_minor = sum(amount for _, amount in parts)
    forfeit.decided_by, forfeit.decided_at = work.actor.account_id, work.now
    if forfeit.hold.lifted_at is None:
        forfeit.hold.lifted_at, forfeit.hold.lifted_why = work.now, f"forfeit {forfeit.ref}"
    FORFEIT_FLOW.take(
        work,
        forfeit,
        "decide",
        ground=forfeit.ground,
        amount=forfeit.amount_minor,
        to=forfeit.goes_to,
        forfeit=forfeit.ref,
        kept=[
            {"receipt": receipt.ref, "bound": audit.hide(bound.kept(receipt, forfeit, amount))}
            for receipt, amount in parts
        ],
        **{signed_approvals.FACT: signature},
    )
    work.session.flush()
    work.send(
        f"forfeit.decided/{forfeit.ref}",
        to=f"party:{demand.participant.party_id}",
        template="forfeit.decided",
        forfeit=forfeit.ref,
    )


def drop(work: UnitOfWork, forfeit: Forfeit, *, why: str) -> None:
    """The ground does not stand: the hold ends and the money goes its way. Refuses: NotAllowed, WrongStep, Invalid."""
    work.require(Act.REFUND_APPROVE)
    if not why.strip():
        raise Invalid("form.required", field="why")
    work.lock(forfeit)
    FORFEIT_FLOW.take(work, forfeit, "drop", why=why.strip(), forfeit=forfeit.ref)
    if forfeit.hold.lifted_at is None:
        forfeit.hold.lifted_at, forfeit.hold.lifted_why = work.now, why.strip()
    work.session.flush()


# --- what was checked is what is decided -----------------------------------------------------------------------------


def _proposal(row: Forfeit) -> dict[str, str]:
    return {
        "forfeit": row.ref,
        "sub_account": row.demand.sub_account,
        "ground": row.ground,
        "evidence": row.evidence,
        "to": row.goes_to,
    }


def _checked(row: Forfeit) -> dict[str, str]:
    return _proposal(row) | {"hearing": row.hearing}


def _in_book(view: View, row: Forfeit, way: str, values: dict[str, str]) -> ActRecord:
    """The act of this proposal in the signed book, which binds these values. Refuses: Conflict ``forfeit.book_differs``."""
    found = [
        one
        for one in approvals.acts(view, f"forfeit.{way}", [row.log_of])
        if approvals.facts(one).get("forfeit") == row.ref
    ]
    differs = (audit.differing(found[-1].payload, approvals.BOUND, values) if values else "") if found else "forfeit"
    if differs:
        raise Conflict("forfeit.book_differs", of=row.ref, differs=differs)
    return found[-1]


def require_in_book(view: View, row: Forfeit) -> None:
    """That a proposal is what was drafted, heard and checked, as far as it has come. Refuses: Conflict ``forfeit.book_differs``."""
    _in_book(view, row, "draft", _proposal(row))
    if row.heard_at is not None:
        _in_book(view, row, "hear", {"hearing": row.hearing})
    if row.checked_at is not None:
        _in_book(view, row, "check", _checked(row))


def matter(view: View, row: Forfeit) -> Matter:
    """What a controller signs of a proposal: ground, destination, the payments and the amount that would be kept (once decided: that were),
    a hash over all that was proposed and heard, and whose key must stand under the decision.

    Refuses: Conflict ``forfeit.book_differs``, ``forfeit.nothing_left``.
    """
    drafted = _in_book(view, row, "draft", _proposal(row))
    return Matter("forfeit", f"forfeit/{row.ref}", drafted, _kept_facts(view, row) | {DECIDES: _purchaser(row)})


def decision(view: View, row: Forfeit) -> Matter:
    """What the purchaser signs: just what the controller checked. Refuses: as ``matter``."""
    checked = _in_book(view, row, "check", _checked(row))
    return Matter("decision", f"forfeit/{row.ref}/decision", checked, _kept_facts(view, row), DECIDER)


def _purchaser(row: Forfeit) -> str:
    return row.demand.lot.project.purchaser.code


def _kept_facts(view: View, row: Forfeit) -> dict[str, Any]:
    if row.state == "FORFEITED":
        told = approvals.facts(_in_book(view, row, "decide", {}))
        names, amount = [one["receipt"] for one in told["kept"]], told["amount"]
    else:
        parts = to_keep(view.session, row.demand)
        names, amount = [receipt.ref for receipt, _ in parts], sum(kept for _, kept in parts)
    if not names:
        raise Conflict("forfeit.nothing_left")
    return {
        "amount": amount,
        "ground": row.ground,
        "proposal": document_hash(dumps(_checked(row))),
        "receipts": sorted(names),
        "to": row.goes_to,
    }


def require_signed(view: View, row: Forfeit) -> None:
    """That a controller signed the proposal as it stands. Refuses: Conflict ``forfeit.book_differs``, ``forfeit.nothing_left``,
    ``forfeit.money_changed`` (other payments than those that were checked), ``refund.not_signed``."""
    record, wanted = _in_book(view, row, "check", _checked(row)), matter(view, row)
    told = signed_approvals.signed_facts(view, record)
    if told and DECIDES not in told:  # checked before purchasers signed
        wanted = replace(wanted, facts={key: value for key, value in wanted.facts.items() if key != DECIDES})
    if told and any(told.get(key) != wanted.facts[key] for key in ("amount", "receipts")):
        raise Conflict("forfeit.money_changed", of=row.ref)
    signed_approvals.require(view, wanted, record)


def require_decided(view: View, row: Forfeit) -> None:
    """That the purchaser named in the check signed the decision. A decision without a signature counts where the check that a controller
    signed does not ask for one: such were checked before purchasers signed.

    Refuses: Conflict ``forfeit.book_differs``, ``refund.not_signed``, ``approval.key_waiting``.
    """
    record, checked = _in_book(view, row, "decide", {}), _in_book(view, row, "check", _checked(row))
    if signed_approvals.FACT in approvals.facts(record) or DECIDES in signed_approvals.signed_facts(view, checked):
        name = signed_approvals.require(view, decision(view, row), record)
        if name != _purchaser(row):
            raise Conflict(
                "refund.not_signed", of=f"forfeit/{row.ref}/decision", reason="CONTEXT_MISMATCH", detail=name
            )


def _require_as_checked(work: UnitOfWork, row: Forfeit) -> None:
    """That the proposal is what a second person checked, by hands other than these, and its money what the bank's statements brought."""
    drafted, checked = _in_book(work, row, "draft", _proposal(row)), _in_book(work, row, "check", _checked(row))
    if any(approvals.is_by(one, work.actor.account_id) for one in (drafted, checked)):
        raise NotAllowed("refund.same_person")
    for differs, record, person in (("drafted", drafted, row.drafted_by), ("checked", checked, row.checked_by)):
        if not approvals.is_by(record, person):
            raise Conflict("forfeit.book_differs", of=row.ref, differs=differs)
    require_signed(work, row)
    approvals.require_received(work, receipts.of_demand(work.session, row.demand_id))


def to_keep(session: Session, demand: DepositDemand) -> list[tuple[receipts.Receipt, int]]:
    """The deposit parts of a demand that have not ended yet: (payment, fen)."""
    paid = receipts.of_demand(session, demand.id)
    found = []
    for receipt, (asked, _) in zip(paid, parts_of(demand.amount_minor, (r.amount_minor for r in paid)), strict=True):
        keys = [terminal_of(receipt, part) for part in ("deposit", "converted")]
        ended = session.scalar(select(postings.LedgerEntry.id).where(postings.LedgerEntry.terminal.in_(keys)))
        if asked and ended is None:
            found.append((receipt, asked))
    return found


def kept(session: Session, row: Forfeit) -> Money:
    """What was kept; while it is undecided, what would be."""
    return Money(row.amount_minor or sum(amount for _, amount in to_keep(session, row.demand)))


def keepable(session: Session, lot: Lot) -> list[DepositDemand]:
    """The demands of a lot for which one can be proposed, by the bidder's name. Refuses: NotFound while the payers are sealed."""
    if not demands.is_public(session, lot):
        raise NotFound("deposit.unknown")
    rows = [one for one in demands.of_lot(session, lot) if to_keep(session, one) and find(session, one) is None]
    return sorted(rows, key=lambda one: one.participant.party.name)


def everything(view: View) -> list[Forfeit]:
    """All proposals and decisions, the newest first. Refuses: NotAllowed."""
    view.require(Act.DEPOSIT_LOOK)
    return list(view.session.scalars(select(Forfeit).order_by(Forfeit.drafted_at.desc(), Forfeit.ref)))


def of_purchaser(view: View) -> list[Forfeit]:
    """Proposals on lots of the purchaser who looks, as far as two persons of the centre have gone through them; the newest first.
    Refuses: NotAllowed."""
    query = select(Forfeit).where(_of_purchaser(view), Forfeit.state.in_(("CHECKED", "FORFEITED")))
    return list(view.session.scalars(query.order_by(Forfeit.drafted_at.desc(), Forfeit.ref)))


def to_decide(view: View) -> int:
    """How many of them wait for the purchaser's decision. Refuses: NotAllowed."""
    query = select(func.count()).select_from(Forfeit).where(_of_purchaser(view), Forfeit.state == "CHECKED")
    return view.session.scalar(query) or 0


def _of_purchaser(view: View) -> ColumnElement[bool]:
    if not may(view.actor, Act.AWARD_DECIDE):  # the role alone: looking asks for no fresh sign-in, deciding does
        raise NotAllowed("access.role", act=Act.AWARD_DECIDE.value, role=view.actor.role.value)
    theirs = (
        select(DepositDemand.id)
        .join(Lot, Lot.id == DepositDemand.lot_id)
        .join(Tender, Tender.id == Lot.tender_id)
        .join(Project, Project.id == Tender.project_id)
        .where(Project.purchaser_id == view.actor.party_id)
    )
    return Forfeit.demand_id.in_(theirs)


def find(session: Session, demand: DepositDemand) -> Forfeit | None:
    """The pending or decided one of a demand."""
    return session.scalar(
        select(Forfeit).where(Forfeit.demand_id == demand.id, Forfeit.state.in_((*OPEN, "FORFEITED")))
    )


def latest(session: Session, demand: DepositDemand) -> Forfeit | None:
    """The newest of a demand in any state, for the bidder it concerns."""
    return session.scalar(select(Forfeit).where(Forfeit.demand_id == demand.id).order_by(Forfeit.id.desc()).limit(1))


def forfeit(session: Session, ref: str) -> Forfeit:
    """Refuses: NotFound."""
    found = session.scalar(select(Forfeit).where(Forfeit.ref == ref))
    if found is None:
        raise NotFound("forfeit.unknown")
    return found


def of_lot(session: Session, lot: Lot) -> list[Forfeit]:
    query = (
        select(Forfeit).join(DepositDemand, DepositDemand.id == Forfeit.demand_id).where(DepositDemand.lot_id == lot.id)
    )
    return list(session.scalars(query.order_by(Forfeit.drafted_at, Forfeit.ref)))
