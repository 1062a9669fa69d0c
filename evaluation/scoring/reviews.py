"""Reviews of bids: qualification by the purchaser or agency, conformity by the panel (rules B-01, P-43, C-04, C-06, E-21, E-24, E-25).

Law of the noun: what the platform computes is a prompt, never a verdict; people find, with reasons and the clause, the panel by simple
majority; every opened bid gets its finding before anybody scores, and no finding changes once scoring has begun.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from evaluation.methods.abnormal_prices import abnormally_low
from evaluation.methods.panel_rules import finding_stands
from evaluation.panels import panels
from evaluation.panels.panels import PANEL_FLOW, Panel
from evaluation.scoring import schemes
from trading import publication
from trading.bidding import participants
from trading.custody import officers
from trading.kernel.access import Act
from trading.kernel.db import Base, Moment, one_of
from trading.kernel.errors import Conflict, Invalid, NotFound, WrongStep
from trading.kernel.work import UnitOfWork
from trading.opening import ceremony
from trading.opening.ceremony import OpenedBid
from trading.procedures import procedure_of
from trading.tendering import notices, terms
from trading.tendering.projects import require_tie
from trading.tendering.tenders import LOT_FLOW, Lot

STAGES = ("qualification", "conformity", "price")


class Finding(Base):
    """What was found of one bid in one stage; ``price``: of a price envelope. ``votes_for``, ``votes_against``: of the panel; both 0 in
    qualification. ``arithmetic_minor``, ``adjustment_minor``: by how much the panel corrected the quote, and what it priced beside; 0 but
    where the evaluation method has prices reviewed (rulebook 2.8)."""

    __tablename__ = "finding"
    __table_args__ = (UniqueConstraint("bid_id", "stage"), CheckConstraint(one_of("stage", STAGES), name="stage"))

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    bid_id: Mapped[int] = mapped_column(ForeignKey("opened_bid.id"), index=True)
    stage: Mapped[str] = mapped_column(String(20))
    ok: Mapped[bool]
    clause: Mapped[str] = mapped_column(Text, default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    votes_for: Mapped[int] = mapped_column(default=0)
    votes_against: Mapped[int] = mapped_column(default=0)
    arithmetic_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    adjustment_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime] = mapped_column(Moment)
    bid: Mapped[OpenedBid] = relationship(lazy="joined")


@dataclass(frozen=True)
class Amounts:
    """What a panel's finding changes of a price, in fen: the arithmetic correction, and the deviations priced as the documents say."""

    arithmetic: int = 0
    adjustment: int = 0

    def __bool__(self) -> bool:
        return bool(self.arithmetic or self.adjustment)


NOTHING = Amounts()


# --- small rules ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prompt:
    """What the platform noticed of a bid: a code with words, the rule, and the numbers as text. People decide."""

    code: str
    rule: str
    facts: dict[str, Any]


def findings(session: Session, lot: Lot, stage: str) -> dict[int, Finding]:
    """bid id → finding of a stage."""
    rows = session.scalars(select(Finding).where(Finding.lot_id == lot.id, Finding.stage == stage).order_by(Finding.id))
    return {row.bid_id: row for row in rows}


def qualified(session: Session, lot: Lot) -> list[OpenedBid]:
    """The bids the panel reviews: those that passed qualification where it was reviewed before, else all that were opened."""
    opened = ceremony.opened_of_lot(session, lot)
    if not procedure_of(lot).qualifies:
        return opened
    found = findings(session, lot, "qualification")
    return [bid for bid in opened if bid.id in found and found[bid.id].ok]


def standing(session: Session, panel: Panel) -> dict[int, Finding]:
    """bid id → conformity finding of the panel as it sits now: what an earlier composition found is void (rules P-22, P-31)."""
    found = findings(session, panel.lot, "conformity")
    return {bid_id: row for bid_id, row in found.items() if panel.seated_at is not None and row.at >= panel.seated_at}


def waiting(session: Session, panel: Panel) -> list[OpenedBid]:
    """Bids that still need the panel's finding."""
    found = standing(session, panel)
    return [bid for bid in qualified(session, panel.lot) if bid.id not in found]


def valid_bids(session: Session, panel: Panel) -> list[OpenedBid]:
    """The bids that are scored, in the order of the set."""
    found = standing(session, panel)
    return [bid for bid in qualified(session, panel.lot) if bid.id in found and found[bid.id].ok]


def least(lot: Lot) -> int:
    """How many bids must be left for the evaluation to go on (rules B-01, B-07)."""
    return procedure_of(lot).minimum.left(terms.book(lot))


