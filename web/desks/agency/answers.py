"""What others ask: questions answered to everybody, corrections, a later deadline, objections and challenges."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_babel import gettext as _

from trading import publication
from trading.custody import officers, policies
from trading.files import attachments
from trading.kernel.access import Act, may
from trading.kernel.errors import Conflict, Fault, Invalid, NotFound, TooLate
from trading.kernel.work import UnitOfWork, View
from trading.remedies import disputes
from trading.tendering import enquiries, notices, planning, tenders
from trading.views import agency_queries, lot_cards
from web import words
from web.desks.agency.documents import late_words
from web.desks.agency.lots import show_lot
from web.desks.agency.room import SEE, agency, bound_words, crumbs_of, readable
from web.http import attached, login
from web.http.forms import Form
from web.http.gate import go, reading, render, request, work
from web.http.page_rules import ByHand
from web.http.refusals import language


@agency.page("/questions", needs=Act.ENQUIRY_ANSWER)
def questions_page() -> str:
    """Every open question of all own lots, nearest limit first."""
    with reading() as view:
        rows = []
        for card in lot_cards.own_lots(view):
            if card.state in ("NOTICE", "BIDDING"):
                lot = agency_queries.own_lot(view, card.ref)
                rows += [(card, one) for one in lot_cards.enquiry_cards(view, lot) if one.answered_at is None]
        rows.sort(key=lambda row: (row[1].due_at is None, row[1].due_at or view.now, row[1].ref))
    return render("agency/questions.html", rows=rows)


@agency.page("/lots/<ref>/clarify", needs=SEE)
def clarify_page(ref: str, form: Form | None = None) -> str:
    extend = None
    if form is not None and "deadline" in form.typed:  # the page has several forms: this one is the later deadline's
        form, extend = None, form
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        card = lot_cards.card_of(view, lot)
        answers = may(view.actor, Act.ENQUIRY_ANSWER)
        cards = lot_cards.enquiry_cards(view, lot) if answers else []
        cutoff = agency_queries.clarify_cutoff(view, lot) if lot.published_at else None
        is_open = lot.state in ("NOTICE", "BIDDING") and lot.deadline is not None and view.now < lot.deadline
        change = officers.open_change(view.session, lot)
        return show_lot(
            "agency/lot_clarify.html",
            view,
            card,
            _("Questions and corrections"),
            form=form or Form.blank(),
            open_ones=[c for c in cards if c.answered_at is None],
            done=[c for c in cards if c.answered_at is not None],
            cutoff=cutoff,
            cutoff_words=bound_words(cutoff),
            affects_needs=_extend_to(view, lot) if is_open else None,
            is_open=is_open,
            answers=answers,
            extend=extend or Form.blank({"deadline": lot.deadline, "opens_at": lot.opens_at}),
            change=change,
            signing=policies.signing_of(view.session, lot) if change else [],
            chosen=request.args.get("q", ""),
            notice=form or Form.blank(),
        )


def _extend_to(view: View, lot: Any) -> dict[str, Any] | None:
    """What a clarification that affects bids would need now: the earliest deadline, or None while it is in time."""
    try:
        planning.check_early_enough(view.session, lot, view.now)
    except TooLate as refusal:
        return readable(refusal.facts)
    return None


@agency.act("/lots/<ref>/acts/answer", needs=Act.ENQUIRY_ANSWER, back=clarify_page)
def do_answer(unit: UnitOfWork, form: Form, ref: str) -> str:
    asked = form.text("enquiry", limit=40)
    text, question = (
        form.text("text", limit=4000, lines=True),
        form.text("question", needed=False, limit=4000, lines=True),
    )
    affects = form.choice("affects", ("yes", "no"))
    form.refuse_if_any()
    row = enquiries.enquiry(unit.session, asked)
    if row.lot.ref != ref:
        raise NotFound("enquiry.unknown", ref=asked)
    try:
        enquiries.answer(unit, row, text=text, question=question, affects_bids=affects == "yes")
    except TooLate as refusal:
        raise late_words(refusal, "affects") from refusal
    return f"/agency/lots/{ref}/clarify"


@agency.act("/lots/<ref>/acts/notice", needs=Act.NOTICE_PUBLISH, back=clarify_page)
def do_notice(unit: UnitOfWork, form: Form, ref: str) -> str:
    title, text = form.text("title"), form.text("text", limit=4000, lines=True)
    form.refuse_if_any()
    notices.publish(unit, tenders.lot(unit.session, ref), "correction", title=title, text=text)
    return f"/agency/lots/{ref}/clarify"


@agency.act("/lots/<ref>/acts/extend", needs=Act.LOT_PUBLISH, back=clarify_page)
def do_extend(unit: UnitOfWork, form: Form, ref: str) -> str:
    deadline, opens_at = form.moment("deadline"), form.moment("opens_at", needed=False)
    reason = form.text("reason", limit=500, lines=True)
    form.refuse_if_any()
    assert deadline is not None
    publication.extend(unit, tenders.lot(unit.session, ref), deadline=deadline, opens_at=opens_at, reason=reason)
    return f"/agency/lots/{ref}/clarify"


# --- objections -----------------------------------------------------------------------------------------------------------------------


@agency.page("/objections", needs=Act.OBJECTION_ANSWER)
def objections_page() -> str:
    with reading() as view:
        return render("agency/objections.html", cards=agency_queries.objection_cards(view), open_states=disputes.OPEN)


@agency.page("/objections/<ref>", needs=Act.OBJECTION_ANSWER)
def objection_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        card = agency_queries.objection_card(view, ref)
        filed, answered = (
            attached.rows(found, f"/agency/objections/{ref}/attachments", named=bool(card.party) or role == "answer")
            for role, found in _attachments(view, ref)
        )
        next_act = _after_upholding(view, card) if card.upheld else None
    return render(
        "agency/objection.html",
        card=card,
        filed=filed,
        answered=answered,
        next_act=next_act,
        accept=attached.ACCEPT,
        effects=[(one, words.state("objection_effect", one, language()).text) for one in disputes.EFFECTS],
        form=form or Form.blank(version=card.version),
        is_open=card.state in disputes.OPEN,
        crumbs=crumbs_of((_("Objections"), "/agency/objections"), (card.lot, f"/agency/lots/{card.lot}")),
    )


@agency.page("/objections/<ref>/acts/answer", needs=Act.OBJECTION_ANSWER, post=ByHand.BYTES, back=objection_page)
def do_answer_objection(ref: str) -> Any:
    form, where = Form.read(), f"/agency/objections/{ref}"
    text, upheld = form.text("text", limit=8000, lines=True), form.choice("upheld", ("yes", "no"))
    effect = form.choice("effect", disputes.EFFECTS, needed=False)
    with reading() as view:
        agency_queries.objection_card(view, ref)  # the tie, before anything is stored
    files = attached.taken_in(form)
    with work() as unit:
        unit.once(form.form_id, where)
        try:
            row = disputes.objection(unit.session, ref)
            disputes.answer(unit, row, text=text, upheld=upheld == "yes", effect=effect or "", files=files)
        except Invalid as refusal:
            raise attached.at_files(refusal) from refusal
        except Conflict as refusal:
            if not refusal.code.startswith("attachment."):
                raise
            raise Invalid("form.faults", faults=[Fault("files", refusal.code, refusal.facts)], count=1) from refusal
    return go(where)


def _after_upholding(view: View, card: agency_queries.ObjectionCard) -> dict[str, str]:
    """What an upheld objection leads to now: the sentence, and the page of the next act."""
    base, state = f"/agency/lots/{card.lot}", lot_cards.card_of(view, agency_queries.own_lot(view, card.lot)).state
    if card.effect:
        text = words.state("objection_effect", card.effect, language()).text
        if card.effect == disputes.NONE or card.settled_at is not None:
            return {"text": text, "href": base, "label": _("To the lot")}
        return {"text": text, "href": f"{base}/award", "label": _("To the award")}
    if card.stage == "documents" and state in ("NOTICE", "BIDDING"):
        text = _("Mend the documents with a correction; where it affects bids, move the deadline first.")
        return {"text": text, "href": f"{base}/clarify", "label": _("To the corrections")}
    if state in tenders.LOT_FLOW.step("terminate").origins:
        text = _(
            "It can no longer be mended by a correction: what it concerns stays stopped. The purchaser ends this procurement with "
            "reasons and begins anew, or follows what the supervisor orders."
        )
        if may(view.actor, Act.TENDER_TERMINATE):
            return {"text": text, "href": f"{base}/end", "label": _("End this procurement with reasons")}
        return {"text": text, "href": base, "label": _("To the lot")}
    text = _(
        "The result is public. Whether it stands is for the purchaser and, on complaint, for the supervisor; the answer is kept with "
        "the lot."
    )
    return {"text": text, "href": base, "label": _("To the lot")}


def _attachments(view: View, ref: str) -> list[tuple[str, list[attachments.Attachment]]]:
    """What was filed with an objection and what was answered with it."""
    number = disputes.objection(view.session, ref).id
    return [(role, attachments.of_objection(view.session, number, role)) for role in ("objection", "answer")]


@agency.page("/objections/<ref>/attachments/<int:number>", needs=Act.OBJECTION_ANSWER)
def take_objection_file(ref: str, number: int) -> Response:
    with reading() as view:
        card = agency_queries.objection_card(view, ref)
        for role, found in _attachments(view, ref):
            if any(one.id == number for one in found):
                return attached.hand_out(found, number, named=bool(card.party) or role == "answer")
    raise NotFound("document.unknown", id=number)


@agency.blueprint.url_value_preprocessor
def _room_for_answers(endpoint: str | None, values: dict[str, Any] | None) -> None:
    if endpoint == "agency.do_answer_objection" and may(login.actor(), Act.OBJECTION_ANSWER):
        request.max_content_length = attached.SEVERAL
