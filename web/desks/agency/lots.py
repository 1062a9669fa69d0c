"""A lot in preparation: what it says, its dates, its end."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from trading import publication, rulebook
from trading.custody import officers
from trading.kernel.access import Act, may
from trading.kernel.errors import Fault, Faults, Invalid
from trading.kernel.flow import check_version
from trading.kernel.work import UnitOfWork, View
from trading.procedures import fields, procedure_of
from trading.procedures.field import NAME, NUMBERS, TICK, Field
from trading.rulebook import calendars
from trading.tendering import bid_forms, planning, tenders
from trading.tendering.tenders import Lot
from trading.views import agency_queries, agency_waiting, lot_cards
from trading.views.lot_cards import LotCard
from web.desks.agency.duties import duty_of
from web.desks.agency.projects import read_lot
from web.desks.agency.room import (
    SEE,
    agency,
    bound_words,
    crumbs_of,
    finding_tag,
    frozen,
    lot_stages,
    moved,
    readable,
    said,
)
from web.desks.public.words import field_text
from web.http.forms import Form
from web.http.gate import reading, render, request
from web.http.page_rules import ByHand

LISTED = {
    "preparing": ("ACCEPTED",),
    "open": ("NOTICE", "BIDDING"),
    "judging": ("OPENING", "QUAL_REVIEW", "EVALUATION"),
    "deciding": ("REPORT", "CANDIDATES", "AWARD", "RESULT"),
    "contract": ("CONTRACT", "FILING", "CLOSING", "ARCHIVED"),
    "ended": ("FAILED", "TERMINATED"),
}
FIELD_OF = {"bid_deadline": "deadline", "issue_starts": "issue_at", "issue_ends": "deadline", "opening": "opens_at"}
"""The rulebook's names of moments, and the fields of the timetable that set them."""


def show_lot(template: str, look_: View, card: LotCard, here: str, **more: Any) -> str:
    """A page of a lot: with its title, its road and its place in the desk."""
    crumbs = crumbs_of(
        (_("Lots"), "/agency/lots"),
        (card.ref, f"/agency/lots/{card.ref}" if here else ""),
        *([(here, "")] if here else []),
    )
    return render(
        template,
        card=card,
        crumbs=crumbs,
        stages=lot_stages(card, look_.now),
        frozen=frozen(card, look_),
        here=here,
        **more,
    )


@agency.page("/lots", needs=SEE)
def lots_page() -> str:
    chosen = request.args.get("show", "")
    with reading() as view:
        cards = lot_cards.own_lots(view)
    shown = [card for card in cards if chosen not in LISTED or card.state in LISTED[chosen]]
    counts = {name: sum(card.state in states for card in cards) for name, states in LISTED.items()}
    return render("agency/lots.html", cards=shown, counts=counts, chosen=chosen, total=len(cards))


# --- the overview ---------------------------------------------------------------------------------------------------------------------


def place_of(where: str) -> str:
    """Which page of preparation mends a fault of publication."""
    if where in ("scheme", "documents", "invited"):
        return where
    if where.partition(".")[0] in ("officers", "policy", "drill"):
        return "keys"
    return "edit" if where in (one.name for one in fields.WRITTEN) else "timetable"


def checklist(view: View, lot: Lot) -> tuple[list[dict[str, Any]], list[Fault], list[rulebook.Finding]]:
    """(the pages of preparation with what each still lacks, all faults, all findings of the timetable)."""
    faults, findings = publication.faults_of(view.session, lot, view.now)
    names = {
        "edit": _("Content of the lot"),
        "timetable": _("Timetable"),
        "documents": _("Documents"),
        **({"invited": _("Who is invited")} if procedure_of(lot).invitation else {}),
        "scheme": _("Criteria"),
        "keys": _("Key holders and drill"),
    }
    rows = [
        {"page": page, "label": label, "faults": [_named(one) for one in faults.found if place_of(one.where) == page]}
        for page, label in names.items()
    ]
    return rows, faults.found, findings


def _named(fault: Fault) -> str:
    """A fault of publication as a sentence; where it only asks to fill something in, what."""
    names = {one.name: one.ask.label.text(_lang()) for one in fields.asked() if one.ask}
    name = names.get(fault.where, "") if fault.code == "form.required" else ""
    return f"{name}{'：' if _lang() == 'zh' else ': '}{said(fault)}" if name else said(fault)