def prompts(session: Session, lot: Lot) -> dict[int, list[Prompt]]:
    """bid id → what to look at: a form that could not be read, a price above the ceiling (C-04, C-06), a deposit that was not there in time
    (D-13), an abnormally low price (E-21). Only once the bids are open."""
    opened, priced, law = ceremony.opened_of_lot(session, lot), _priced(session, lot), procedure_of(lot)
    found: dict[int, list[Prompt]] = {bid.id: [] for bid in (*opened, *priced)}
    for bid in {bid.id: bid for bid in (*opened, *priced)}.values():
        if bid.form_faults:
            found[bid.id].append(
                Prompt("review.form_faults", "E-25", {"fields": sorted({one["field"] for one in bid.form_faults})})
            )
        if bid.price_minor is not None and bid.price_minor > lot.ceiling_minor:
            amounts = {"price_minor": bid.price_minor, "ceiling_minor": lot.ceiling_minor}
            found[bid.id].append(Prompt("review.above_ceiling", law.ceiling, amounts))
    parties = participants.by_party(session, lot)
    for bid in opened:
        taken_part = parties.get(bid.party_id)
        if taken_part is None or not participants.is_secured(taken_part):
            found[bid.id].append(Prompt("review.deposit_missing", "D-13", {"deposit_minor": lot.deposit_minor}))
    if law.abnormal_prices:
        _low_prices(lot, priced, found)
    return found


def _priced(session: Session, lot: Lot) -> list[OpenedBid]:
    """The opened bids that hold the prices: the bids themselves or, once they are open, the price envelopes."""
    part = officers.bid_envelopes(lot)[-1]
    row = ceremony.find(session, lot, part)
    return ceremony.opened_of_lot(session, lot, part) if row is not None and row.opened is not None else []


def _low_prices(lot: Lot, opened: list[OpenedBid], found: dict[int, list[Prompt]]) -> None:
    quotes = {str(bid.id): Fraction(bid.price_minor, 100) for bid in opened if bid.price_minor}
    if quotes:
        seen = abnormally_low(quotes, Fraction(lot.ceiling_minor, 100))
        for name, lines in seen.triggers.items():
            if lines:
                found[int(name)].append(Prompt("review.low_price", "Caiku [2026] 2", {"lines": lines}))


def bid_of(session: Session, lot: Lot, bid_id: int) -> OpenedBid:
    """An opened bid of the lot. Refuses: NotFound ``review.no_bid``."""
    found = next((bid for bid in ceremony.opened_of_lot(session, lot) if bid.id == bid_id), None)
    if found is None:
        raise NotFound("review.no_bid")
    return found


# --- qualification (government procurement) ---------------------------------------------------------------------------------------


def review_qualification(
    work: UnitOfWork, lot: Lot, bid_id: int, *, ok: bool, clause: str = "", reason: str = ""
) -> Finding:
    """The purchaser or its agency finds whether a bidder is qualified; a no needs clause and reason (O87 art. 44). May be changed until the
    review is finished. Refuses: NotAllowed, WrongStep, NotFound, Invalid."""
    work.require(Act.QUALIFICATION_REVIEW)
    require_tie(work, lot.project)
    work.lock(lot)
    if lot.state != "QUAL_REVIEW":
        raise WrongStep("review.lot_state", state=lot.state, from_states=["QUAL_REVIEW"])
    return record(work, lot, bid_of(work.session, lot, bid_id), "qualification", ok=ok, clause=clause, reason=reason)


def finish_qualification(work: UnitOfWork, lot: Lot) -> bool:
    """Every opened bid reviewed: with enough qualified bidders the panel's work begins, else the lot has failed (rule B-01). Returns
    whether it goes on. Refuses: NotAllowed, WrongStep, Conflict ``review.open``."""
    work.require(Act.QUALIFICATION_REVIEW)
    require_tie(work, lot.project)
    work.lock(lot)
    LOT_FLOW.check(lot, "qualify")
    found = findings(work.session, lot, "qualification")
    opened = ceremony.opened_of_lot(work.session, lot)
    if missing := sum(1 for bid in opened if bid.id not in found):
        raise Conflict("review.open", missing=missing)
    passed = qualified(work.session, lot)
    if len(passed) < least(lot):
        publication.fail(
            work,
            lot,
            ground="few_qualified",
            reason=f"{procedure_of(lot).minimum.conforming}: {len(passed)} < {least(lot)}",
        )
        return False
    LOT_FLOW.take(work, lot, "qualify", qualified=len(passed), rejected=len(opened) - len(passed))
    return True


