"""A panel sits down and chooses who leads it (rules P-20, P-40, P-41)."""

from __future__ import annotations

from collections.abc import Collection

from evaluation.panels.panels import (
    PANEL_FLOW,
    Panel,
    Seat,
    _seat,
    find_chair,
    holder,
    in_play,
    matches,
    own_seat,
    seated,
)
from trading.kernel.access import Act
from trading.kernel.errors import Conflict, Invalid, TooEarly, WrongStep
from trading.kernel.work import UnitOfWork
from trading.opening import ceremony
from trading.parties import enrolments
from trading.procedures import procedure_of


def convene(work: UnitOfWork, panel: Panel) -> None:
    """The panel sits: every place accepted, nobody who must avoid, every member with a key, made up as the law wants it.

    Refuses: NotAllowed, WrongStep, TooEarly ``panel.opening_first``, Conflict ``panel.not_full``, ``panel.must_avoid``, ``panel.no_key``.
    """
    work.require(Act.PANEL_CONVENE)
    work.lock(panel)
    PANEL_FLOW.check(panel, "convene")
    if not ceremony.is_public(work.session, panel.lot):
        raise TooEarly("panel.opening_first")
    sitting = [seat for seat in in_play(panel) if seat.state == "accepted"]
    if missing := sorted(set(range(1, panel.members + 1)) - {seat.no for seat in sitting}):
        raise Conflict("panel.not_full", places=missing)
    if avoiding := matches(work, panel):
        raise Conflict("panel.must_avoid", places=[seat.no for seat in avoiding], rule="P-20")
    if keyless := [seat.no for seat in sitting if enrolments.find_key(work.session, holder(seat), "expert") is None]:
        raise Conflict("panel.no_key", places=keyless)
    for seat in sitting:
        seat.state = "seated"
    panel.seated_at = work.now
    PANEL_FLOW.take(work, panel, "convene", members=len(sitting))


def may_lead(panel: Panel, seat: Seat) -> bool:
    """Whether a member may be the chair: the purchaser's representative may not everywhere (rule P-40)."""
    return seat.kind != "purchaser" or procedure_of(panel.lot).panel.purchaser_may_lead


def vote_chair(work: UnitOfWork, panel: Panel, no: int) -> Seat | None:
    """A member votes for the member at place ``no`` to lead; with more than half of all votes that one is the chair (rules P-40, P-41).
    In some procedures the purchaser's representative may not lead. Returns the chair, once there is one.

    Refuses: NotAllowed, NotFound, WrongStep, Invalid ``panel.chair_kind``.
    """
    work.require(Act.SEAT_ANSWER)
    work.lock(panel)
    if panel.state != "SEATED":
        raise WrongStep("panel.wrong_step", state=panel.state, from_states=["SEATED"])
    voter, chosen = own_seat(work, panel, "seated"), _seat(panel, no)
    if not may_lead(panel, chosen):
        raise Invalid("panel.chair_kind", rule="P-40")
    voter.vote_no = no
    panel.version += 1
    work.session.flush()
    work.record("panel.vote_chair", panel.log_of, no=voter.no, votes_for=no)
    if votes_of(panel, no) * 2 <= panel.members:
        return find_chair(panel)
    before = find_chair(panel)
    if before is not None and before is not chosen:
        before.is_chair = False
        work.session.flush()
    if not chosen.is_chair:
        chosen.is_chair = True
        work.session.flush()
        work.record("panel.chair", panel.log_of, no=no, votes=votes_of(panel, no))
    return chosen


def votes_of(panel: Panel, no: int) -> int:
    return sum(1 for seat in seated(panel) if seat.vote_no == no)


def places(panel: Panel, states: Collection[str]) -> list[int]:
    """The numbers of the places in these states now."""
    return [seat.no for seat in in_play(panel) if seat.state in states]
