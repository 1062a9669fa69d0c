"""The room: places by number, the chair's election, recusal, and the panel's conformity findings, bid by bid."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from evaluation.panels import panels, seating
from evaluation.scoring import reviews
from evaluation.scoring.reviews import Amounts, Prompt
from trading.kernel.access import Act
from trading.kernel.errors import NotFound
from trading.kernel.exact import written_exactly
from trading.kernel.money import Money
from trading.kernel.work import UnitOfWork, View
from trading.tendering import tenders
from trading.tendering.tenders import Lot
from web import words
from web.desks.expert.room import (
    expert,
    own_room,
    own_to_do,
    panel_in,
    room_card,
    room_crumbs,
    room_data,
    step_href,
    zone,
)
from web.http.forms import Form
from web.http.gate import reading, render
from web.http.opened import hand_out
from web.http.refusals import language
from web.words import formatting

MONEY_FACTS = {"price_minor", "ceiling_minor", "deposit_minor"}


@expert.page("/<ref>", needs=Act.SEAT_ANSWER)
def room(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        panel, seat = own_room(view, ref)
        card = room_card(view, ref)
        votes = {one.no: seating.votes_of(panel, one.no) for one in panels.seated(panel)}
        may_lead = {one.no: seating.may_lead(panel, one) for one in panels.seated(panel)}
        return render(
            "expert/room.html",
            form=form or Form.blank(),
            card=card,
            votes=votes,
            may_lead=may_lead,
            voted=seat.vote_no,
            rows=_rows(view, panel.lot, card.bids),
            mine=own_to_do(card),
            step_at=step_href(card),
            crumbs=room_crumbs(card),
            may_leave=panel.state == "SEATED",
        )


@expert.page("/<ref>/data", needs=Act.SEAT_ANSWER)
def data(ref: str) -> Response:
    """For a member's own program: see the head of web/desks/expert/desk.py."""
    with reading() as view:
        own_room(view, ref)
        return jsonify(room_data(view, tenders.lot(view.session, ref)))


@expert.act("/<ref>/acts/vote", needs=Act.SEAT_ANSWER, back=room)
def do_vote(unit: UnitOfWork, form: Form, ref: str) -> str:
    no = form.whole("no", least=1)
    form.refuse_if_any()
    seating.vote_chair(unit, panel_in(unit, ref), no or 0)
    return f"/expert/{ref}"


@expert.act("/<ref>/acts/recuse", needs=Act.SEAT_ANSWER, back=room)
def do_recuse(unit: UnitOfWork, form: Form, ref: str) -> str:
    reason = form.text("reason", limit=1000, lines=True)
    form.refuse_if_any()
    panels.recuse(unit, panel_in(unit, ref), reason=reason)
    return "/expert"


# --- conformity -------------------------------------------------------------------------------------------------------------------


