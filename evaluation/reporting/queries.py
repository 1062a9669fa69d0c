"""Cards of an evaluation for pages: the expert's room, the centre, the supervisor, and the outcome once it may be shown.

What isn't on a card can't leak: the centre's cards have no names before the result and no scores before the conclusion, an expert's cards
no other member's scores before all are revealed, a blind review no bidder's name and no price (rules P-13, P-44, P-46, P-47).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from crypto.keys import kid
from evaluation.methods import registry
from evaluation.methods.declared import BY_PRICE, EvaluationMethod
from evaluation.methods.inputs import Criterion, given
from evaluation.methods.panel_rules import panel_allowed
from evaluation.methods.points import objective_mismatches
from evaluation.panels import experts, panels
from evaluation.panels.panels import Panel, Seat
from evaluation.reporting import report
from evaluation.scoring import flags, outcome, price_review, reviews, schemes, sheet_rows, sheets
from evaluation.scoring.reviews import Prompt
from trading import draws
from trading.kernel.access import Act, Role
from trading.kernel.errors import NotFound
from trading.kernel.money import Money
from trading.kernel.work import View
from trading.opening import ceremony, technical
from trading.opening.ceremony import OpenedBid
from trading.tendering.tenders import Lot

NAMED_FROM = ("RESULT", "CONTRACT", "FILING", "CLOSING", "ARCHIVED")
"""States of a lot from which on the members' names are public (rule P-44)."""
PUBLIC_FROM = ("CANDIDATES", "AWARD", *NAMED_FROM)
"""States from which on the score table may be shown to everybody where the candidates are published first; elsewhere from the result on."""


@dataclass(frozen=True)
class SeatCard:
    """A place by number only. ``state``: how it is held; ``progress``: nothing, committed, listed, revealed, signed or dissented."""

    no: int
    kind: str
    state: str
    is_chair: bool
    progress: str
    name: str = ""


@dataclass(frozen=True)
class DrawCard:
    """The draw as the public may see it: no names, positions only."""

    name: str
    state: str
    size: int
    take: int
    pool_hash: str
    picks: tuple[int, ...]
    parties: tuple[tuple[str, bool, bool], ...]
    """(party, committed, revealed)"""


@dataclass(frozen=True)
class CalledCard:
    """One call of the drawn order and what came of it. ``no``: the place; ``position``: the place in the drawn order, None for a
    representative."""

    no: int
    position: int | None
    kind: str
    state: str
    called_at: datetime
    answered_at: datetime | None


@dataclass(frozen=True)
class PanelCard:
    """A panel for the centre and the supervisor: the draw, the calls, states of places; no scores, no names before the result."""

    lot: str
    title: str
    state: str
    version: int
    members: int
    experts: int
    specialties: tuple[str, ...]
    avoid: tuple[str, ...]
    starts_at: datetime
    place: str
    requested_at: datetime
    round: int
    draw: DrawCard
    seats: tuple[SeatCard, ...]
    calls: tuple[CalledCard, ...]
    missing: tuple[int, ...]
    must_avoid: tuple[int, ...]
    lawful: bool
    shown_state: str
    """As ``state``, but where nothing is scored no sheets were revealed: the review is closed (``SETTLED``)."""


@dataclass(frozen=True)
class FileCard:
    """A file of an opened bid: untrusted content, named by its blob."""

    name: str
    size: int
    type: str
    blob: str


@dataclass(frozen=True)
class BidCard:
    """A bid as a member sees it. ``name``: what it is called in sheets (blind name or bidder's code); ``bidder`` and ``price`` are empty
    in a blind review. ``finding``: None while the panel has not voted."""

    id: int
    name: str
    bidder: str
    price: Money | None
    announce: tuple[tuple[str, str], ...]
    files: tuple[FileCard, ...]
    finding: bool | None
    clause: str
    reason: str
    prompts: tuple[Prompt, ...]
    amounts: reviews.Amounts = reviews.NOTHING
    """What the panel changed of the price."""
    offer: PriceCard | None = None
    """The opened price envelope, where a bid has two."""


@dataclass(frozen=True)
class PriceCard:
    """An opened price envelope as a member sees it; ``id`` addresses the panel's finding on it."""

    id: int
    announce: tuple[tuple[str, str], ...]
    files: tuple[FileCard, ...]
    finding: bool | None
    clause: str
    reason: str
    prompts: tuple[Prompt, ...]
    amounts: reviews.Amounts = reviews.NOTHING


