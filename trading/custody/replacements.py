"""Replacing opening officers after publication: proposed by the agency with a ground, confirmed by a second person (protocol §2, §5.3).

Law of the noun: two persons, never one; whoever proposes is told before what it means for bids already sealed, and what was confirmed is
what takes over, or nothing. The new officers then give keys and sign (policies.py); with their last signature they take over
(successions.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from trading.custody import officers, policies, successions
from trading.custody.officers import OfficerSeat, PolicyChange
from trading.custody.successions import GROUNDS
from trading.kernel.access import Act
from trading.kernel.errors import Conflict, Faults, Invalid, NotAllowed, NotFound, TooLate, WrongStep
from trading.kernel.work import UnitOfWork
from trading.parties.parties import Account
from trading.tendering import planning
from trading.tendering.projects import require_tie
from trading.tendering.tenders import Lot


def propose(
    work: UnitOfWork,
    lot: Lot,
    named: Iterable[tuple[Account, str]],
    *,
    t: int,
    ground: str,
    reason: str,
    deadline: datetime | None = None,
    opens_at: datetime | None = None,
) -> PolicyChange:
    """The agency proposes another set of officers as (account, side), in the order j = 1, 2, …, with a later deadline where one is needed:
    an extension by itself wants the signatures of the officers of now, also of the one who is lost.

    Refuses: NotAllowed, WrongStep ``lot.not_open``, TooLate ``lot.deadline_past``, ``officers.too_close``, Conflict
    ``officers.change_open``, Invalid (every field; ``officers.same``).
    """
    planning.require_open(work, lot, Act.LOT_PUBLISH)
    assert lot.deadline is not None and lot.opens_at is not None
    if officers.open_change(work.session, lot) is not None:
        raise Conflict("officers.change_open", ref=lot.ref)
    rows = list(named)
    faults = Faults()
    if ground not in GROUNDS:
        faults.add("ground", "form.required")
    if not reason.strip():
        faults.add("reason", "form.required")
    officers.check_named(work.session, lot, rows, t, faults)
    faults.refuse_if_any()
    new = deadline or lot.deadline
    opens = opens_at or (new if deadline else lot.opens_at)
    if deadline is not None:
        planning.check_new_dates(work, lot, deadline=new, opens_at=opens)
    successions.check_time(work.now, new)
    change = PolicyChange(
        lot_id=lot.id,
        kind="officers",
        ground=ground,
        reason=reason.strip(),
        deadline=new,
        opens_at=opens,
        state="OPEN",
        made_at=work.now,
        ended_at=None,
        told_at=None,
        plan={
            "t": t,
            "officers": [{"account": account.id, "side": side} for account, side in rows],
            "by": work.actor.account_id or 0,
            "confirmed_by": 0,
            "dies": False,
        },
    )
    if _is_same(work, lot, change):
        raise Invalid("officers.same")
    work.session.add(change)
    work.session.flush()
    work.record(
        "officers.propose",
        lot.log_of,
        ground=ground,
        reason=change.reason,
        t=t,
        n=len(rows),
        sides=[side for _, side in rows],
        deadline=new,
    )
    return change


def _is_same(work: UnitOfWork, lot: Lot, change: PolicyChange) -> bool:
    """Whether a proposal names just the officers and keys there are."""
    now: Sequence[OfficerSeat] = officers.seats(work.session, lot)
    who = successions.planned(work.session, change)
    plan = [(name, kid, one["side"]) for (name, kid), one in zip(who, change.plan["officers"], strict=True)]
    return (
        sorted(plan) == sorted((seat.account.username, seat.sign_kid, seat.side) for seat in now)
        and change.plan["t"] == lot.threshold
    )


def confirm(work: UnitOfWork, lot: Lot, *, dies: bool) -> PolicyChange:
    """A second person of purchaser or agency confirms. ``dies``: what the page said becomes of bids sealed so far; it is held against the
    policies again, now and with the last signature. The new officers may give their keys from then on.

    Refuses: NotAllowed (``officers.same_person``, no tie), NotFound ``officers.no_change``, WrongStep ``lot.not_open``,
    ``officers.confirmed``, ``officers.bids_would_die``, TooLate ``officers.too_close``.
    """
    change = _open(work, lot, Act.OFFICERS_CONFIRM)
    if change.plan["confirmed_by"]:
        raise WrongStep("officers.confirmed", ref=lot.ref)
    if work.actor.account_id == change.plan["by"]:
        raise NotAllowed("officers.same_person")
    successions.check_time(work.now, change.deadline)
    found = any(one.dies for one in successions.fates(work.session, lot, successions.planned(work.session, change)))
    if found and not dies:
        raise WrongStep("officers.bids_would_die", ref=lot.ref)
    change.plan = {**change.plan, "confirmed_by": work.actor.account_id or 0, "dies": found}
    successions.seat_next(work, lot, change)
    work.record("officers.confirm", lot.log_of, ground=change.ground, dies=found)
    return change


def take_back(work: UnitOfWork, lot: Lot) -> None:
    """A proposal is taken back, at any time before the last signature: the officers of before stay. Refuses: as ``confirm``."""
    change = _open(work, lot, Act.OFFICERS_CONFIRM)
    policies.void_waiting(work, lot)
    work.record("officers.take_back", lot.log_of, ground=change.ground)


def _open(work: UnitOfWork, lot: Lot, act: Act) -> PolicyChange:
    work.require(act)
    require_tie(work, lot.project)
    work.lock(lot)
    if lot.state not in ("NOTICE", "BIDDING"):
        raise WrongStep("lot.not_open", ref=lot.ref, state=lot.state)
    if lot.deadline is None or work.now >= lot.deadline:
        raise TooLate("lot.deadline_past", deadline=lot.deadline, now=work.now)
    change = officers.open_change(work.session, lot)
    if change is None or change.kind != "officers":
        raise NotFound("officers.no_change", ref=lot.ref)
    return change
