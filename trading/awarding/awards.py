"""From the panel's ranking to the award: candidate publicity (works), decision, result and award notices (rules T-10 to T-17, E-07, E-08b).

Law of the noun: the panel's conclusion is handed down once by ``propose``; the purchaser decides in the order of the ranking, in works with
state money for rank one; an objection to the candidates stops the decision until answered; everybody is told at the same time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from crypto.documents import sign_document
from trading.awarding import signed_award
from trading.kernel.access import Act
from trading.kernel.audit import keep_document
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.db import Base, Json, Moment
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotFound, TooEarly, WrongStep
from trading.kernel.work import UnitOfWork
from trading.opening import findings
from trading.opening.ceremony import OpenedBid
from trading.parties.parties import Party
from trading.procedures import procedure_of
from trading.procedures.procedure import PUBLICITY_ENDS
from trading.remedies import complaints, disputes
from trading.tendering import notices, terms
from trading.tendering.projects import require_tie
from trading.tendering.tenders import LOT_FLOW, Lot


class Award(Base):
    """``ranking``: ``[{bidder, name, party_id, total, price_minor, rank}]`` best first, totals and scores as exact text; ``ranked_by``
    ``price`` with each where ``total`` is the price that ranks. Moments ending in
    ``_by`` are the last moments of duties, ``reasons`` how they were counted. ``winner_party_id`` once decided."""

    __tablename__ = "award"
    __table_args__ = (
        CheckConstraint("(decided_at IS NULL) = (winner_party_id IS NULL)", name="decided"),
        CheckConstraint("(winner_party_id IS NULL) = (price_minor IS NULL)", name="priced"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), unique=True)
    version: Mapped[int] = mapped_column(default=0)
    ranking: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    ranking_c: Mapped[str] = mapped_column(String(50))
    ranking_hash: Mapped[str] = mapped_column(String(50))
    report: Mapped[str] = mapped_column(String(64), default="")
    proposed_at: Mapped[datetime] = mapped_column(Moment)
    publicity_from: Mapped[datetime | None] = mapped_column(Moment)
    publicity_until: Mapped[datetime | None] = mapped_column(Moment)
    decide_by: Mapped[datetime | None] = mapped_column(Moment)
    decided_at: Mapped[datetime | None] = mapped_column(Moment)
    winner_party_id: Mapped[int | None] = mapped_column(ForeignKey("party.id"))
    price_minor: Mapped[int | None] = mapped_column(BigInteger)
    ground: Mapped[str] = mapped_column(Text, default="")
    announce_by: Mapped[datetime | None] = mapped_column(Moment)
    announced_at: Mapped[datetime | None] = mapped_column(Moment)
    contract_by: Mapped[datetime | None] = mapped_column(Moment)
    challenge_until: Mapped[datetime | None] = mapped_column(Moment)
    reasons: Mapped[dict[str, Any]] = mapped_column(Json)
    lot: Mapped[Lot] = relationship(lazy="joined")
    winner: Mapped[Party | None] = relationship(lazy="joined")

    @property
    def log_of(self) -> str:
        return self.lot.log_of


def propose(work: UnitOfWork, lot: Lot, ranking: list[dict[str, Any]], *, rules_hash: str, report: str = "") -> Award:
    """Take the panel's ranking down (called by evaluation.reporting.conclusion, in its unit): signed, logged, and the purchaser's clock
    starts.

    ``rules_hash``: the hash of the scheme the scores follow from. Refuses: NotAllowed, Conflict ``award.proposed``.
    """
    work.require(Act.REPORT_CONCLUDE)
    if find(work.session, lot) is not None:
        raise Conflict("award.proposed")
    document = {
        "v": 1,
        "at": write_moment(floor_second(work.now)),
        "platform": work.office.platform,
        "tender": lot.tender.ref,
        "lot": lot.no_text,
        "rules": rules_hash,
        "ranking": [{"bidder": r["bidder"], "rank": r["rank"], figure_of(r): r["total"]} for r in ranking],
    }
    statement = keep_document(
        work, "ranking", sign_document("ranking", document, work.office.keys.signing), signed=True
    )
    entry = work.log("ranking", statement=statement, tender=lot.tender.ref, lot=lot.no_text)
    reasons: dict[str, Any] = {}
    decide_by = None
    if (decide := procedure_of(lot).award.decide) is not None:
        due = terms.period(work.session, lot, decide, work.now)
        decide_by, reasons["decide_by"] = due.ends_at, due.reason
    row = Award(
        lot_id=lot.id,
        ranking=ranking,
        ranking_c=entry.c,
        ranking_hash=statement,
        report=report,
        proposed_at=work.now,
        decide_by=decide_by,
        reasons=reasons,
    )
    row.lot = lot
    work.session.add(row)
    work.session.flush()
    work.record(
        "award.propose", lot.log_of, bidders=len(ranking), report=report, rows_hash=signed_award.hash_of(ranking)
    )
    return row


def publicise(work: UnitOfWork, lot: Lot) -> Award:
    """Publish the candidates for at least three days, to the end of a working day (rules T-17, N-10), where the procedure has a publicity:
    as many as its rule says, and who shares the last of these places with another (rule E-08b).

    Refuses: NotAllowed (not of this project), WrongStep, Invalid ``award.no_publicity``, Conflict as ``signed_award.require``.
    """
    require_tie(work, lot.project)
    work.lock(lot)
    row = award(work.session, lot)
    publicity = procedure_of(lot).award.publicity
    if publicity is None:
        raise Invalid("award.no_publicity", regime=lot.regime)
    signed_award.require(work, lot, row)
    complaints.refuse_suspended(work, lot)
    LOT_FLOW.take(work, lot, "publicise")
    due = terms.period(work.session, lot, publicity.lasts, work.now)
    row.publicity_from, row.publicity_until = work.now, due.ends_at
    row.reasons = {**row.reasons, "publicity_until": due.reason}
    row.version += 1
    most = terms.book(lot).rule(publicity.most).whole
    last = row.ranking[:most][-1]["rank"]
    body = {"candidates": [_shown(r) for r in row.ranking if r["rank"] <= last], "report": row.report}
    notices.post(work, lot, "candidates", title=lot.title, body=body, until=due.ends_at)
    return row


def result_window(row: Award) -> datetime | None:
    """Until when the result may be objected to or challenged, None before it is published."""
    window = procedure_of(row.lot).remedies.window("result")
    return row.publicity_until if window.anchor == PUBLICITY_ENDS else row.challenge_until


def object_until(row: Award) -> datetime:
    """Until when the result may be objected to or challenged. Refuses: WrongStep before it is published."""
    until = result_window(row)
    if until is None:
        raise WrongStep("award.not_published", ref=row.lot.ref)
    return until


def decide(work: UnitOfWork, lot: Lot, *, rank: int = 1, ground: str = "", bidder: str = "") -> Award:
    """The purchaser decides, in the order of the ranking; another than the first needs a ground in words (rules T-11, E-07). ``bidder``:
    the one chosen among several of this rank, where the tender document leaves a tie to the purchaser; that needs a ground too.

    Where an upheld objection leads to another candidate, this is how.

    Refuses: NotAllowed (not this purchaser, not freshly signed in), WrongStep (also ``objection.upheld``), TooEarly (publicity running),
    Conflict (objection open, or ``award.finding_awaited``: a bid was lost and the supervisory body has not found on it; as
    ``signed_award.require``), Invalid (no such rank, ground missing, tie).
    """
    work.require(Act.AWARD_DECIDE)
    if work.actor.party_id != lot.project.purchaser_id:
        raise NotAllowed("project.not_yours", ref=lot.project.ref)
    work.lock(lot)
    row = award(work.session, lot)
    signed_award.require(work, lot, row)
    findings.refuse_awaited(work.session, lot)
    law = procedure_of(lot)
    if law.award.publicity is not None:
        if row.publicity_until is None:
            raise TooEarly("award.publicity_first")
        if work.now < row.publicity_until:
            raise TooEarly("award.publicity_running", until=row.publicity_until, now=work.now)
    if "decide" in law.remedies.stops:
        disputes.refuse_while_open(work.session, lot, "result")
    chosen = [r for r in row.ranking if r["rank"] == rank]
    if not chosen:
        raise Invalid("award.no_such_rank", rank=rank, ranks=sorted({r["rank"] for r in row.ranking}))
    tied = len(chosen) > 1
    if tied:
        names = [r["bidder"] for r in chosen]
        if (lot.scheme or {}).get("tie") != "purchaser":
            raise Invalid("award.tied", rank=rank, bidders=names)
        chosen = [r for r in chosen if r["bidder"] == bidder]
        if not chosen:
            raise Invalid("award.tie_choice", rank=rank, bidders=names)
    if (tied or rank != 1) and not ground.strip():
        raise Invalid("award.ground_missing", rank=rank)
    complaints.refuse_suspended(work, lot)
    if rank == 1 and not tied and "decide" in law.remedies.upheld_stops:
        disputes.refuse_upheld(work.session, lot, "result")
    disputes.settle(work, lot, disputes.NEXT)
    LOT_FLOW.take(work, lot, "decide", rank=rank, ground=ground.strip(), winner=chosen[0]["bidder"])
    due = terms.period(work.session, lot, law.award.announce, work.now) if law.award.announce is not None else None
    row.decided_at, row.winner_party_id, row.price_minor = work.now, chosen[0]["party_id"], chosen[0]["price_minor"]
    row.ground = ground.strip()
    if due is not None:
        row.announce_by, row.reasons = due.ends_at, {**row.reasons, "announce_by": due.reason}
    row.version += 1
    work.session.flush()
    work.session.refresh(row)
    return row


def announce(work: UnitOfWork, lot: Lot) -> Award:
    """Result notice and award notice at the same time; losers are told why, with their own score and rank, and who was not ranked that it
    was not (rules T-12, T-13, TL art. 45, O87 art. 69).

    Refuses: NotAllowed, WrongStep, Conflict as ``signed_award.require``.
    """
    require_tie(work, lot.project)
    work.lock(lot)
    row = award(work.session, lot)
    signed_award.require(work, lot, row)
    complaints.refuse_suspended(work, lot)
    LOT_FLOW.take(work, lot, "announce")
    assert row.winner is not None and row.price_minor is not None
    winner = next(r for r in row.ranking if r["party_id"] == row.winner_party_id)
    reasons = dict(row.reasons)
    until = None
    law = procedure_of(lot)
    if law.award.shown is not None:
        shown = terms.period(work.session, lot, law.award.shown, work.now)
        until, reasons["result_until"] = shown.ends_at, shown.reason
        if (period := law.remedies.window("result").period) is not None:
            challenge = terms.period_after(work.session, lot, period, shown.ends_at)
            row.challenge_until, reasons["challenge_until"] = challenge.ends_at, challenge.reason
    contract = terms.period(work.session, lot, law.contract.sign, work.now)
    row.announced_at, row.contract_by = work.now, contract.ends_at
    row.reasons = {**reasons, "contract_by": contract.reason}
    row.version += 1
    body = {
        "winner": _shown(winner),
        "budget_minor": lot.budget_minor,
        "ranking": [_shown(r) for r in row.ranking],
        "report": row.report,
    }
    version = notices.post(work, lot, "result", title=lot.title, body=body, until=until).version
    again = "" if version == 1 else f"/{version}"
    notices.post(work, lot, "award", title=lot.title, body={"winner": _shown(winner)})
    for r in row.ranking:
        lost = "award.lost_by_price" if by_price(r) else "award.lost"
        template = "award.won" if r["party_id"] == row.winner_party_id else lost
        work.send(
            f"award/{lot.ref}/{r['party_id']}{again}",
            to=f"party:{r['party_id']}",
            template=template,
            lot=lot.ref,
            rank=r["rank"],
            total=r["total"],
        )
    ranked = {r["party_id"] for r in row.ranking}
    opened = select(OpenedBid.party_id).where(OpenedBid.lot_id == lot.id).distinct().order_by(OpenedBid.party_id)
    for party_id in work.session.scalars(opened):
        if party_id not in ranked:
            key, to = f"award/{lot.ref}/{party_id}{again}", f"party:{party_id}"
            work.send(key, to=to, template="award.not_ranked", lot=lot.ref)
    return row


def by_price(r: Mapping[str, Any]) -> bool:
    """Whether a row's ``total`` is the price that ranks and no points."""
    return r.get("ranked_by") == "price"


def figure_of(r: Mapping[str, Any]) -> str:
    """What ranks, as the signed ranking names it."""
    return "price" if by_price(r) else "score"


def _shown(r: dict[str, Any]) -> dict[str, Any]:
    return {
        "bidder": r["bidder"],
        "name": r["name"],
        "rank": r["rank"],
        "total": r["total"],
        "price_minor": r["price_minor"],
        **({"ranked_by": r["ranked_by"]} if by_price(r) else {}),
    }


def find(session: Session, lot: Lot) -> Award | None:
    return session.scalar(select(Award).where(Award.lot_id == lot.id))


def award(session: Session, lot: Lot) -> Award:
    """Refuses: NotFound ``award.not_yet``."""
    found = find(session, lot)
    if found is None:
        raise NotFound("award.not_yet", ref=lot.ref)
    return found