@dataclass(frozen=True)
class CellCard:
    """After the reveal: what every member gave for one bid and criterion. ``points``: (place, points)."""

    bid: str
    criterion: str
    kind: str
    points: tuple[tuple[int, str], ...]
    differs: bool
    outliers: tuple[int, ...]


@dataclass(frozen=True)
class RoomCard:
    """The room of one member: the own next step, places by number, bids, criteria; others' scores only once all are revealed."""

    lot: str
    title: str
    lot_state: str
    panel_state: str
    round: int
    recheck: str
    seat: SeatCard
    seats: tuple[SeatCard, ...]
    next_step: str
    blind: bool
    criteria: tuple[Criterion, ...]
    bids: tuple[BidCard, ...]
    committed_at: datetime | None
    sheet: dict[str, Any] | None
    """The own revealed sheet of this round."""
    listing: dict[str, Any] | None
    cells: tuple[CellCard, ...]
    report_hash: str
    report_facts: dict[str, Any] | None
    two_envelopes: bool = False
    has_blind_names: bool = False
    """Whether bids have blind names in sheets; ``blind`` says whether nothing else is shown of them now."""
    method: EvaluationMethod | None = None
    shown_state: str = ""

    @property
    def scored(self) -> bool:
        """Whether members give points; if not, the panel's findings and the prices alone rank."""
        return any(one.kind != "price" for one in self.criteria)


@dataclass(frozen=True)
class CallCard:
    """What a called person may know: time and place, never the project (rule P-12). ``panel_id`` addresses the answer."""

    panel_id: int
    no: int
    state: str
    starts_at: datetime
    place: str
    called_at: datetime


@dataclass(frozen=True)
class ExpertCard:
    """An expert for the library's keeper."""

    code: str
    name: str
    unit: str
    specialties: tuple[str, ...]
    region: str
    active: bool
    version: int
    ties: tuple[tuple[str, str, str, str, str], ...]
    """(code, name, kind, since, until)"""


# --- the centre and the supervisor ------------------------------------------------------------------------------------------------


def panel_card(view: View, lot: Lot) -> PanelCard:
    """For the centre and the supervisor. Refuses: NotAllowed, NotFound ``panel.none``."""
    if view.actor.role not in (Role.CENTRE, Role.SUPERVISOR):
        view.require(Act.PANEL_DRAW)
    panel = panels.panel(view.session, lot)
    held, handed = panels.in_play(panel), _held(view, panel)
    calls = tuple(
        CalledCard(seat.no, seat.position, seat.kind, seat.state, seat.called_at, seat.answered_at)
        for seat in panel.seats
    )
    return PanelCard(
        lot=lot.ref,
        title=lot.name,
        state=panel.state,
        version=panel.version,
        members=panel.members,
        experts=panel.experts,
        specialties=tuple(panel.specialties),
        avoid=tuple(one["name"] or one["code"] for one in panel.avoid),
        starts_at=panel.starts_at,
        place=panel.place,
        requested_at=panel.requested_at,
        round=panel.round,
        draw=_draw(panel),
        seats=tuple(_seat(view, panel, seat, named=lot.state in NAMED_FROM, held=handed) for seat in held),
        calls=calls,
        missing=tuple(sorted(set(range(1, panel.members + 1)) - {seat.no for seat in held})),
        must_avoid=tuple(seat.no for seat in panels.matches(view, panel)),
        lawful=panel_allowed(
            1, members=panel.members, purchaser_reps=panel.members - panel.experts, experts=panel.experts
        ),
        shown_state=_shown_state(panel),
    )


def _shown_state(panel: Panel) -> str:
    method = schemes.method_of(panel.lot.scheme)
    unscored = method is not None and method.ranks_by == BY_PRICE
    return "SETTLED" if unscored and panel.state == "REVEALED" else panel.state


def unseated(view: View) -> list[tuple[Lot, Panel | None]]:
    """Lots whose review has no panel sitting yet: not asked for (from the opening on), being drawn, being called; by the hour of opening.
    Refuses: NotAllowed."""
    view.require(Act.PANEL_DRAW)
    rows = view.session.scalars(select(Lot).where(Lot.state.in_(panels.FORMS_IN)).order_by(Lot.opens_at, Lot.id)).all()
    held = {
        one.lot_id: one for one in view.session.scalars(select(Panel).where(Panel.lot_id.in_([lot.id for lot in rows])))
    }
    found = [(lot, held.get(lot.id)) for lot in rows]
    return [
        (lot, one)
        for lot, one in found
        if (one is None and lot.state not in ("NOTICE", "BIDDING"))
        or (one is not None and one.state in ("FORMING", "CALLED"))
    ]