@expert.page("/<ref>/review", needs=Act.SEAT_ANSWER)
def review(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        panel, _seat = own_room(view, ref)
        card = room_card(view, ref)
        rows = _rows(view, panel.lot, card.bids)
        left = sum(row["bid"].finding is None for row in rows)
        passed = sum(bool(row["bid"].finding) for row in rows)
        least = reviews.least(panel.lot)
        running = (
            panel.state == "SEATED"
            and not panel.scoring
            and panel.lot.state == "EVALUATION"
            and panels.find_chair(panel) is not None
        )
        return render(
            "expert/review.html",
            form=form or Form.blank(),
            card=card,
            rows=rows,
            left=left,
            passed=passed,
            least=least,
            members=panel.members,
            running=running,
            few=running and not left and passed < least,
            wants_word=running and not left and reviews.wants_word(view.session, panel),
            competition=panel.competition,
            adjustments=(panel.lot.scheme or {}).get("adjustments", ""),
            crumbs=room_crumbs(card, (_("Conformity"), "")),
        )


MOST_CHANGED = 10**12
"""Yuan: no more than this may be added to a price or taken off it."""


def read_amounts(form: Form) -> Amounts:
    """What the panel changes of a price, as typed in yuan with a sign; nothing where the fields are not there."""

    def fen(name: str) -> int:
        typed = form.number(name, needed=False, least=-MOST_CHANGED, most=MOST_CHANGED) or Fraction(0)
        if (typed * 100).denominator != 1:
            form.fault(name, "form.bad_number")
            return 0
        return int(typed * 100)

    return Amounts(fen("arithmetic"), fen("adjustment"))


def amounts_typed(amounts: Amounts, **others: Any) -> dict[str, Any]:
    """The first values of those fields, and of the others of their form."""
    told = {"arithmetic": amounts.arithmetic, "adjustment": amounts.adjustment}
    return others | {name: written_exactly(Fraction(value, 100)) for name, value in told.items() if value}


def signed_money(minor: int) -> str:
    """An amount with its sign: ``−20,000.00``."""
    return f"{'−' if minor < 0 else '+' if minor else ''}{formatting.figure(Money(abs(minor)))}"


@expert.blueprint.context_processor
def _for_templates() -> dict[str, Any]:
    return {"amounts_typed": amounts_typed, "signed_money": signed_money, "money_of": Money}


def _rows(view: View, lot: Lot, bids: Any) -> list[dict[str, Any]]:
    """Bids with what the platform points out, in words, and how the panel voted."""
    panel = panels.panel(view.session, lot)
    found = reviews.standing(view.session, panel)
    return [
        {
            "bid": bid,
            "said": [prompt_words(lot, one) for one in bid.prompts],
            "votes": (found[bid.id].votes_for, found[bid.id].votes_against) if bid.id in found else None,
        }
        for bid in bids
    ]


def prompt_words(lot: Lot, prompt: Prompt) -> str:
    facts = {key: Money(value, lot.currency) if key in MONEY_FACTS else value for key, value in prompt.facts.items()}
    facts |= {key.removesuffix("_minor"): facts[key] for key in MONEY_FACTS & facts.keys()}
    return words.words(prompt.code, facts | {"rule": prompt.rule}, language(), zone())


@expert.page("/<ref>/files/<int:bid_id>/<int:place>", needs=Act.SEAT_ANSWER)
def take_file(ref: str, bid_id: int, place: int) -> AnyResponse:
    """A file of an opened bid, for the panel alone. It is a stranger's: handed out to be saved, never shown as a page of ours; in a blind
    review under a number instead of its name."""
    with reading() as view:
        own_room(view, ref)
        card = next((one for one in room_card(view, ref).bids if one.id == bid_id), None)
        if card is None or place >= len(card.files):
            raise NotFound("document.unknown", id=bid_id)
        return hand_out(
            view, reviews.bid_of(view.session, tenders.lot(view.session, ref), bid_id), place, card.files[place].name
        )


@expert.act("/<ref>/acts/conformity", needs=Act.REPORT_CONCLUDE, back=review)
def do_conformity(unit: UnitOfWork, form: Form, ref: str) -> str:
    bid, votes = form.whole("bid", least=1), form.whole("votes_for", least=0)
    clause, reason = form.text("clause", needed=False), form.text("reason", needed=False, limit=2000, lines=True)
    amounts = read_amounts(form)
    form.refuse_if_any()
    panel = panel_in(unit, ref)
    reviews.find_conformity(unit, panel, bid or 0, votes_for=votes or 0, clause=clause, reason=reason, amounts=amounts)
    return f"/expert/{ref}/review#bid-{bid}"


@expert.act("/<ref>/acts/competition", needs=Act.REPORT_CONCLUDE, back=review)
def do_judge_competition(unit: UnitOfWork, form: Form, ref: str) -> str:
    votes, reason = form.whole("votes_for", least=0), form.text("reason", limit=2000, lines=True)
    form.refuse_if_any()
    reviews.judge_competition(unit, panel_in(unit, ref), votes_for=votes or 0, reason=reason)
    return f"/expert/{ref}/review"


@expert.act("/<ref>/acts/fail", needs=Act.REPORT_CONCLUDE, back=review)
def do_fail(unit: UnitOfWork, form: Form, ref: str) -> str:
    reason = form.text("reason", limit=2000, lines=True)
    form.refuse_if_any()
    reviews.fail(unit, panel_in(unit, ref), reason=reason)
    return f"/expert/{ref}"