@agency.page("/lots/<ref>", needs=SEE)
def lot_page(ref: str) -> str:
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        card = lot_cards.card_of(view, lot)
        rows = checklist(view, lot)[0] if lot.state == "ACCEPTED" else []
        cutoff = agency_queries.clarify_cutoff(view, lot) if lot.state in ("NOTICE", "BIDDING") else None
        return show_lot(
            "agency/lot.html",
            view,
            card,
            "",
            rows=rows,
            duties=[] if lot.state == "ACCEPTED" else [duty_of(one) for one in agency_waiting.waiting_on(view, lot)],
            notices=lot_cards.notice_cards(view, lot)[::-1],
            cutoff=cutoff,
            cutoff_words=bound_words(cutoff),
            documents=lot_cards.document_cards(view, lot),
            may_publish=may(view.actor, Act.LOT_PUBLISH),
            may_copy=may(view.actor, Act.TENDER_DRAFT),
            may_name=may(view.actor, Act.DRAW_TAKE_PART),
            may_end=any(s.name == "terminate" for s in card.steps),
            draws=[
                name.removeprefix("draw:").partition("/")[0]
                for name in officers.envelopes(lot)
                if name != officers.BID and may(view.actor, Act.DRAW_TAKE_PART)
            ],
            may_retender=bool(card.failure) and may(view.actor, Act.TENDER_DRAFT),
        )


# --- what it says ---------------------------------------------------------------------------------------------------------------------