def _draw(panel: Panel) -> DrawCard:
    row = panel.draw
    turns = {turn.party: turn for turn in row.turns}
    return DrawCard(
        row.draw,
        row.state,
        row.notice["size"],
        row.notice["take"],
        row.notice["pool"],
        tuple(draws.picks(row)) if row.state == "DRAWN" else (),
        tuple((name, name in turns, name in turns and bool(turns[name].r)) for name in draws.PARTIES),
    )


def _seat(view: View, panel: Panel, seat: Seat, *, named: bool = False, held: _Held | None = None) -> SeatCard:
    return SeatCard(
        seat.no,
        seat.kind,
        seat.state,
        seat.is_chair,
        progress(view, panel, seat, held),
        seat.account.name if named else "",
    )


@dataclass(frozen=True)
class _Held:
    """What the members of a panel have handed in, read once for all of them."""

    report: report.Report | None
    revealed: frozenset[int]
    listed: sheet_rows.SheetList | None
    committed: frozenset[int]


def _held(view: View, panel: Panel) -> _Held:
    return _Held(
        report.find(view.session, panel),
        frozenset(sheet.seat_id for sheet in sheets.revealed(view.session, panel)),
        sheets.find_list(view.session, panel),
        frozenset(sheets.commits_of(view.session, panel)),
    )


def progress(view: View, panel: Panel, seat: Seat, held: _Held | None = None) -> str:
    """How far a member is, without any score."""
    held = held or _held(view, panel)
    signed = next((one for one in held.report.signatures if one.seat_id == seat.id), None) if held.report else None
    if signed is not None:
        return "dissented" if signed.dissent else "signed"
    if seat.id in held.revealed:
        return "revealed"
    if held.listed is not None and panel.state in ("SEATED", "LISTED") and _has_signed(view, held.listed.listing, seat):
        return "listed"
    return "committed" if seat.id in held.committed else ""


def _has_signed(view: View, listing: dict[str, Any], seat: Seat) -> bool:
    return any(one["keyid"] == kid("ed25519", panels.sign_key(view.session, seat)) for one in listing["signatures"])


def expert_cards(view: View) -> list[ExpertCard]:
    """The library, by code. Refuses: NotAllowed."""
    view.require(Act.EXPERT_REGISTER)
    rows = view.session.scalars(select(experts.Expert).order_by(experts.Expert.code))
    return [
        ExpertCard(
            one.code,
            one.account.name,
            one.unit,
            tuple(one.specialties),
            one.region,
            one.active,
            one.version,
            tuple(
                (tie.code, tie.name, tie.kind, tie.since.isoformat(), tie.until.isoformat() if tie.until else "")
                for tie in one.ties
            ),
        )
        for one in rows
    ]


# --- the expert -------------------------------------------------------------------------------------------------------------------


def own_calls(view: View) -> list[CallCard]:
    """Calls that wait for this person's answer, or were accepted and wait for the panel to sit. Refuses: NotAllowed."""
    view.require(Act.SEAT_ANSWER)
    query = (
        select(Panel, Seat)
        .join(Seat, Seat.panel_id == Panel.id)
        .where(Seat.account_id == view.actor.account_id, Seat.state.in_(("called", "accepted")))
    )
    return [
        CallCard(panel.id, seat.no, seat.state, panel.starts_at, panel.place, seat.called_at)
        for panel, seat in view.session.execute(query.order_by(Seat.id))
    ]


def own_panel(view: View, panel_id: int) -> Panel:
    """A panel this person is called to or sits on. Refuses: NotFound."""
    found = view.session.get(Panel, panel_id)
    if found is None or panels.find_own(view, found) is None:
        raise NotFound("panel.not_yours")
    return found


def own_rooms(view: View) -> list[str]:
    """References of lots on whose panel this person sits, newest first. Refuses: NotAllowed."""
    view.require(Act.SEAT_ANSWER)
    query = (
        select(Lot.ref)
        .join(Panel, Panel.lot_id == Lot.id)
        .join(Seat, Seat.panel_id == Panel.id)
        .where(Seat.account_id == view.actor.account_id, Seat.state == "seated")
    )
    return list(view.session.scalars(query.order_by(Panel.id.desc())))