# --- conformity (the panel) -------------------------------------------------------------------------------------------------------


def find_conformity(
    work: UnitOfWork,
    panel: Panel,
    bid_id: int,
    *,
    votes_for: int,
    clause: str = "",
    reason: str = "",
    amounts: Amounts = NOTHING,
) -> Finding:
    """The chair records the panel's vote on a bid: it conforms if more than half of the members are for it (rule P-43). A rejection needs
    clause and reason, and so does a price that is not ranked as quoted (``amounts``). May be changed until somebody has committed a sheet.

    Refuses: NotAllowed, NotFound, WrongStep, Invalid.
    """
    work.require(Act.REPORT_CONCLUDE)
    work.lock(panel)
    panels.require_chair(work, panel)
    _before_scores(work, panel)
    lot, members = panel.lot, len(panels.seated(panel))
    if lot.state != "EVALUATION":
        raise WrongStep("review.lot_state", state=lot.state, from_states=["EVALUATION"])
    check_votes(members, votes_for)
    bid = bid_of(work.session, lot, bid_id)
    if bid.id not in {one.id for one in qualified(work.session, lot)}:
        raise NotFound("review.no_bid")
    panel.competition = ""  # what was said of the bids left is said of others now
    return record(
        work,
        lot,
        bid,
        "conformity",
        ok=finding_stands(members, votes_for),
        clause=clause,
        reason=reason,
        votes_for=votes_for,
        votes_against=members - votes_for,
        amounts=NOTHING if lot.two_envelopes else amounts,
    )


def _before_scores(work: UnitOfWork, panel: Panel) -> None:
    if panel.state != "SEATED" or panel.scoring:
        raise WrongStep("review.scoring_begun", state=panel.state)


def check_votes(members: int, votes_for: int) -> None:
    """Refuses: Invalid ``review.votes``."""
    if not 0 <= votes_for <= members:
        raise Invalid("review.votes", votes_for=votes_for, members=members)


def record(
    work: UnitOfWork,
    lot: Lot,
    bid: OpenedBid,
    stage: str,
    *,
    ok: bool,
    clause: str,
    reason: str,
    votes_for: int = 0,
    votes_against: int = 0,
    amounts: Amounts = NOTHING,
) -> Finding:
    """Note or change a finding; ``work`` has been through the caller's locks. Refuses: Invalid (a form that cannot be read, no reason, what
    ``check_amounts`` refuses)."""
    clause, reason = clause.strip(), reason.strip()
    if ok and bid.form_faults:
        raise Invalid("review.no_price", rule="E-25")
    amounts = amounts if ok else NOTHING
    if not (ok or (clause and reason)):
        raise Invalid("review.reason_missing", stage=stage)
    if amounts:
        if not (clause and reason):
            raise Invalid("review.amounts_reason", rule="E-21")
        check_amounts(lot, bid, amounts)
    row = findings(work.session, lot, stage).get(bid.id)
    if row is None:
        row = Finding(lot_id=lot.id, bid_id=bid.id, stage=stage, account_id=work.actor.account_id)
        work.session.add(row)
    row.ok, row.clause, row.reason, row.votes_for, row.votes_against = ok, clause, reason, votes_for, votes_against
    row.arithmetic_minor, row.adjustment_minor = amounts.arithmetic, amounts.adjustment
    row.account_id, row.at = work.actor.account_id or 0, work.now
    row.bid = bid
    work.session.flush()
    work.record(
        f"review.{stage}",
        lot.log_of,
        bid=bid.header_hash,
        ok=ok,
        clause=clause,
        reason=reason,
        votes_for=votes_for,
        votes_against=votes_against,
        **({"arithmetic_minor": amounts.arithmetic, "adjustment_minor": amounts.adjustment} if amounts else {}),
    )
    return row


def check_amounts(lot: Lot, bid: OpenedBid, amounts: Amounts) -> None:
    """What a panel may change of a price: only where the method has prices reviewed, only what the documents price, and something must be
    left (rulebook 2.8, rule E-00). Refuses: Invalid ``review.price_as_quoted``, ``review.not_priced``, ``review.price_left``."""
    method = schemes.method_of(lot.scheme)
    if method is None or not method.reviews_price:
        raise Invalid("review.price_as_quoted", rule="E-22")
    if amounts.adjustment and not str((lot.scheme or {}).get("adjustments", "")).strip():
        raise Invalid("review.not_priced", rule="E-00")
    corrected = (bid.price_minor or 0) + amounts.arithmetic
    if corrected <= 0 or corrected + amounts.adjustment <= 0:
        raise Invalid("review.price_left", rule="2.8")