@agency.page("/lots/<ref>/edit", needs=SEE)
def edit_lot(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        card = lot_cards.card_of(view, lot)
        cap, rule = planning.deposit_cap(lot.project, lot.budget, planning.book_of(lot, view.now))
        first = {one.name: _first(one, one.value(lot)) for one in fields.asked()}
        items, files = bid_forms.lists_of(lot.form)
        first |= {
            "price_items": "\n".join(items),
            "asked_files": "\n".join(files),
            "entries": "\n".join(bid_forms.entries_of(lot.form)),
        }
        return show_lot(
            "agency/lot_edit.html",
            view,
            card,
            _("Content of the lot"),
            form=form or Form.blank(first, version=card.version),
            cap=cap,
            cap_rule=rule,
            said=_said_of(lot),
        )


def _said_of(lot: Lot) -> list[tuple[str, str]]:
    """Every field but the name under the label of its notice, where it has one, for whoever only reads."""
    rows = []
    for one in fields.asked():
        if one.ask and one.ask.part != NAME and (lot.coefficients or not one.ask.coefficient):
            label = one.label or one.ask.label
            said = procedure_of(lot).vocabulary.said(label.text(_lang()), _lang())
            rows.append((said, field_text(one, one.plain(lot), _lang(), lot.currency) or "–"))
    return rows


def _first(field: Field, value: Any) -> Any:
    """What the form shows of a field at first."""
    if field.kind == TICK:
        return "yes" if value else ""
    if field.kind == NUMBERS:
        return " ".join(value)
    return (value or "") if field.ask and field.ask.blank else value


@agency.act("/lots/<ref>/acts/edit", needs=Act.TENDER_DRAFT, back=edit_lot)
def do_edit_lot(unit: UnitOfWork, form: Form, ref: str) -> str:
    lot = agency_queries.own_lot(unit, ref)
    held = read_lot(form, coefficient=procedure_of(lot).coefficient, parts=())
    items, files, entries = (_lines(form, name) for name in ("price_items", "asked_files", "entries"))
    form.refuse_if_any()
    try:
        asked = bid_forms.with_lists(lot.form, items=items, files=files, entries=entries)
        tenders.edit_lot(unit, lot, seen=form.version, form=asked, **held)
    except Invalid as refusal:
        places = {one.where: "coefficients" for one in refusal.faults if one.where.startswith("coefficients.")}
        raise moved(refusal, places) from refusal
    return f"/agency/lots/{ref}"


def _lines(form: Form, name: str) -> list[str]:
    """The lines of a text, without empty ones; each at most 100 characters."""
    found = [line.strip() for line in form.text(name, needed=False, limit=4000, lines=True).split("\n") if line.strip()]
    if (longest := max(map(len, found), default=0)) > 100:
        form.faults.add(name, "form.too_long", limit=100, length=longest)
    return found


# --- its dates ------------------------------------------------------------------------------------------------------------------------


def _plan(lot: Lot, now: datetime, held: dict[str, datetime | None]) -> dict[str, Any]:
    """What the form plans, by the names of the rulebook, were the lot published now."""
    issue = held["issue_at"] if held["issue_at"] and held["issue_at"] > now else now
    return planning.timetable(lot, now) | {
        "issue_starts": issue,
        "issue_ends": held["deadline"],
        "bid_deadline": held["deadline"],
        "opening": held["opens_at"] or held["deadline"],
    }


@agency.page("/lots/<ref>/timetable", needs=SEE)
def timetable_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        card = lot_cards.card_of(view, lot)
        held = {name: getattr(lot, name) for name in fields.PLANNED}
        plan = _plan(lot, view.now, held) if lot.state == "ACCEPTED" else planning.timetable(lot, view.now)
        windows = _windows(view, lot, plan)
        findings = planning.plan_findings(view.session, lot, view.now) if held["deadline"] else []
        told = [
            (
                finding_tag(one),
                said(Fault(one.field, one.code, one.facts)),
                one.facts["what_zh" if _lang() == "zh" else "what_en"],
            )
            for one in findings
        ]
        return show_lot(
            "agency/lot_timetable.html",
            view,
            card,
            _("Timetable"),
            form=form or Form.blank(held, version=card.version),
            windows=windows,
            earliest=windows[0]["from"] if windows else None,
            offered=_offered(view, lot, plan) if lot.state == "ACCEPTED" else None,
            told=told,
            book=planning.book_of(lot, view.now).version,
            calendar=calendars.current(view.session).version,
        )


def _offered(view: View, lot: Lot, plan: dict[str, Any]) -> tuple[datetime, str] | None:
    """(the earliest lawful deadline, why) to take over with one press."""
    try:
        found = agency_queries.earliest_deadline(view, lot, plan)
    except Invalid:
        return None  # the table beside it says why
    return (found[0], bound_words(found[1])) if found else None


def _lang() -> str:
    from web.http.refusals import language

    return language()


def _windows(view: View, lot: Lot, plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The lawful place of each moment, given the others, with the rule that binds it."""
    rows = []
    asked = (
        ("bid_deadline", _("Bid deadline")),
        ("issue_ends", _("Documents provided until")),
        ("clarification_issued", _("Last clarification that affects bids")),
        ("notice_period_ends", _("End of the notice period")),
        ("notice_published", _("Publication of the notice")),
    )
    for act, label in asked:
        try:
            found = agency_queries.bounds(view, lot, act, plan)
        except Invalid as refusal:
            rows.append({"label": label, "from": None, "until": None, "why": said(refusal)})
            continue
        if found.bounds:
            both = [bound_words(one) for one in (found.earliest, found.latest) if one]
            rows.append(
                {
                    "label": label,
                    "from": found.earliest,
                    "until": found.latest,
                    "why": "；".join(both) if _lang() == "zh" else "; ".join(both),
                }
            )
    return rows


@agency.page("/lots/<ref>/acts/earliest", needs=Act.TENDER_DRAFT, post=ByHand.NO_UNIT, back=timetable_page)
def do_earliest(ref: str) -> str:
    """The form again with the earliest lawful deadline in it: everything else stands as typed, nothing is saved yet."""
    form = Form.read()
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        held = {name: form.moment(name, needed=False) for name in fields.PLANNED}
        found = agency_queries.earliest_deadline(view, lot, _plan(lot, view.now, held | {"deadline": None}))
    typed = MultiDict(form.typed)
    if found:
        typed["deadline"] = f"{found[0].astimezone(form.zone):%Y-%m-%d %H:%M}"
    form.typed, form.faults = typed, Faults()
    return str(timetable_page.view(ref, form=form))  # type: ignore[attr-defined]


@agency.act("/lots/<ref>/acts/plan", needs=Act.TENDER_DRAFT, back=timetable_page)
def do_plan(unit: UnitOfWork, form: Form, ref: str) -> str:
    held = {name: form.moment(name, needed=name == "deadline") for name in fields.PLANNED}
    form.refuse_if_any()
    deadline = held.pop("deadline")
    assert deadline is not None
    lot = tenders.lot(unit.session, ref)
    check_version(lot, form.version)
    tenders.plan(unit, lot, deadline=deadline, **held)
    found = planning.plan_findings(unit.session, lot, unit.now)
    wrong = Faults()
    for one in rulebook.breaches(found):
        if one.field in FIELD_OF:
            wrong.add(FIELD_OF[one.field], one.code, **(readable(one.facts) | {"rule": one.rule}))
    wrong.refuse_if_any("timetable.breaches")
    return f"/agency/lots/{ref}/timetable"


# --- its end --------------------------------------------------------------------------------------------------------------------------


@agency.page("/lots/<ref>/end", needs=Act.TENDER_TERMINATE)
def end_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        card = lot_cards.card_of(view, agency_queries.own_lot(view, ref))
        return show_lot(
            "agency/lot_end.html", view, card, _("Terminate"), form=form or Form.blank(version=card.version)
        )


@agency.act("/lots/<ref>/acts/end", needs=Act.TENDER_TERMINATE, back=end_page)
def do_end(unit: UnitOfWork, form: Form, ref: str) -> str:
    reason = form.text("reason", limit=2000, lines=True)
    form.refuse_if_any()
    lot = tenders.lot(unit.session, ref)
    check_version(lot, form.version)
    publication.terminate(unit, lot, reason=reason)
    return f"/agency/lots/{ref}"


@agency.act("/lots/<ref>/acts/retender", needs=Act.TENDER_DRAFT)
def do_retender(unit: UnitOfWork, _form: Form, ref: str) -> str:
    return f"/agency/lots/{tenders.retender(unit, tenders.lot(unit.session, ref)).ref}"
