"""From the report to the filed contract: candidates published, the purchaser's decision, result, contract."""

from __future__ import annotations

from flask import Response
from flask_babel import gettext as _
from flask_babel import pgettext

from trading.awarding import awards, contracts
from trading.kernel.access import Act, may
from trading.kernel.errors import Fault, Invalid
from trading.kernel.flow import check_version
from trading.kernel.work import UnitOfWork, View
from trading.procedures import procedure_of
from trading.remedies import complaints, disputes
from trading.tendering import notices, tenders
from trading.tendering.tenders import Lot
from trading.views import agency_queries, lot_cards
from web.desks.agency.lots import show_lot
from web.desks.agency.room import SEE, agency
from web.desks.public import result
from web.http.forms import Form
from web.http.gate import reading, request
from web.papers import printing


@agency.page("/lots/<ref>/award", needs=SEE)
def award_page(ref: str) -> str:
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        card, award = lot_cards.card_of(view, lot), agency_queries.award_card(view, lot)
        waiting = disputes.open_on(view.session, lot, "result")
        scores = result.scores_of(view, lot) if award else None
        ranked = [{"bidder": one.bidder, "won": one.won} for one in award.ranking] if award else []
        return show_lot(
            "agency/lot_award.html",
            view,
            card,
            _("Award"),
            award=award,
            form=Form.blank(version=card.version),
            step=_step(view, lot, award),
            scores=scores,
            table=result.table(scores) if scores else None,
            bars=result.bars(scores, ranked) if scores else [],
            won=next((one for one in award.ranking if one.won), None) if award else None,
            unopened=result.unopened(notices.of_lot(view.session, lot)),
            upheld=disputes.upheld_on(view.session, lot, "result"),
            ways=ways_on(view, lot, award),
            suspended=complaints.suspension(view.session, lot, view.now),
            waiting=len(waiting),
            waiting_until=min((o.due_at for o in waiting), default=None),
        )


@agency.page("/lots/<ref>/report.pdf", needs=SEE)
def report_paper(ref: str) -> Response:
    """The panel's report as purchaser and agency read it from the moment they have it. Refuses: NotFound ``result.no_scores``."""
    with reading() as view:
        paper = result.early_report(view, agency_queries.own_lot(view, ref))
    return printing.answer(paper, f"report-{ref}")


def _step(view: View, lot: Lot, award: agency_queries.AwardCard | None) -> str:
    """The one act that comes next on this page and that the one who looks may take; ``wait:…`` where somebody else must."""
    if award is None:
        return ""
    law = procedure_of(lot)
    if lot.state == "REPORT" and law.award.publicity is not None:
        return "publicise" if may(view.actor, Act.NOTICE_PUBLISH) else "wait:publicise"
    if lot.state in ("REPORT", "CANDIDATES"):
        upheld = disputes.upheld_on(view.session, lot, "result")
        if upheld is not None and upheld.effect not in ("", disputes.NEXT):
            return "stopped"
        if award.publicity_until is not None and view.now < award.publicity_until:
            return "wait:publicity"
        return "decide" if may(view.actor, Act.AWARD_DECIDE) else "wait:decide"
    if lot.state == "AWARD":
        return "announce" if may(view.actor, Act.NOTICE_PUBLISH) else "wait:announce"
    return ""


def ways_on(view: View, lot: Lot, award: agency_queries.AwardCard | None) -> list[tuple[str, str, str]]:
    """What the one who looks may do with an award that does not stand: ``(label, page below the award, kind of button)``."""
    upheld = disputes.upheld_on(view.session, lot, "result")
    if award is None or lot.state not in ("REPORT", "CANDIDATES", "AWARD", "RESULT"):
        return []
    wanted = (
        (disputes.NEXT, disputes.VOID) if upheld is None else (upheld.effect,) if upheld.effect else disputes.EFFECTS
    )
    found = []
    if disputes.NEXT in wanted and award.decided_at is not None and may(view.actor, Act.AWARD_DECIDE):
        found.append((_("Decide for the next candidate"), "again", "go" if upheld else ""))
    if disputes.REVIEW in wanted and may(view.actor, Act.OBJECTION_ANSWER):
        found.append((_("Have the panel review again"), "review", "go"))
    if disputes.VOID in wanted and (upheld or award.decided_at is not None) and may(view.actor, Act.AWARD_DECIDE):
        found.append((_("Declare it void"), "annul", "stop" if upheld else ""))
    return found