def settle(work: UnitOfWork, panel: Panel) -> None:
    """Where nothing is scored there are no sheets: the chair's next act closes the conformity review, and its findings stand. The caller
    has made sure that it is the chair. Refuses: WrongStep, Conflict ``review.open``, ``review.few``."""
    if panel.state != "SEATED" or schemes.of_lot(panel.lot).scored:
        return
    if panels.find_chair(panel) is None:
        raise WrongStep("panel.no_chair")
    require_settled(work.session, panel)
    PANEL_FLOW.take(work, panel, "settle", round=panel.round)
    panel.listed_round = panel.round


def fail(work: UnitOfWork, panel: Panel, *, reason: str = "") -> notices.Notice:
    """The chair ends an evaluation with too few conforming bids (rules B-01, B-07, B-10): the lot has failed, the panel is done.

    Refuses: NotAllowed, NotFound, WrongStep, Conflict ``review.open``, ``review.enough``.
    """
    work.require(Act.REPORT_CONCLUDE)
    lot = panel.lot
    work.lock(lot)
    work.lock(panel)
    panels.require_chair(work, panel)
    _before_scores(work, panel)
    if missing := len(waiting(work.session, panel)):
        raise Conflict("review.open", missing=missing)
    left = len(valid_bids(work.session, panel))
    if left >= least(lot):
        raise Conflict("review.enough", conforming=left, least=least(lot))
    PANEL_FLOW.take(work, panel, "conclude", conforming=left)
    return publication.fail(work, lot, ground="few_conforming" if left else "all_rejected", reason=reason)


def wants_word(session: Session, panel: Panel) -> bool:
    """Whether every bid has its finding and the panel must say if competition is left among the few (rule B-10)."""
    minimum = procedure_of(panel.lot).minimum
    if minimum.competition is None or waiting(session, panel):
        return False
    found = standing(session, panel).values()  # one a bid, as none waits
    left = sum(one.ok for one in found)
    return minimum.wants_word(terms.book(panel.lot), left, len(found) - left)


def is_word_missing(session: Session, panel: Panel) -> bool:
    """Whether it waits for that word."""
    return not panel.competition and wants_word(session, panel)


def judge_competition(work: UnitOfWork, panel: Panel, *, votes_for: int, reason: str) -> notices.Notice | None:
    """The chair records the panel's vote on going on with the few bids that its rejections have left. Where it is for it the reason stands
    in the report; else all bids are rejected for lack of competition and the lot has failed (rule B-10).

    Refuses: NotAllowed, NotFound, WrongStep, Conflict ``review.open``, ``review.competition_clear``, Invalid (every field).
    """
    work.require(Act.REPORT_CONCLUDE)
    lot = panel.lot
    work.lock(lot)
    work.lock(panel)
    panels.require_chair(work, panel)
    _before_scores(work, panel)
    if missing := len(waiting(work.session, panel)):
        raise Conflict("review.open", missing=missing)
    if not wants_word(work.session, panel):
        raise Conflict("review.competition_clear", conforming=len(valid_bids(work.session, panel)))
    members = len(panels.seated(panel))
    check_votes(members, votes_for)
    if not reason.strip():
        raise Invalid("form.required", field="reason")
    goes_on, left = finding_stands(members, votes_for), len(valid_bids(work.session, panel))
    told = {"votes_for": votes_for, "votes_against": members - votes_for, "reason": reason.strip(), "left": left}
    work.record("review.competition", lot.log_of, goes_on=goes_on, **told)
    if goes_on:
        panel.competition = reason.strip()
        panel.version += 1
        return None
    PANEL_FLOW.take(work, panel, "conclude", conforming=left)
    return publication.fail(work, lot, ground="no_competition", reason=reason)


def require_settled(session: Session, panel: Panel) -> None:
    """Scoring may begin: every qualified bid has its finding, enough are left, and of few the panel has said that competition is left.

    Refuses: WrongStep, Conflict ``review.open``, ``review.few``, ``review.competition_open``.
    """
    if panel.lot.state != "EVALUATION":
        raise WrongStep("sheet.not_yet", state=panel.lot.state)
    if missing := len(waiting(session, panel)):
        raise Conflict("review.open", missing=missing)
    left = len(valid_bids(session, panel))
    if left < least(panel.lot):
        raise Conflict("review.few", conforming=left, least=least(panel.lot))
    if is_word_missing(session, panel):
        raise Conflict("review.competition_open", conforming=left)
