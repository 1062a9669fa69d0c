"""The statutory road of a lot: its stages with the moments that are public, and the rules of its own rulebook that limit them.

Which rule limits which stage is read from the lot's snapshot by the moment the rule speaks of; no number of the law stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from trading.kernel.calendar import local_day
from trading.kernel.work import View
from trading.opening import ceremony
from trading.procedures import procedure_of
from trading.rulebook import Rule, Rulebook, calendars
from trading.tendering.notices import Notice
from trading.tendering.planning import book_of, rule_category
from trading.tendering.tenders import Lot
from trading.views.public_queries import Outcome

DONE, HERE, AHEAD = "done", "here", ""

# The moments a stage is limited by, in the words of the rulebook; a kind where the same moment is limited in several ways.
_LIMITS: dict[str, tuple[tuple[str, str], ...]] = {
    "intention": (("notice_published", ""),),
    "notice": (("notice_period_ends", ""),),
    "documents": (("issue_ends", ""),),
    "bidding": (("bid_deadline", "MIN"),),
    "opening": (("opening", ""),),
    "review": (("bidders_at_deadline", ""),),
    "publicity": (("candidates_published", ""), ("publicity_ends", "")),
    "decision": (("award_decided", ""),),
    "result": (("result_published", ""), ("result_period_ends", "")),
    "contract": (("contract_signed", ""), ("contract_published", "")),
}


@dataclass(frozen=True)
class Stage:
    """``at``: when it begins or began, ``until``: when it ends, as far as that is public; ``day`` where only a day is known."""

    code: str
    state: str
    at: datetime | None
    until: datetime | None
    day: date | None
    rules: tuple[Rule, ...]


def stages(view: View, lot: Lot, told: Outcome, notice: Notice | None) -> list[Stage]:
    """The road of a published lot. ``told``: what has been published of its end; ``notice``: its first tender notice."""
    book = book_of(lot, view.now)
    road = [
        one.code
        for one in procedure_of(lot).public_stages
        if one.code != "intention" or lot.project.intent_at is not None
    ]
    times: dict[str, tuple[datetime | None, datetime | None]] = {
        "intention": (None, None),
        "notice": (lot.published_at, notice.until if notice else None),
        "documents": (lot.issue_at, None),
        "bidding": (None, lot.deadline),
        "opening": (lot.opens_at, None),
        "publicity": (told.candidates.published_at, told.candidates.until) if told.candidates else (None, None),
        "result": (told.result.published_at, told.result.until) if told.result else (None, None),
        "contract": (told.contract.published_at, None) if told.contract else (None, told.contract_by),
    }
    here = _here(view.session, lot, view.now, road)
    found = []
    for place, code in enumerate(road):
        at, until = times.get(code, (None, None))
        state = DONE if place < here else HERE if place == here else AHEAD
        found.append(
            Stage(
                code, state, at, until, lot.project.intent_at if code == "intention" else None, _rules(book, lot, code)
            )
        )
    return found


def _never_opened(session: Session, lot: Lot) -> bool:
    """Failed at the deadline for too few bids (rules B-01 to B-09): its road ended at the opening, nothing came to a review."""
    return ceremony.find(session, lot) is None


def _here(session: Session, lot: Lot, now: datetime, road: list[str]) -> int:
    """The place of the present stage; behind the last one when nothing of the road is left."""
    state = lot.state
    if state in ("FILING", "CLOSING", "ARCHIVED"):
        return len(road)
    if state == "FAILED":
        return road.index("opening" if _never_opened(session, lot) else "review")
    if state == "TERMINATED":
        over = lot.deadline is not None and now >= lot.deadline
        return road.index("bidding" if not over else "opening" if _never_opened(session, lot) else "review")
    code = procedure_of(lot).stage_of(state)
    if state == "NOTICE" and lot.issue_at is not None and now >= lot.issue_at:
        code = "bidding"
    if code == "bidding" and lot.deadline is not None and now >= lot.deadline:
        code = "opening"
    return road.index(code)


def _rules(book: Rulebook, lot: Lot, code: str) -> tuple[Rule, ...]:
    rows: list[Rule] = []
    for act, kind in _LIMITS[code]:
        rows += book.about(act, method=lot.project.method, category=rule_category(lot.project), kind=kind or None)
    return tuple(rows)


def clarify_cutoff(view: View, lot: Lot) -> tuple[Rule, datetime] | None:
    """(rule, the first moment that is late) for a clarification that affects bids, without moving the deadline (rule T-05)."""
    if lot.deadline is None:
        return None
    book, calendar = book_of(lot, view.now), calendars.current(view.session)
    for rule in book.about(
        "clarification_issued", method=lot.project.method, category=rule_category(lot.project), kind="BEFORE"
    ):
        term = rule.term(local_day(lot.deadline), calendar)
        if term is not None:
            return rule, term.ends_at
    return None