def room(view: View, lot: Lot) -> RoomCard:
    """The evaluation room of a seated member. Refuses: NotAllowed, NotFound (no member), WrongStep (not seated)."""
    view.require(Act.SEAT_ANSWER)
    panel = panels.panel(view.session, lot)
    seat = panels.own_seat(view, panel, "seated")
    scheme, blind = schemes.of_lot(lot), _is_blind(panel)
    over = panel.state in ("REVEALED", "CONCLUDED")
    all_revealed = over and bool(scheme.scored) and bool(sheets.revealed(view.session, panel))
    held = sheets.commits_of(view.session, panel).get(seat.id)
    own = next((sheet for sheet in sheets.revealed(view.session, panel) if sheet.seat_id == seat.id), None)
    handed = _held(view, panel)
    listed, row = handed.listed, handed.report
    return RoomCard(
        lot=lot.ref,
        title=lot.title,
        lot_state=lot.state,
        panel_state=panel.state,
        round=panel.round,
        recheck=panel.recheck,
        seat=_seat(view, panel, seat, held=handed),
        seats=tuple(_seat(view, panel, one, held=handed) for one in panels.seated(panel)),
        next_step=next_step(view, panel, seat),
        blind=blind,
        criteria=scheme.criteria,
        bids=_bids(view, panel, blind=blind),
        committed_at=held.at if held else None,
        sheet=sheets.content(view.session, own) if own else None,
        listing=listed.listing if listed else None,
        cells=cells(view, panel) if all_revealed else (),
        report_hash=row.hash if row else "",
        report_facts=row.facts if row and (all_revealed or (over and not scheme.scored)) else None,
        two_envelopes=lot.two_envelopes,
        has_blind_names=scheme.blind,
        method=registry.method(scheme.method),
        shown_state=_shown_state(panel),
    )


def _is_blind(panel: Panel) -> bool:
    """Whether names and prices are kept from the members now: until all sheets are revealed, and while they score anew (rule P-47)."""
    return schemes.of_lot(panel.lot).blind and panel.state not in ("REVEALED", "CONCLUDED")


def next_step(view: View, panel: Panel, seat: Seat) -> str:
    """What this member should do now, as one word: wait_qualification, elect, conform, wait_conform, commit, wait_commit, list, sign_list,
    wait_list, reveal, wait_reveal, fix, wait_fix, wait_prices, conform_prices,
    wait_conform_prices, recheck, wait_recheck, draw_up, wait_report, sign, wait_sign, conclude, done."""
    if panel.state == "CONCLUDED":
        return "done"
    if panel.lot.state != "EVALUATION":
        return "wait_qualification"
    if panels.find_chair(panel) is None:
        return "elect"
    return _scoring_step(view, panel, seat) if panel.state in ("SEATED", "LISTED") else _report_step(view, panel, seat)


def _scoring_step(view: View, panel: Panel, seat: Seat) -> str:
    if reviews.waiting(view.session, panel) or reviews.is_word_missing(view.session, panel):
        return "conform" if seat.is_chair else "wait_conform"
    if not schemes.of_lot(panel.lot).scored:
        return _unscored_step(view, panel, seat)
    mine, listed = progress(view, panel, seat), sheets.find_list(view.session, panel)
    if panel.state == "LISTED":
        return "wait_reveal" if mine == "revealed" else "reveal"
    if listed is not None:
        return "wait_list" if mine == "listed" else "sign_list"
    if not mine:
        return "commit"
    done = sheets.commits_of(view.session, panel)
    return "list" if all(one.id in done for one in panels.seated(panel)) else "wait_commit"


def _unscored_step(view: View, panel: Panel, seat: Seat) -> str:
    """Nothing is scored: the findings are followed by the report, of two envelopes by the technical result. Too few conforming bids are the
    chair's to tell on the page of the review."""
    if len(reviews.valid_bids(view.session, panel)) < reviews.least(panel.lot):
        return "conform" if seat.is_chair else "wait_conform"
    if panel.lot.two_envelopes:
        return "fix" if seat.is_chair else "wait_fix"
    return "draw_up" if seat.is_chair else "wait_report"


def _report_step(view: View, panel: Panel, seat: Seat) -> str:
    row = report.find(view.session, panel)
    if (
        row is None
        and schemes.of_lot(panel.lot).scored
        and objective_mismatches(report.gather_scores(view.session, panel))
    ):
        return "recheck" if seat.is_chair else "wait_recheck"  # nothing goes on before (rule E-01e)
    if row is None and panel.lot.two_envelopes and (step := _prices_step(view, panel, seat)):
        return step
    if row is None or report.ties_open(row.facts):
        return "draw_up" if seat.is_chair else "wait_report"
    if seat.no in report.unsigned(row):
        return "sign"
    return "conclude" if seat.is_chair and not report.unsigned(row) else "wait_sign"


