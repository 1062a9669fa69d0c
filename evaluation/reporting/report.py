"""The evaluation report: drawn up from stored inputs, signed by every member or refused with reasons (rules P-43, E-32).

Law of the noun: the report says nothing that does not follow from signed sheets, announced prices, findings, the drawn coefficient and the
scheme; each number carries its arithmetic; a member signs its hash or dissents in words; a recheck makes a new report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from crypto.canonical import dumps
from crypto.errors import CryptoError
from crypto.signatures import document_hash, verify
from evaluation.methods.inputs import BidIn, Inputs
from evaluation.methods.points import objective_mismatches
from evaluation.panels import panels
from evaluation.panels.panels import Panel, Seat
from evaluation.scoring import outcome, price_review, reviews, schemes, sheets, signed_sheets
from evaluation.scoring.reviews import NOTHING, Amounts
from trading import draws
from trading.kernel.access import Act
from trading.kernel.audit import keep_document
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.db import Base, Json, Moment, append_only
from trading.kernel.errors import Conflict, Invalid, NotFound, TooEarly, WrongStep
from trading.kernel.exact import BadValue
from trading.kernel.work import UnitOfWork, View
from trading.opening import ceremony
from trading.opening.ceremony import OpenedBid
from trading.procedures import procedure_of
from trading.procedures.procedure import QUALIFICATION

SIGNATURE = "report-signature"
"""The kind of document a member signs: ``{v, at, tender, lot, expert, report, dissent}``."""
_KEYS = {"v", "at", "tender", "lot", "expert", "report", "dissent"}
MOST_DISSENT = 4000
SETTLED_BY_PANEL = ("panel", "draw")
"""Ways of settling a tie that take place before the report: by the panel, or by lot before it (rule E-07)."""


class Report(Base):
    """``facts``: every number with its arithmetic line, JSON; ``blob``: the same as canonical bytes; ``hash`` names them in signatures. The
    report of the panel's round is the one that stands."""

    __tablename__ = "evaluation_report"
    __table_args__ = (UniqueConstraint("panel_id", "round"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    panel_id: Mapped[int] = mapped_column(ForeignKey("panel.id"), index=True)
    round: Mapped[int]
    version: Mapped[int] = mapped_column(default=0)
    facts: Mapped[dict[str, Any]] = mapped_column(Json)
    blob: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(50), unique=True)
    drawn_up_at: Mapped[datetime] = mapped_column(Moment)
    panel: Mapped[Panel] = relationship(lazy="joined")
    signatures: Mapped[list[ReportSignature]] = relationship(order_by="ReportSignature.id", lazy="selectin")


class ReportSignature(Base):
    """A member's word on the report: the signed document; ``dissent`` holds its reasons where the member does not agree."""

    __tablename__ = "report_signature"
    __table_args__ = (UniqueConstraint("report_id", "seat_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    report_id: Mapped[int] = mapped_column(ForeignKey("evaluation_report.id"), index=True)
    seat_id: Mapped[int] = mapped_column(ForeignKey("seat.id"))
    statement: Mapped[str] = mapped_column(String(50))
    dissent: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(Moment)
    seat: Mapped[Seat] = relationship(lazy="joined")


append_only(ReportSignature.__table__)  # type: ignore[arg-type]


# --- what it follows from ---------------------------------------------------------------------------------------------------------


def coefficient(session: Session, panel: Panel) -> str:
    """The K drawn in public for a lot whose scheme asks for one, "" otherwise. Refuses: NotFound, WrongStep (not drawn yet)."""
    if not schemes.of_lot(panel.lot).draws_coefficient:
        return ""
    row = draws.draw(session, panel.lot, "k")
    return row.pool[draws.picks(row)[0]]


def small(bid: OpenedBid) -> bool:
    """Whether the deduction for small firms applies: the bid declares it and the register agrees (rule E-06)."""
    return bid.announce.get("small_firm") == "yes" and bid.party.small


def gather(session: Session, panel: Panel, *, tie_break: Sequence[str] = ()) -> Inputs:
    """The stored inputs of a lot's outcome. Refuses: WrongStep (sheets or coefficient missing), NotFound, Invalid."""
    lot = panel.lot
    valid = {bid.id for bid in price_review.ranked(session, panel)}
    priced = price_review.prices(session, lot)
    changed = price_review.amounts(session, lot)
    bids = [_bid_in(session, panel, bid, valid, priced, changed) for bid in ceremony.opened_of_lot(session, lot)]
    return Inputs(
        schemes.of_lot(lot),
        bids,
        sheets.scores_of(session, panel),
        coefficient(session, panel),
        Fraction(lot.ceiling_minor, 100),
        tuple(tie_break),
    )


def gather_scores(session: Session, panel: Panel) -> Inputs:
    """The valid bids with the members' points alone: for the panel's table, before a coefficient is drawn. Refuses: WrongStep, Invalid."""
    valid = reviews.valid_bids(session, panel)
    ids, priced = {one.id for one in valid}, price_review.prices(session, panel.lot)
    bids = [_bid_in(session, panel, bid, ids, priced, {}) for bid in valid]
    return Inputs(schemes.of_lot(panel.lot), bids, sheets.scores_of(session, panel))


def _bid_in(
    session: Session,
    panel: Panel,
    bid: OpenedBid,
    valid: set[int],
    prices: Mapping[int, OpenedBid],
    changed: Mapping[int, Amounts],
) -> BidIn:
    priced = prices.get(bid.party_id)
    quote = None if priced is None or priced.price_minor is None else Fraction(priced.price_minor, 100)
    finding: dict[str, Any] = {}
    if bid.id not in valid:
        finding = price_review.not_standing(session, panel).get(bid.party_id) or rejection(session, panel, bid)
        finding = {key: value for key, value in finding.items() if key != "bidder"}
    amounts = changed.get(bid.party_id, NOTHING)
    arithmetic, adjustment = Fraction(amounts.arithmetic, 100), Fraction(amounts.adjustment, 100)
    return BidIn(bid.party.code, bid.party.name, quote, small(bid), finding, arithmetic, adjustment)


def rejection(session: Session, panel: Panel, bid: OpenedBid) -> dict[str, Any]:
    """Why a bid is not scored: ``{bidder, stage, clause, reason, votes_for, votes_against}``. Refuses: Conflict ``review.open``."""
    first = (
        reviews.findings(session, panel.lot, QUALIFICATION).get(bid.id) if procedure_of(panel.lot).qualifies else None
    )
    row = first if first is not None and not first.ok else reviews.standing(session, panel).get(bid.id)
    if row is None:
        raise Conflict("review.open", missing=1)
    return {
        "bidder": bid.party.code,
        "stage": row.stage,
        "clause": row.clause,
        "reason": row.reason,
        "votes_for": row.votes_for,
        "votes_against": row.votes_against,
    }


def facts_of(session: Session, panel: Panel, *, tie_break: Sequence[str] = ()) -> dict[str, Any]:
    """The facts of the report from stored inputs. Refuses: what ``gather`` refuses; Invalid ``report.cannot`` with what the formula lacks,
    ``report.objective_differs`` (rule E-01e)."""
    price_review.require_settled(session, panel)
    inputs = gather(session, panel, tie_break=tie_break)
    try:
        if differing := objective_mismatches(inputs):
            raise Invalid(
                "report.objective_differs",
                items=[f"{one['bidder']} {one['criterion']}" for one in differing],
                rule="E-01e",
            )
        found = outcome.outcome(inputs)
    except BadValue as error:
        raise Invalid("report.cannot", reason=error.code, where=error.where, expected=error.expected) from error
    lot = panel.lot
    scheme = lot.scheme or {}
    return {
        "v": 1,
        "tender": lot.tender.ref,
        "lot": lot.no_text,
        "title": lot.title,
        "regime": lot.regime,
        "rules": schemes.rules_hash(scheme),
        "round": panel.round,
        "recheck": panel.recheck,
        **({"competition": panel.competition} if panel.competition else {}),
        "ceiling": lot.ceiling.text(),
        "currency": lot.currency,
        "criteria": [
            {"id": one.id, "title": one.title, "title_en": one.title_en, "kind": one.kind}
            for one in inputs.scheme.criteria
        ],
        "members": [{"seat": seat.no, "kind": seat.kind, "chair": seat.is_chair} for seat in panels.seated(panel)],
        "sheets": [sheet.statement for sheet in sheets.revealed(session, panel)],
        "outliers": outcome.outlier_flags(inputs),
        **found,
    }


# --- acts -------------------------------------------------------------------------------------------------------------------------


def draw_up(work: UnitOfWork, panel: Panel, *, tie_break: Sequence[str] = ()) -> Report:
    """The chair has the report drawn up from the revealed sheets, or where nothing is scored from the findings, which are closed by it.
    ``tie_break``: bidders still equal after the lower quote, in the order the panel has voted or drawn by lot before all its members, where
    the scheme leaves ties to it or to a draw (rules E-07, E-08b). Until somebody has signed it may be drawn up again.

    Refuses: NotAllowed, NotFound, WrongStep, Conflict ``report.signed_already``, Invalid (``report.objective_differs``, ``report.tie``, …).
    """
    work.require(Act.REPORT_CONCLUDE)
    work.lock(panel)
    panels.require_chair(work, panel)
    reviews.settle(work, panel)
    if panel.state != "REVEALED":
        raise WrongStep("panel.wrong_step", state=panel.state, from_states=["REVEALED"])
    row = find(work.session, panel)
    if row is not None and row.signatures:
        raise Conflict("report.signed_already")
    signed_sheets.require_outcome(work, panel)
    facts = facts_of(work.session, panel, tie_break=tie_break)
    if tie_break:
        _check_tie_break(work.session, panel, facts, tie_break)
    text = dumps(facts)
    blob = work.office.blobs.put([text]).name
    if row is None:
        row = Report(panel_id=panel.id, round=panel.round, version=0)
        row.panel, row.signatures = panel, []
        work.session.add(row)
    row.facts, row.blob, row.hash, row.drawn_up_at = facts, blob, document_hash(text), work.now
    row.version += 1
    work.session.flush()
    work.record("report.draw_up", panel.log_of, report=row.hash, round=panel.round, tie_break=list(tie_break))
    return row


def _check_tie_break(session: Session, panel: Panel, facts: Mapping[str, Any], tie_break: Sequence[str]) -> None:
    """Only what the scheme has settled in the panel's room, and only those who are equal without it."""
    if facts["tie_rule"] not in SETTLED_BY_PANEL:
        raise Invalid("report.tie", rule=facts["tie_rule"])
    equal = {bidder for group in facts_of(session, panel)["ties"] for bidder in group}
    if set(tie_break) - equal or len(set(tie_break)) != len(tie_break):
        raise Invalid("report.tie_names", bidders=list(tie_break), equal=sorted(equal))


def signature_document(report: Report, seat: Seat, *, at: str, dissent: str = "") -> dict[str, Any]:
    """What a member signs under the kind ``report-signature``."""
    lot = report.panel.lot
    return {
        "v": 1,
        "at": at,
        "tender": lot.tender.ref,
        "lot": lot.no_text,
        "expert": panels.holder(seat),
        "report": report.hash,
        "dissent": dissent,
    }


def sign(work: UnitOfWork, report: Report, envelope: Any) -> ReportSignature:
    """A member signs the report, or dissents with reasons in the signed document (rule P-43).

    Refuses: NotAllowed, SignInNeeded, NotFound, WrongStep ``report.tie_open`` (after the report nobody could settle what it leaves equal),
    Conflict ``report.signed``, ``report.old``, Invalid ``report.bad_signature``.
    """
    work.require(Act.REPORT_SIGN)
    panel = report.panel
    work.lock(panel)
    seat = panels.own_seat(work, panel, "seated")
    if panel.state != "REVEALED" or report.round != panel.round:
        raise Conflict("report.old")
    if any(one.seat_id == seat.id for one in report.signatures):
        raise Conflict("report.signed")
    if equal := ties_open(report.facts):
        raise WrongStep("report.tie_open", bidders=equal)
    try:
        told = verify(envelope, SIGNATURE, panels.sign_key(work.session, seat))
        if told.keys() != _KEYS or not isinstance(told["dissent"], str) or len(told["dissent"]) > MOST_DISSENT:
            raise CryptoError("JSON_PROFILE", "other fields than those of a report signature")
        if told != signature_document(report, seat, at=told["at"], dissent=told["dissent"]):
            raise CryptoError("CONTEXT_MISMATCH", "of another report, lot or member")
    except CryptoError as error:
        raise Invalid("report.bad_signature", reason=error.code, detail=error.detail) from error
    statement = keep_document(work, SIGNATURE, envelope, signed=True)
    row = ReportSignature(statement=statement, dissent=told["dissent"].strip(), at=work.now)
    row.seat, row.seat_id = seat, seat.id
    report.signatures.append(row)
    report.version += 1
    work.session.flush()
    work.record("report.sign", panel.log_of, no=seat.no, report=report.hash, signature=statement, dissent=row.dissent)
    return row


# --- looking ----------------------------------------------------------------------------------------------------------------------


def find(session: Session, panel: Panel) -> Report | None:
    """The report of the panel's round."""
    return session.scalar(select(Report).where(Report.panel_id == panel.id, Report.round == panel.round))


def ties_open(facts: Mapping[str, Any]) -> list[str]:
    """Bidders a report leaves equal although its scheme has ties settled in the panel's room (rule E-07)."""
    return [bidder for group in facts["ties"] for bidder in group] if facts["tie_rule"] in SETTLED_BY_PANEL else []


def report(session: Session, panel: Panel) -> Report:
    """Refuses: NotFound ``report.not_yet``."""
    found = find(session, panel)
    if found is None:
        raise NotFound("report.not_yet", ref=panel.lot.ref)
    return found


def unsigned(report: Report) -> list[int]:
    """Places whose holders have neither signed nor dissented."""
    done = {one.seat_id for one in report.signatures}
    return [seat.no for seat in panels.seated(report.panel) if seat.id not in done]


def require_signed(report: Report, refusals: Mapping[int, str]) -> None:
    """Everybody has signed or dissented; who did neither needs a note of the panel and counts as consent (rule P-43).

    Refuses: TooEarly ``report.unsigned``, Invalid ``report.note_missing``."""
    left = unsigned(report)
    if missing := [no for no in left if no not in refusals]:
        raise TooEarly("report.unsigned", places=missing)
    if any(not note.strip() for note in refusals.values()) or set(refusals) - set(left):
        raise Invalid("report.note_missing", places=sorted(refusals))


def at(view: View) -> str:
    """The moment for a document signed now."""
    return write_moment(floor_second(view.now))
