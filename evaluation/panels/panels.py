"""Panels: asked for, drawn, answered, matched against the bidders (rules P-01 to P-06, P-12 to P-15, P-20 to P-22, P-40).

Law of the noun: experts come from the public draw alone and in its order, substitutes too; nobody at the centre sees a name before the
panel sits; who must avoid a bidder leaves, and what a replaced member gave is void and redone by the successor.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from fractions import Fraction

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from crypto.canonical import unb64u
from evaluation.methods.panel_rules import panel_allowed
from evaluation.panels import experts
from evaluation.panels.experts import Expert
from trading import draws
from trading.bidding import bids
from trading.draws import Draw
from trading.kernel.access import Act, Role
from trading.kernel.calendar import local_day
from trading.kernel.clock import write_moment
from trading.kernel.db import Base, Json, Moment, one_of
from trading.kernel.errors import Conflict, Faults, Invalid, NotAllowed, NotFound, TooEarly, WrongStep
from trading.kernel.flow import Flow, Step, state_check
from trading.kernel.work import UnitOfWork, View
from trading.opening import ceremony, technical
from trading.opening.ceremony import OpenedBid
from trading.parties import enrolments, parties
from trading.parties.parties import Account
from trading.procedures import procedure_of
from trading.tendering import planning
from trading.tendering.tenders import Lot

PANEL_FLOW = Flow(
    "panel",
    "FORMING",
    Step("call", "FORMING", "CALLED", Act.PANEL_DRAW),
    Step("convene", "CALLED", "SEATED", Act.PANEL_CONVENE),
    Step("reopen", "SEATED", "CALLED", Act.SEAT_ANSWER),
    Step("remove", ("SEATED", "LISTED", "REVEALED"), "CALLED", Act.PANEL_CONVENE),
    Step("list", "SEATED", "LISTED", Act.SHEET_COMMIT),
    Step("reveal", "LISTED", "REVEALED", Act.SHEET_REVEAL),
    Step("settle", "SEATED", "REVEALED", Act.REPORT_CONCLUDE),
    Step("recheck", ("SEATED", "LISTED", "REVEALED"), "SEATED", Act.REPORT_CONCLUDE),
    Step("conclude", ("SEATED", "REVEALED"), "CONCLUDED", Act.REPORT_CONCLUDE),
    Step("review_again", "CONCLUDED", "SEATED", Act.OBJECTION_ANSWER),
)
SEAT_STATES = ("called", "accepted", "declined", "silent", "recused", "avoided", "seated")
IN_PLAY = ("called", "accepted", "seated")
SEAT_KINDS = ("expert", "purchaser")


class Panel(Base):
    """``members``: seats in all, ``experts`` of them drawn. ``avoid``: ``[{code, name}]`` of units named in the request. ``round``: how
    many times the members have scored. ``competition``: why it went on although few bids were left (rule B-10). ``blind_salt``: orders
    the blind names, so that they say nothing of the order of bids."""

    __tablename__ = "panel"
    __table_args__ = (CheckConstraint(state_check(PANEL_FLOW), name="state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), unique=True)
    state: Mapped[str] = mapped_column(String(20), default=PANEL_FLOW.start)
    version: Mapped[int] = mapped_column(default=0)
    members: Mapped[int]
    experts: Mapped[int]
    specialties: Mapped[list[str]] = mapped_column(Json)
    region: Mapped[str] = mapped_column(String(40), default="")
    avoid: Mapped[list[dict[str, str]]] = mapped_column(Json)
    starts_at: Mapped[datetime] = mapped_column(Moment)
    place: Mapped[str] = mapped_column(String(200), default="")
    requested_at: Mapped[datetime] = mapped_column(Moment)
    draw_id: Mapped[int] = mapped_column(ForeignKey("draw.id"))
    seated_at: Mapped[datetime | None] = mapped_column(Moment)
    round: Mapped[int] = mapped_column(default=1)
    scoring: Mapped[bool] = mapped_column(default=False)  # somebody of this composition has committed a sheet
    listed_round: Mapped[int] = mapped_column(
        default=0
    )  # the newest round whose commitments were listed, or whose review was closed
    recheck: Mapped[str] = mapped_column(Text, default="")
    competition: Mapped[str] = mapped_column(Text, default="")
    blind_salt: Mapped[bytes] = mapped_column(LargeBinary)
    lot: Mapped[Lot] = relationship(lazy="joined")
    draw: Mapped[Draw] = relationship(lazy="joined")
    seats: Mapped[list[Seat]] = relationship(order_by="Seat.id", lazy="selectin")

    @property
    def log_of(self) -> str:
        return self.lot.log_of


class Seat(Base):
    """Place ``no`` of a panel as one person held it. ``position``: the place in the drawn order (an expert's only). ``declared_at``: when
    the person declared to be free of conflicts. A place that was given up has a further row for the successor."""

    __tablename__ = "seat"
    __table_args__ = (
        UniqueConstraint("panel_id", "account_id"),
        CheckConstraint(one_of("kind", SEAT_KINDS), name="kind"),
        CheckConstraint(one_of("state", SEAT_STATES), name="state"),
        Index(
            "ix_seat_in_play",
            "panel_id",
            "no",
            unique=True,
            sqlite_where=text(one_of("state", IN_PLAY)),
            postgresql_where=text(one_of("state", IN_PLAY)),
        ),
        Index(
            "ix_seat_chair", "panel_id", unique=True, sqlite_where=text("is_chair"), postgresql_where=text("is_chair")
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    panel_id: Mapped[int] = mapped_column(ForeignKey("panel.id"), index=True)
    no: Mapped[int]
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    expert_id: Mapped[int | None] = mapped_column(ForeignKey("expert.id"))
    kind: Mapped[str] = mapped_column(String(20))
    position: Mapped[int | None]
    state: Mapped[str] = mapped_column(String(20), default="called")
    is_chair: Mapped[bool] = mapped_column(default=False)
    vote_no: Mapped[int | None]
    reason: Mapped[str] = mapped_column(Text, default="")
    called_at: Mapped[datetime] = mapped_column(Moment)
    answered_at: Mapped[datetime | None] = mapped_column(Moment)
    declared_at: Mapped[datetime | None] = mapped_column(Moment)
    left_at: Mapped[datetime | None] = mapped_column(Moment)
    account: Mapped[Account] = relationship(lazy="joined")
    expert: Mapped[Expert | None] = relationship(lazy="joined")


# --- small rules ------------------------------------------------------------------------------------------------------------------

FORMS_IN = ("NOTICE", "BIDDING", "OPENING", "QUAL_REVIEW", "EVALUATION")
"""States of a lot in which a panel may be asked for."""
BLIND_NAMES = "松竹梅兰菊荷桂枫柳柏榆槐桃李杏枣"
"""Names of bids where the documents ask for a blind review, in the order of a secret salt; then with a number (rule P-47)."""


def of_lot(session: Session, lot: Lot) -> Panel | None:
    return session.scalar(select(Panel).where(Panel.lot_id == lot.id))


def panel(session: Session, lot: Lot) -> Panel:
    """Refuses: NotFound ``panel.none``."""
    found = of_lot(session, lot)
    if found is None:
        raise NotFound("panel.none", ref=lot.ref)
    return found


def in_play(panel: Panel) -> list[Seat]:
    """The seats as they are held now, by number."""
    return sorted((seat for seat in panel.seats if seat.state in IN_PLAY), key=lambda seat: seat.no)


def seated(panel: Panel) -> list[Seat]:
    """The members of a convened panel, by number."""
    return [seat for seat in in_play(panel) if seat.state == "seated"]


def find_own(view: View, panel: Panel) -> Seat | None:
    return next((seat for seat in in_play(panel) if seat.account_id == view.actor.account_id), None)


def own_seat(view: View, panel: Panel, *states: str) -> Seat:
    """The tie of a member: a seat one holds now, in one of the states. Refuses: NotFound ``panel.not_yours``, WrongStep."""
    found = find_own(view, panel)
    if found is None:
        raise NotFound("panel.not_yours")
    if states and found.state not in states:
        raise WrongStep("seat.wrong_step", state=found.state, from_states=list(states))
    return found


def find_chair(panel: Panel) -> Seat | None:
    return next((seat for seat in seated(panel) if seat.is_chair), None)


def require_chair(view: View, panel: Panel) -> Seat:
    """The tie of the chair. Refuses: NotFound (no member), NotAllowed ``panel.not_chair``."""
    found = own_seat(view, panel, "seated")
    if not found.is_chair:
        raise NotAllowed("panel.not_chair")
    return found


def holder(seat: Seat) -> str:
    """The member's name in signed documents: that of the enrolled key."""
    return enrolments.holder_of(seat.account, "expert")


def sign_key(session: Session, seat: Seat) -> bytes:
    """The member's Ed25519 public key. Refuses: NotFound ``key.not_enrolled``."""
    return enrolments.sign_bytes(enrolments.standing_key(session, holder(seat), "expert"))


def in_document_order(seats: Iterable[Seat]) -> list[Seat]:
    """Members in the order of commit lists: by their names' UTF-8 bytes (protocol §6)."""
    return sorted(seats, key=lambda seat: holder(seat).encode())


def units_of(lot: Lot) -> set[str]:
    """The codes of purchaser and agency: their people sit only as the purchaser's representatives (rule P-05)."""
    return {lot.project.purchaser.code} | ({lot.project.agency.code} if lot.project.agency else set())


def bidder_codes(session: Session, lot: Lot) -> set[str]:
    """Who bid, once the opening list is published; before that nobody (promise S1)."""
    if not ceremony.is_public(session, lot):
        return set()
    return {bid.party.code for bid in bids.standing_bids(session, lot)}


def matches(work: View, panel: Panel) -> list[Seat]:
    """Seats whose holders must avoid a bidder, or another unit of the request, by what is known now (rules P-20, P-21)."""
    bidders, named = bidder_codes(work.session, panel.lot), {one["code"] for one in panel.avoid} | units_of(panel.lot)
    found = []
    for seat in in_play(panel):
        person = seat.expert or experts.of_account(work.session, seat.account_id)
        codes = bidders | named if seat.kind == "expert" else bidders
        if seat.account.party.code in codes or (person and experts.avoidances(person, codes, local_day(work.now))):
            found.append(seat)
    return found


def blind_labels(panel: Panel, opened: Sequence[OpenedBid]) -> dict[int, str]:
    """bid id → blind name, in the order of a salted hash, so that the order of names says nothing of who bid."""
    ordered = sorted(opened, key=lambda bid: hashlib.sha256(panel.blind_salt + unb64u(bid.header_hash)).digest())
    names = [
        BLIND_NAMES[at % len(BLIND_NAMES)] + (str(at // len(BLIND_NAMES) + 1) if at >= len(BLIND_NAMES) else "")
        for at in range(len(ordered))
    ]
    return {bid.id: name for bid, name in zip(ordered, names, strict=True)}


# --- the request and the draw -----------------------------------------------------------------------------------------------------


def request(
    work: UnitOfWork,
    lot: Lot,
    *,
    members: int,
    specialties: Iterable[str],
    starts_at: datetime,
    experts_wanted: int | None = None,
    region: str = "",
    place: str = "",
    avoid: Iterable[dict[str, str]] = (),
    technically_complex: bool = False,
    large_social_impact: bool = False,
) -> Panel:
    """Ask for a panel and announce the public draw of its experts. ``experts_wanted`` of ``members`` are drawn (all, unless the purchaser
    sends representatives); ``avoid``: ``[{code, name}]`` of further units.

    Refuses: NotAllowed, WrongStep, Conflict ``panel.exists``, Invalid (composition, rules P-01, P-02; ``panel.pool_small``), and what
    ``draws.announce`` refuses.
    """
    work.require(Act.PANEL_DRAW)
    work.lock(lot)
    if lot.state not in FORMS_IN:
        raise WrongStep("panel.lot_state", state=lot.state, from_states=list(FORMS_IN))
    if of_lot(work.session, lot) is not None:
        raise Conflict("panel.exists", ref=lot.ref)
    wanted = members if experts_wanted is None else experts_wanted
    known = sorted({one.strip() for one in specialties if one.strip()})
    units = [{"code": str(one["code"]).strip(), "name": str(one.get("name", "")).strip()} for one in avoid]
    faults = Faults()
    rule = procedure_of(lot).panel
    least = rule.least(
        planning.book_of(lot, work.now),
        Fraction(lot.project.budget.minor, 100),
        complex=technically_complex,
        large_impact=large_social_impact,
    )
    if not panel_allowed(least, members=members, purchaser_reps=members - wanted, experts=wanted) or wanted > members:
        faults.add("members", "panel.composition", members=members, experts=wanted, least=least, rule=str(rule.members))
    if not known:
        faults.add("specialties", "form.required")
    if starts_at < work.now:
        faults.add("starts_at", "panel.starts_past", starts_at=starts_at, now=work.now)
    faults.refuse_if_any()
    codes = units_of(lot) | {one["code"] for one in units} | bidder_codes(work.session, lot)
    found = experts.pool(work.session, specialties=known, codes=codes, on=experts.today(work), region=region)
    if len(found) < wanted:
        raise Invalid("panel.pool_small", size=len(found), experts=wanted, rule="P-08")
    drawn = draws.announce(work, lot, label="experts", pool=[one.code for one in found], take=wanted)
    new = Panel(
        lot_id=lot.id,
        state=PANEL_FLOW.start,
        version=0,
        members=members,
        experts=wanted,
        specialties=known,
        region=region,
        avoid=units,
        starts_at=starts_at,
        place=place.strip(),
        requested_at=work.now,
        draw_id=drawn.id,
        round=1,
        scoring=False,
        listed_round=0,
        recheck="",
        blind_salt=secrets.token_bytes(32),
    )
    new.lot, new.draw = lot, drawn
    work.session.add(new)
    work.session.flush()
    work.record(
        "panel.request",
        lot.log_of,
        members=members,
        experts=wanted,
        specialties=known,
        starts_at=starts_at,
        avoid=[one["code"] for one in units],
    )
    return new


def name_representatives(work: UnitOfWork, panel: Panel, accounts: Iterable[Account]) -> list[Seat]:
    """The purchaser names its representatives: at most a third of the members, its own people with an expert's sign-in (rules P-01, P-05).

    Refuses: NotAllowed, NotFound (not this purchaser), WrongStep, Invalid (every person).
    """
    work.require(Act.DRAW_TAKE_PART)
    if work.actor.party_id != panel.lot.project.purchaser_id:
        raise NotFound("panel.none", ref=panel.lot.ref)
    work.lock(panel)
    if panel.state not in ("FORMING", "CALLED"):
        raise WrongStep("panel.wrong_step", state=panel.state, from_states=["FORMING", "CALLED"])
    people, taken = list(accounts), {seat.no for seat in in_play(panel)}
    free = [no for no in range(1, panel.members - panel.experts + 1) if no not in taken]
    faults = Faults()
    if len(people) > len(free):
        faults.add("accounts", "panel.too_many_representatives", most=len(free), rule="P-01")
    for at, person in enumerate(people):
        if person.party_id != panel.lot.project.purchaser_id or Role.EXPERT not in parties.roles_of(
            work.session, person
        ):
            faults.add(f"accounts.{at}", "panel.not_a_representative", username=person.username)
        if person.id in {seat.account_id for seat in panel.seats}:
            faults.add(f"accounts.{at}", "panel.person_twice", username=person.username)
    faults.refuse_if_any()
    return [_call(work, panel, person, no=no, kind="purchaser") for no, person in zip(free, people, strict=False)]


def call(work: UnitOfWork, panel: Panel) -> list[Seat]:
    """Once the draw is concluded: call the drawn experts, in the drawn order. Refuses: NotAllowed, WrongStep."""
    work.lock(panel)
    order = draws.order(panel.draw)
    PANEL_FLOW.take(work, panel, "call", draw=panel.draw.draw)
    first = panel.members - panel.experts + 1
    return [_call_expert(work, panel, order, position, no=first + position) for position in range(panel.experts)]


def _call_expert(work: UnitOfWork, panel: Panel, order: Sequence[int], position: int, *, no: int) -> Seat:
    expert = experts.by_code(work.session, panel.draw.pool[order[position]])
    return _call(work, panel, expert.account, no=no, kind="expert", expert=expert, position=position)


def _call(
    work: UnitOfWork,
    panel: Panel,
    person: Account,
    *,
    no: int,
    kind: str,
    expert: Expert | None = None,
    position: int | None = None,
) -> Seat:
    seat = Seat(
        no=no, kind=kind, position=position, state="called", is_chair=False, vote_no=None, reason="", called_at=work.now
    )
    seat.account, seat.expert, seat.account_id, seat.expert_id = (
        person,
        expert,
        person.id,
        expert.id if expert else None,
    )
    panel.seats.append(seat)
    panel.version += 1
    work.session.flush()
    work.record("seat.call", panel.log_of, no=no, kind=kind)
    work.send(
        f"panel/{panel.id}/{seat.id}",
        to=f"account:{person.id}",
        template="panel.called",
        starts_at=write_moment(panel.starts_at),
        place=panel.place,
    )  # time and place, never the project (rule P-12)
    return seat


def _call_next(work: UnitOfWork, panel: Panel, no: int) -> Seat | None:
    """The next of the drawn order, active and not to avoid anybody, for a place that came free; None when there is none left."""
    order = draws.order(panel.draw)
    used = {seat.position for seat in panel.seats}
    codes = units_of(panel.lot) | {one["code"] for one in panel.avoid} | bidder_codes(work.session, panel.lot)
    for position in range(len(order)):
        if position in used:
            continue
        expert = experts.by_code(work.session, panel.draw.pool[order[position]])
        if (
            expert.active
            and expert.account.disabled_at is None
            and not experts.avoidances(expert, codes, experts.today(work))
        ):
            return _call_expert(work, panel, order, position, no=no)
    return None


# --- answers and replacement ------------------------------------------------------------------------------------------------------


def answer(work: UnitOfWork, panel: Panel, *, accept: bool, no_conflict: bool = False, reason: str = "") -> Seat:
    """A called person takes the seat, declaring to have no tie that must be avoided, or declines; the next in order is called then.

    Refuses: NotAllowed, NotFound, WrongStep, Invalid ``seat.declare_first``.
    """
    work.require(Act.SEAT_ANSWER)
    work.lock(panel)
    seat = own_seat(work, panel, "called")
    if accept and not no_conflict:
        raise Invalid("seat.declare_first", rule="P-22")
    seat.answered_at, seat.reason = work.now, reason.strip()
    if accept:
        seat.state, seat.declared_at = "accepted", work.now
        panel.version += 1
        work.record("seat.accept", panel.log_of, no=seat.no)
    else:
        _leave(work, panel, seat, "declined", reason)
    return seat


def mark_silent(work: UnitOfWork, panel: Panel, no: int) -> None:
    """The centre notes that a called person gave no answer; the next in order is called. Refuses: NotAllowed, NotFound, WrongStep."""
    work.require(Act.PANEL_DRAW)
    work.lock(panel)
    seat = _seat(panel, no)
    if seat.state != "called":
        raise WrongStep("seat.wrong_step", state=seat.state, from_states=["called"])
    _leave(work, panel, seat, "silent", "")


def recuse(work: UnitOfWork, panel: Panel, *, reason: str) -> None:
    """A member who must avoid leaves of own accord; the successor redoes everything (rules P-22, P-30, P-31). Before the commitments of the
    round are listed by all; after that the chair orders a recheck first.

    Refuses: NotAllowed, NotFound, WrongStep, Invalid.
    """
    work.require(Act.SEAT_ANSWER)
    work.lock(panel)
    seat = own_seat(work, panel)
    if not reason.strip():
        raise Invalid("form.required", field="reason")
    _may_change(panel)
    if panel.state == "SEATED":
        _unseat(work, panel, "reopen")
    _leave(work, panel, seat, "recused", reason)


def remove_matched(work: UnitOfWork, panel: Panel) -> list[int]:
    """The centre takes out whoever must avoid a bidder, once the bidders are known, and calls the next in order; the places it freed.

    Refuses: NotAllowed, WrongStep, TooEarly ``panel.opening_first``.
    """
    work.require(Act.PANEL_CONVENE)
    work.lock(panel)
    if not ceremony.is_public(work.session, panel.lot):
        raise TooEarly("panel.opening_first")
    _may_change(panel, "LISTED", "REVEALED")
    found = matches(work, panel)
    if found:
        technical.refuse_fixed(work.session, panel.lot)
    if found and panel.state != "CALLED":
        _unseat(work, panel, "remove")
    for seat in found:
        _leave(work, panel, seat, "avoided", "P-20")
    return [seat.no for seat in found]


def remove(work: UnitOfWork, panel: Panel, no: int, *, reason: str) -> None:
    """The centre replaces a member who stays away, will not reveal, or was rightly objected to, with reasons (rules P-22, P-30). Once the
    commitments are listed all members score anew.

    Refuses: NotAllowed, NotFound, WrongStep, Invalid.
    """
    work.require(Act.PANEL_CONVENE)
    work.lock(panel)
    seat = _seat(panel, no)
    if not reason.strip():
        raise Invalid("form.required", field="reason")
    _may_change(panel, "LISTED", "REVEALED")
    technical.refuse_fixed(work.session, panel.lot)
    if panel.state != "CALLED":
        _unseat(work, panel, "remove")
    _leave(work, panel, seat, "avoided", reason)


def _may_change(panel: Panel, *more: str) -> None:
    if panel.state not in ("CALLED", "SEATED", *more):
        raise WrongStep("panel.wrong_step", state=panel.state, from_states=["CALLED", "SEATED", *more])


def _unseat(work: UnitOfWork, panel: Panel, step: str) -> None:
    """Back to forming; if the commitments were listed with the one who leaves, all score anew."""
    PANEL_FLOW.take(work, panel, step)
    for seat in seated(panel):
        seat.state, seat.vote_no = "accepted", None
    panel.seated_at, panel.scoring = None, False
    if panel.listed_round == panel.round:
        panel.round += 1


def _leave(work: UnitOfWork, panel: Panel, seat: Seat, state: str, reason: str) -> None:
    seat.state, seat.is_chair, seat.left_at, seat.reason = state, False, work.now, reason.strip()
    panel.version += 1
    work.session.flush()
    work.record(f"seat.{state}", panel.log_of, no=seat.no, reason=reason.strip())
    if seat.kind == "expert":
        _call_next(work, panel, seat.no)


def _seat(panel: Panel, no: int) -> Seat:
    found = next((seat for seat in in_play(panel) if seat.no == no), None)
    if found is None:
        raise NotFound("seat.unknown", no=no)
    return found