@agency.act("/lots/<ref>/acts/publicise", needs=Act.NOTICE_PUBLISH)
def do_publicise(unit: UnitOfWork, form: Form, ref: str) -> str:
    lot = tenders.lot(unit.session, ref)
    check_version(lot, form.version)
    awards.publicise(unit, lot)
    return f"/agency/lots/{ref}/award"


@agency.page("/lots/<ref>/award/decide", needs=Act.AWARD_DECIDE, fresh=True)
def decide_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        card, award = lot_cards.card_of(view, lot), agency_queries.award_card(view, lot)
        asked = form.shown("rank") if form else request.args.get("rank", "1")
        of_rank = [one for one in (award.ranking if award else ()) if str(one.rank) == asked]
        tied = len(of_rank) > 1
        bidder = form.shown("bidder") if form else request.args.get("bidder", "")
        row = next((one for one in of_rank if not tied or one.bidder == bidder), None)
        if award is None or (tied and award.tie_rule != "purchaser"):
            row = None
        return show_lot(
            "agency/lot_decide.html",
            view,
            card,
            pgettext("award", "Decide"),
            award=award,
            row=row,
            tied=tied,
            form=form or Form.blank({"rank": asked, "bidder": bidder}, version=card.version),
        )


@agency.act("/lots/<ref>/acts/decide", needs=Act.AWARD_DECIDE, back=decide_page)
def do_decide(unit: UnitOfWork, form: Form, ref: str) -> str:
    rank, ground = form.whole("rank", least=1), form.text("ground", needed=False, limit=2000, lines=True)
    bidder = form.text("bidder", needed=False, limit=40)
    form.refuse_if_any()
    lot = tenders.lot(unit.session, ref)
    check_version(lot, form.version)
    try:
        awards.decide(unit, lot, rank=rank or 0, ground=ground, bidder=bidder)
    except Invalid as refusal:
        field = "ground" if refusal.code == "award.ground_missing" else "rank"
        raise Invalid("form.faults", faults=[Fault(field, refusal.code, refusal.facts)], count=1) from refusal
    return f"/agency/lots/{ref}/award"


@agency.act("/lots/<ref>/acts/announce", needs=Act.NOTICE_PUBLISH)
def do_announce(unit: UnitOfWork, form: Form, ref: str) -> str:
    lot = tenders.lot(unit.session, ref)
    check_version(lot, form.version)
    awards.announce(unit, lot)
    return f"/agency/lots/{ref}/award"


# --- the contract ---------------------------------------------------------------------------------------------------------------------


@agency.page("/lots/<ref>/contract", needs=SEE)
def contract_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        card, award = lot_cards.card_of(view, lot), agency_queries.award_card(view, lot)
        waiting = disputes.open_on(view.session, lot, "result")
        first = {"amount": award.price if award else None}
        return show_lot(
            "agency/lot_contract.html",
            view,
            card,
            _("Contract"),
            award=award,
            contract=agency_queries.contract_card(view, lot),
            suspended=complaints.suspension(view.session, lot, view.now),
            upheld=disputes.upheld_on(view.session, lot, "result"),
            form=form or Form.blank(first, version=card.version),
            waiting=len(waiting),
            waiting_until=min((o.due_at for o in waiting), default=None),
        )


@agency.act("/lots/<ref>/acts/contract", needs=Act.CONTRACT_RECORD, back=contract_page)
def do_contract(unit: UnitOfWork, form: Form, ref: str) -> str:
    number, amount, signed_at = form.text("number", limit=80), form.money("amount"), form.moment("signed_at")
    text = form.text("text", needed=False, limit=20_000, lines=True)
    form.refuse_if_any()
    assert amount is not None and signed_at is not None
    lot = tenders.lot(unit.session, ref)
    check_version(lot, form.version)
    contracts.record(unit, lot, number=number, amount_minor=amount.minor, signed_at=signed_at, text=text)
    return f"/agency/lots/{ref}/contract"


@agency.act("/lots/<ref>/acts/publish-contract", needs=Act.CONTRACT_RECORD)
def do_publish_contract(unit: UnitOfWork, form: Form, ref: str) -> str:
    lot = tenders.lot(unit.session, ref)
    check_version(lot, form.version)
    contracts.publish_and_file(unit, lot)
    return f"/agency/lots/{ref}/contract"
