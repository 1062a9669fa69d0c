"""The room: places by number, the chair's election, recusal, and the panel's conformity findings, bid by bid."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from evaluation.panels import panels, seating
from evaluation.scoring import reviews
from evaluation.scoring.reviews import Prompt
from trading.kernel.access import Act
from trading.kernel.errors import NotFound
from trading.kernel.money import Money
from trading.kernel.work import Look, UnitOfWork
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
from web.http.gate import look, render
from web.http.opened import hand_out
from web.http.refusals import language

MONEY_FACTS = {"price_minor", "ceiling_minor", "deposit_minor"}


@expert.page("/<ref>", needs=Act.SEAT_ANSWER)
def room(ref: str, form: Form | None = None) -> str:
    with look() as now:
        panel, seat = own_room(now, ref)
        card = room_card(now, ref)
        votes = {one.no: seating.votes_of(panel, one.no) for one in panels.seated(panel)}
        may_lead = {one.no: seating.may_lead(panel, one) for one in panels.seated(panel)}
        return render(
            "expert/room.html",
            form=form or Form.blank(),
            card=card,
            votes=votes,
            may_lead=may_lead,
            voted=seat.vote_no,
            rows=_rows(now, panel.lot, card.bids),
            mine=own_to_do(card),
            step_at=step_href(card),
            crumbs=room_crumbs(card),
            may_leave=panel.state == "SEATED",
        )


@expert.page("/<ref>/data", needs=Act.SEAT_ANSWER)
def data(ref: str) -> Response:
    """For a member's own program: see the head of web/desks/expert/desk.py."""
    with look() as now:
        own_room(now, ref)
        return jsonify(room_data(now, tenders.lot(now.session, ref)))


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
    with look() as now:
        panel, _seat = own_room(now, ref)
        card = room_card(now, ref)
        rows = _rows(now, panel.lot, card.bids)
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
            crumbs=room_crumbs(card, (_("Conformity"), "")),
        )


def _rows(now: Look, lot: Lot, bids: Any) -> list[dict[str, Any]]:
    """Bids with what the platform points out, in words, and how the panel voted."""
    panel = panels.panel(now.session, lot)
    found = reviews.standing(now.session, panel)
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
    with look() as now:
        own_room(now, ref)
        card = next((one for one in room_card(now, ref).bids if one.id == bid_id), None)
        if card is None or place >= len(card.files):
            raise NotFound("document.unknown", id=bid_id)
        return hand_out(
            now, reviews.bid_of(now.session, tenders.lot(now.session, ref), bid_id), place, card.files[place].name
        )


@expert.act("/<ref>/acts/conformity", needs=Act.REPORT_CONCLUDE, back=review)
def do_conformity(unit: UnitOfWork, form: Form, ref: str) -> str:
    bid, votes = form.whole("bid", least=1), form.whole("votes_for", least=0)
    clause, reason = form.text("clause", needed=False), form.text("reason", needed=False, limit=2000, lines=True)
    form.refuse_if_any()
    reviews.find_conformity(unit, panel_in(unit, ref), bid or 0, votes_for=votes or 0, clause=clause, reason=reason)
    return f"/expert/{ref}/review#bid-{bid}"


@expert.act("/<ref>/acts/fail", needs=Act.REPORT_CONCLUDE, back=review)
def do_fail(unit: UnitOfWork, form: Form, ref: str) -> str:
    reason = form.text("reason", limit=2000, lines=True)
    form.refuse_if_any()
    reviews.fail(unit, panel_in(unit, ref), reason=reason)
    return f"/expert/{ref}"
