"""Between the scores and the ranking of two-envelope bids: the chair fixes the technical result, the prices are opened in the hall, the
panel finds on each of them (protocol §5)."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from evaluation.reporting import conclusion
from evaluation.scoring import price_review, reviews
from trading.kernel.access import Act
from trading.kernel.errors import NotFound
from trading.kernel.work import UnitOfWork
from trading.opening import technical
from trading.tendering import tenders
from web.desks.expert.room import expert, own_room, panel_in, room_card, room_crumbs
from web.desks.expert.seat import prompt_words, read_amounts
from web.http.forms import Form
from web.http.gate import reading, render
from web.http.opened import hand_out


@expert.page("/<ref>/prices", needs=Act.SEAT_ANSWER)
def prices(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        panel, _seat = own_room(view, ref)
        if not panel.lot.two_envelopes:
            raise NotFound("technical.one_envelope", ref=ref)
        card = room_card(view, ref)
        fixed = technical.find(view.session, panel.lot)
        found = reviews.findings(view.session, panel.lot, price_review.STAGE)
        rows: list[dict[str, Any]] = [
            {
                "bid": bid,
                "offer": bid.offer,
                "said": [prompt_words(panel.lot, one) for one in bid.offer.prompts],
                "votes": (found[bid.offer.id].votes_for, found[bid.offer.id].votes_against)
                if bid.offer.id in found
                else None,
            }
            for bid in card.bids
            if bid.offer is not None
        ]
        left, passed = (
            sum(row["offer"].finding is None for row in rows),
            sum(bool(row["offer"].finding) for row in rows),
        )
        is_open = price_review.are_open(view.session, panel.lot)
        running = is_open and panel.state == "REVEALED"
        least = reviews.least(panel.lot)
        shown = {
            "fixed_at": fixed.at if fixed else None,
            "passed": len(fixed.passed) if fixed else 0,
            "rejected": len(fixed.rejected) if fixed else 0,
        }
        return render(
            "expert/prices.html",
            form=form or Form.blank(),
            card=card,
            rows=rows,
            left=left,
            standing=passed,
            least=least,
            members=panel.members,
            running=running,
            is_open=is_open,
            few=running and not left and passed < least,
            **shown,
            crumbs=room_crumbs(card, (_("Technical result and prices"), "")),
        )


@expert.act("/<ref>/acts/fix-technical", needs=Act.REPORT_CONCLUDE, back=prices)
def do_fix(unit: UnitOfWork, _form: Form, ref: str) -> str:
    conclusion.fix_technical(unit, panel_in(unit, ref).lot)
    return f"/expert/{ref}/prices"


@expert.act("/<ref>/acts/price", needs=Act.REPORT_CONCLUDE, back=prices)
def do_price(unit: UnitOfWork, form: Form, ref: str) -> str:
    bid, votes = form.whole("bid", least=1), form.whole("votes_for", least=0)
    clause, reason = form.text("clause", needed=False), form.text("reason", needed=False, limit=2000, lines=True)
    amounts = read_amounts(form)
    form.refuse_if_any()
    panel = panel_in(unit, ref)
    price_review.find_price(unit, panel, bid or 0, votes_for=votes or 0, clause=clause, reason=reason, amounts=amounts)
    return f"/expert/{ref}/prices#bid-{bid}"


@expert.act("/<ref>/acts/fail-prices", needs=Act.REPORT_CONCLUDE, back=prices)
def do_fail_prices(unit: UnitOfWork, form: Form, ref: str) -> str:
    reason = form.text("reason", limit=2000, lines=True)
    form.refuse_if_any()
    price_review.fail(unit, panel_in(unit, ref), reason=reason)
    return f"/expert/{ref}"


@expert.page("/<ref>/prices/<int:bid_id>/<int:place>", needs=Act.SEAT_ANSWER)
def take_price_file(ref: str, bid_id: int, place: int) -> AnyResponse:
    """A file of an opened price envelope, for the panel alone."""
    with reading() as view:
        own_room(view, ref)
        card = next(
            (one.offer for one in room_card(view, ref).bids if one.offer is not None and one.offer.id == bid_id), None
        )
        bid = next(
            (
                one
                for one in price_review.prices(view.session, tenders.lot(view.session, ref)).values()
                if one.id == bid_id
            ),
            None,
        )
        if card is None or bid is None or place >= len(card.files):
            raise NotFound("document.unknown", id=bid_id)
        return hand_out(view, bid, place, card.files[place].name)