def _prices_step(view: View, panel: Panel, seat: Seat) -> str:
    """Between the scores of two-envelope bids and their ranking: the technical result is fixed, the prices opened and reviewed."""
    if technical.find(view.session, panel.lot) is None:
        return "fix" if seat.is_chair else "wait_fix"
    if not price_review.are_open(view.session, panel.lot):
        return "wait_prices"
    if price_review.waiting(view.session, panel):
        return "conform_prices" if seat.is_chair else "wait_conform_prices"
    return ""


def _offer(view: View, panel: Panel, price: OpenedBid | None, noticed: dict[int, list[Prompt]]) -> PriceCard | None:
    if price is None or not panel.lot.two_envelopes:
        return None
    finding = reviews.findings(view.session, panel.lot, price_review.STAGE).get(price.id)
    return PriceCard(
        price.id,
        tuple(sorted(price.announce.items())),
        tuple(FileCard(one["name"], one["size"], one["type"], one["blob"]) for one in price.files),
        None if finding is None else finding.ok,
        finding.clause if finding else "",
        finding.reason if finding else "",
        tuple(noticed[price.id]),
        _amounts(finding),
    )


def _amounts(finding: reviews.Finding | None) -> reviews.Amounts:
    return reviews.Amounts(finding.arithmetic_minor, finding.adjustment_minor) if finding else reviews.NOTHING


def _bids(view: View, panel: Panel, *, blind: bool) -> tuple[BidCard, ...]:
    if not ceremony.is_public(view.session, panel.lot) or panel.lot.state in ("OPENING", "QUAL_REVIEW"):
        return ()
    found, noticed = reviews.standing(view.session, panel), reviews.prompts(view.session, panel.lot)
    qualified = reviews.qualified(view.session, panel.lot)
    named_blind = schemes.of_lot(panel.lot).blind
    labels = panels.blind_labels(panel, qualified) if named_blind else {bid.id: bid.party.code for bid in qualified}
    cards, priced = [], price_review.prices(view.session, panel.lot)
    for bid in qualified:
        finding, offered = found.get(bid.id), priced.get(bid.party_id)
        price = None
        if offered is not None and offered.price_minor is not None and (panel.lot.two_envelopes or not blind):
            price = Money(offered.price_minor, panel.lot.currency)
        cards.append(
            BidCard(
                id=bid.id,
                name=labels[bid.id],
                bidder="" if blind else bid.party.name,
                price=price,
                announce=() if blind else tuple(sorted(bid.announce.items())),
                files=tuple(
                    FileCard(f"{at + 1}" if blind else one["name"], one["size"], one["type"], one["blob"])
                    for at, one in enumerate(bid.files)
                ),
                finding=None if finding is None else finding.ok,
                clause=finding.clause if finding else "",
                reason=finding.reason if finding else "",
                prompts=() if blind else tuple(noticed[bid.id]),
                amounts=_amounts(finding),
                offer=_offer(view, panel, offered, noticed),
            )
        )
    return tuple(sorted(cards, key=lambda card: card.name))


def cells(view: View, panel: Panel) -> tuple[CellCard, ...]:
    """The dispersion table of the revealed sheets, with mismatches of objective items and outliers as prompts (rules E-32, E-38).

    Refuses: WrongStep ``sheet.not_revealed``.
    """
    inputs = report.gather_scores(view.session, panel)
    named = {bid.party.code: name for name, bid in sheets.names_of(view.session, panel).items()}
    flagged: dict[tuple[str, str], list[int]] = {}
    for one in flags.flags(inputs, priced=False):
        flagged.setdefault((one.bidder, one.criterion), []).append(one.seat)
    differing = {(one["bidder"], one["criterion"]) for one in objective_mismatches(inputs)}
    found = []
    for bid in inputs.valid:
        for criterion in inputs.scheme.scored:
            key = (bid.bidder, criterion.id)
            scores = given(inputs, criterion, bid.bidder)
            found.append(
                CellCard(
                    named[bid.bidder],
                    criterion.id,
                    criterion.kind,
                    tuple((int(no), outcome.plain_points(points)) for no, points in scores.items()),
                    key in differing,
                    tuple(flagged.get(key, ())),
                )
            )
    return tuple(sorted(found, key=lambda cell: cell.bid))
