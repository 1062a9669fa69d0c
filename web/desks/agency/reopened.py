"""An award that does not stand: another candidate, a review again by the panel, or a void tender."""

from __future__ import annotations

from flask_babel import gettext as _

from evaluation.reporting import reopened as reviewed
from trading.awarding import awards, reopened
from trading.kernel.access import Act
from trading.kernel.flow import check_version
from trading.kernel.work import UnitOfWork
from trading.remedies import disputes
from trading.tendering import tenders
from trading.tendering.tenders import Lot
from trading.views import agency_queries, lot_cards
from web.desks.agency.lots import show_lot
from web.desks.agency.room import agency
from web.http.forms import Form
from web.http.gate import reading


@agency.page("/lots/<ref>/award/again", needs=Act.AWARD_DECIDE, fresh=True)
def again_page(ref: str, form: Form | None = None) -> str:
    """Who is next in the order of the ranking, and the decision for them."""
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        card, row = lot_cards.card_of(view, lot), awards.find(view.session, lot)
        open_now = row is not None and row.decided_at is not None and lot.state in ("AWARD", "RESULT")
        names = [one["bidder"] for one in reopened.next_in_order(view, row)] if open_now and row else []
        award = agency_queries.award_card(view, lot)
        following = [one for one in award.ranking if one.bidder in names] if award else []
        return show_lot(
            "agency/lot_again.html",
            view,
            card,
            _("Another candidate"),
            award=award,
            following=following,
            equals=[(one.bidder, one.name) for one in following],
            upheld=disputes.upheld_on(view.session, lot, "result"),
            form=form or Form.blank(version=card.version),
        )


@agency.act("/lots/<ref>/acts/decide-again", needs=Act.AWARD_DECIDE, back=again_page)
def do_decide_again(unit: UnitOfWork, form: Form, ref: str) -> str:
    """``bidder``: the one chosen among equals; ``ground``: why the former one does not get it."""
    bidder, ground = form.text("bidder", needed=False, limit=40), form.text("ground", limit=2000, lines=True)
    form.refuse_if_any()
    lot = tenders.lot(unit.session, ref)
    check_version(lot, form.version)
    reopened.decide_again(unit, lot, ground=ground, bidder=bidder)
    return f"/agency/lots/{ref}/award"


@agency.page("/lots/<ref>/award/annul", needs=Act.AWARD_DECIDE, fresh=True)
def annul_page(ref: str, form: Form | None = None) -> str:
    """The tender is void and procured anew."""
    return _with_reason("agency/lot_annul.html", ref, _("Void and procured anew"), form)


@agency.act("/lots/<ref>/acts/annul", needs=Act.AWARD_DECIDE, back=annul_page)
def do_annul(unit: UnitOfWork, form: Form, ref: str) -> str:
    """``reason``: published."""
    lot, reason = _reason_of(unit, form, ref)
    reopened.annul(unit, lot, reason=reason)
    return f"/agency/lots/{ref}"


@agency.page("/lots/<ref>/award/review", needs=Act.OBJECTION_ANSWER)
def review_page(ref: str, form: Form | None = None) -> str:
    """The panel that signed reviews again."""
    return _with_reason("agency/lot_review.html", ref, _("Review again"), form)


@agency.act("/lots/<ref>/acts/review-again", needs=Act.OBJECTION_ANSWER, back=review_page)
def do_review_again(unit: UnitOfWork, form: Form, ref: str) -> str:
    """``reason``: published, and read by the members."""
    lot, reason = _reason_of(unit, form, ref)
    reviewed.review_again(unit, lot, reason=reason)
    return f"/agency/lots/{ref}"


def _with_reason(template: str, ref: str, title: str, form: Form | None) -> str:
    """A page that tells what an act does and asks for its reason."""
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        return show_lot(
            template,
            view,
            lot_cards.card_of(view, lot),
            title,
            upheld=disputes.upheld_on(view.session, lot, "result"),
            form=form or Form.blank(version=lot.version),
        )


def _reason_of(unit: UnitOfWork, form: Form, ref: str) -> tuple[Lot, str]:
    reason = form.text("reason", limit=2000, lines=True)
    form.refuse_if_any()
    lot = tenders.lot(unit.session, ref)
    check_version(lot, form.version)
    return lot, reason
