"""Projects: drafted, filed with the centre, returned with all gaps at once, accepted; then their tender with its lots."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from trading import rulebook
from trading.files import attachments
from trading.kernel.access import Act, Role, may
from trading.kernel.calendar import local_day
from trading.kernel.errors import Fault, Invalid, NotFound, WrongStep
from trading.kernel.money import Money
from trading.kernel.work import UnitOfWork, View
from trading.parties import parties
from trading.procedures import PROCEDURES, REGIMES, Procedure, fields, of_regime, procedure_of
from trading.procedures.field import AMOUNTS, COUNT, DRAFT, MONEY, NAME, OPENING, TERMS, TEXT, TEXTS, TICK, Ask, Field
from trading.tendering import projects, tenders
from trading.tendering.projects import CATEGORIES, KINDS
from trading.views import agency_queries, lot_cards
from trading.views.lot_cards import ProjectCard
from web import words
from web.desks.agency.room import SEE, agency, crumbs_of, labels
from web.http import attached
from web.http.forms import Form
from web.http.gate import actor, go, reading, render, request, work
from web.http.page_rules import ByHand
from web.http.refusals import language
from web.words.regions import near, read_region, region_label

MOST_LOTS = 20
_TEXTS = (
    ("funds", 2000),
    ("approval_no", 120),
    ("agency_agreement", 2000),
    ("contact", 200),
    ("ground_facts", 2000),
    ("consent_no", 120),
)
_ON_FORM = (
    "ground",
    "ground_facts",
    "region",
    "agency_agreement",
    "contact",
    "budget",
    "funds",
    "approval_no",
    "intent_at",
    "consent_no",
    "consent_on",
)
"""The fields of a filing in the order of the form."""


@agency.page("/projects", needs=SEE)
def projects_page() -> str:
    with reading() as view:
        cards = lot_cards.own_projects(view)
    state = request.args.get("state", "")
    shown = [card for card in cards if not state or card.state == state]
    counts = {code: sum(card.state == code for card in cards) for code in ("DRAFT", "FILED", "RETURNED", "ACCEPTED")}
    return render("agency/projects.html", cards=shown, counts=counts, total=len(cards), chosen=state)


def _project_choices(form: Form, card: ProjectCard | None = None) -> dict[str, Any]:
    with reading() as view:
        buyers, agents = agency_queries.parties_of(view, "purchaser"), agency_queries.parties_of(view, "agency")
        today = local_day(view.now)
        centre = agency_queries.centre_region(view)
    return {
        "near": near(centre),
        "needs": _needs(form, card, today),
        "regimes": [_offered(regime) for regime in REGIMES],
        "methods": {
            regime: [(one.id, one.name.text(language()), one.scope.text(language())) for one in laws]
            for regime in REGIMES
            if len(laws := of_regime(regime)) > 1
        },
        "with_kinds": [regime for regime in REGIMES if any(any(one.intake.kinds) for one in of_regime(regime))],
        "with_intention": [
            regime for regime in REGIMES if any(one.intake.asks("intent_at") for one in of_regime(regime))
        ],
        "grounds": [
            _ground_choice(one) for one in ([procedure_of(card)] if card else PROCEDURES) if one.intake.grounds
        ],
        "grounded": _only_for("ground_facts"),
        "consents": _only_for("consent_no"),
        "threshold": _threshold(today),
        "categories": labels("category", CATEGORIES),
        "kinds": labels("project_kind", KINDS[1:]),
        "buyers": buyers,
        "agents": agents,
        "is_buyer": actor().role is Role.PURCHASER,
    }


def _offered(regime: str) -> tuple[str, str, str]:
    """A regime to choose; where it has one procedure, with the scope of that, else each of them says its own."""
    laws = of_regime(regime)
    return regime, laws[0].law.text(language()), laws[0].scope.text(language()) if len(laws) == 1 else ""


def _ground_choice(law: Procedure) -> tuple[str, str, list[tuple[str, str, str]]]:
    """(name of the field, choices on which it depends, the cases in law that may be chosen)."""
    offered = [
        (one.code, words.state("method_ground", one.code, language()).text, one.basis) for one in law.intake.grounds
    ]
    return f"ground.{law.id}", _chosen(law), offered


def _chosen(*laws: Procedure) -> str:
    """The choices of regime and method that mean one of these procedures of one regime."""
    regime = laws[0].regime
    methods = f" method.{regime}=" + "|".join(one.id for one in laws)
    return f"regime={regime}" + (methods if len(of_regime(regime)) > len(laws) else "")


def _only_for(field: str) -> str:
    """The choices of regime and method by which a filing may have to hold a field."""
    return _chosen(*(one for one in PROCEDURES if one.intake.asks(field)))


def _threshold(today: date) -> Money:
    """The budget from which a consent to the method is needed (rules R-07, R-08)."""
    regime, row = next(
        (one.regime, needed.from_budget) for one in PROCEDURES for needed in one.intake.filing if needed.from_budget
    )
    return Money.rounded(rulebook.select(regime, today).rule(row).number)


def _law_typed(form: Form) -> Procedure:
    """The procedure chosen in the form; the usual one of the regime while none is chosen."""
    laws = of_regime(form.shown("regime")) or of_regime(REGIMES[0])
    typed = form.shown(f"method.{laws[0].regime}")
    return next((one for one in laws if one.id == typed), laws[0])


def field_words(field: str) -> str:
    """A field of a filing by its name."""
    return {
        "approval_no": _("Plan or approval"),
        "budget": _("Budget"),
        "funds": _("Source of funds"),
        "agency_agreement": _("Mandate of the agency"),
        "contact": _("Contact person"),
        "region": _("Division"),
        "intent_at": _("Intention published"),
        "ground": _("Ground of the method"),
        "ground_facts": _("Facts of the ground"),
        "consent_no": _("Consent to the method"),
        "consent_on": _("Day of the consent"),
    }[field]


def _needs(form: Form, card: ProjectCard | None, today: date) -> list[dict[str, Any]]:
    """What filing needs: each field with its rule, whether the form holds it, and whether it is asked of this project at all; ``only``
    names the choice on which that depends while the choice is open. What depends on the budget is asked for by the budget as saved."""
    law = procedure_of(card) if card else _law_typed(form)
    is_buyer = actor().role is Role.PURCHASER
    budget = card.budget if card else Money.zero()
    ground = form.shown(f"ground.{law.id}")
    by_agency = not is_buyer or bool(form.shown("agency"))
    wanted = projects.needed_to_file(law, budget, by_agency=by_agency, ground=ground, on=today)
    asked = {gap.field for gap in wanted}
    only = {"agency_agreement": "agency" if is_buyer else ""}
    laws = [procedure_of(card)] if card else list(PROCEDURES)
    for field in {needed.field for one in laws for needed in one.intake.filing}:
        if not all(one.intake.asks(field) for one in laws):
            only[field] = _only_for(field)
    every = {
        gap.field: gap
        for one in reversed(laws)
        for gap in projects.needed_to_file(one, budget, by_agency=True, ground=ground, on=today)
    }
    return [
        {
            "field": gap.field,
            "name": f"ground.{law.id}" if gap.field == "ground" else gap.field,
            "label": field_words(gap.field),
            "rule": gap.rule,
            "there": bool(form.shown(f"ground.{law.id}" if gap.field == "ground" else gap.field).strip()),
            "shown": gap.field in asked,
            "only": only.get(gap.field, ""),
        }
        for gap in sorted(every.values(), key=_place_on_form)
    ]


def _place_on_form(gap: projects.Gap) -> int:
    return _ON_FORM.index(gap.field)


@agency.page("/projects/new", needs=Act.PROJECT_DRAFT)
def new_project(form: Form | None = None) -> str:
    form = form or Form.blank({"regime": REGIMES[0]} | {f"method.{one}": of_regime(one)[0].id for one in REGIMES})
    return render(
        "agency/project_form.html",
        form=form,
        card=None,
        action="/agency/acts/draft-project",
        crumbs=crumbs_of((_("Projects"), "/agency/projects"), (_("New project"), "")),
        **_project_choices(form),
    )


def _read_fields(form: Form, *, fixed: bool) -> dict[str, Any]:
    """The fields of a project; ``fixed``: regime, method and purchaser stand already."""
    held: dict[str, Any] = {} if fixed else _read_law(form)
    held["name"] = form.text("name")
    held["category"] = form.choice("category", CATEGORIES)
    held["kind"] = form.choice("kind", KINDS[1:], needed=False)
    held["budget"] = form.money("budget", needed=False) or Money.zero()
    held["region"] = _read_division(form)
    for name, limit in _TEXTS:
        held[name] = form.text(name, needed=False, limit=limit, lines=limit > 1000)
    for name in ("intent_at", "consent_on"):
        held[name] = form.day(name, needed=False)
    return held


def _read_ground(form: Form, held: dict[str, Any], law: Procedure) -> None:
    """The case in law for the method; what was written for another method before is dropped."""
    if law.intake.grounds:
        held["ground"] = form.choice(f"ground.{law.id}", [one.code for one in law.intake.grounds], needed=False)
    else:
        held |= {"ground": "", "ground_facts": ""}
    if not law.intake.asks("consent_no"):
        held |= {"consent_no": "", "consent_on": None}


def _read_law(form: Form) -> dict[str, str]:
    """Regime and method; the method is chosen where the regime has several."""
    regime = form.choice("regime", REGIMES)
    offered = [one.id for one in of_regime(regime)]
    method = form.choice(f"method.{regime}", offered) if len(offered) > 1 else "".join(offered)
    return {"regime": regime, "method": method}


def _read_division(form: Form) -> str:
    """The code of the division typed or chosen, "" where none is."""
    typed = form.text("region", needed=False, limit=60)
    code = read_region(typed) if typed else ""
    if code is None:
        form.fault("region", "project.division_unknown", text=typed[:40])
    return code or ""


def _read_party(form: Form, name: str, *, needed: bool) -> parties.Party | None:
    code = form.text(name, needed=needed, limit=40)
    if not code:
        return None
    with reading() as view:
        try:
            return parties.party_by_code(view.session, code)
        except NotFound:
            form.fault(name, "form.bad_choice")
            return None


@agency.page("/acts/draft-project", needs=Act.PROJECT_DRAFT, post=ByHand.LOOKS, back=new_project)
def do_draft_project() -> Any:
    form = Form.read()
    buyer_acts = actor().role is Role.PURCHASER
    held = _read_fields(form, fixed=False)
    if buyer_acts:
        held["agency"] = _read_party(form, "agency", needed=False)
    else:
        held["purchaser"] = _read_party(form, "purchaser", needed=True)
    if of_regime(held["regime"]):
        _read_ground(form, held, _law_typed(form))
        _check_kind(form, held, _law_typed(form))
    form.refuse_if_any()
    with work() as unit:
        use = unit.once(form.form_id)
        use.where = where = f"/agency/projects/{projects.draft(unit, **held).ref}"
    return go(where)


def _check_kind(form: Form, held: dict[str, Any], law: Procedure) -> None:
    """The kind of works goes with the works regime alone: what was left chosen from before is dropped, what is missing is asked for."""
    if not any(law.intake.kinds):
        held["kind"] = ""
    elif held["kind"] not in law.intake.kinds:
        form.fault("kind", "form.required")
    if held["category"] in CATEGORIES and held["category"] not in law.intake.categories:
        if law.intake.limits:
            form.fault("category", "project.method_category", rule=law.intake.limits)
        else:
            form.fault("category", "project.works_follow_tender_law", rule="R-03")


def attachments_of(view: View, ref: str) -> list[attachments.Attachment]:
    return attachments.of_project(view.session, projects.project(view.session, ref).id)


@agency.page("/projects/<ref>", needs=SEE)
def project_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        card = lot_cards.project_card(view, ref)
        files = attached.rows(attachments_of(view, ref), f"/agency/projects/{ref}/attachments")
        lots = [lot for lot in lot_cards.own_lots(view) if lot.tender == card.tender] if card.tender else []
    return render(
        "agency/project.html",
        card=card,
        lots=sorted(lots, key=lambda lot: lot.no),
        files=files,
        may_attach=card.state in ("DRAFT", "RETURNED") and may(actor(), Act.PROJECT_DRAFT),
        accept=attached.ACCEPT,
        form=form or Form.blank(),
        may_file=any(s.name == "file" for s in card.steps),
        may_tender=card.state == "ACCEPTED" and not card.tender and actor().role is Role.AGENCY,
        crumbs=crumbs_of((_("Projects"), "/agency/projects"), (card.ref, "")),
    )


def _is_fixed(ref: str) -> bool:
    with reading() as view:
        return lot_cards.project_card(view, ref).state not in ("DRAFT", "RETURNED")


def editable(ref: str) -> ProjectCard:
    with reading() as view:
        card = lot_cards.project_card(view, ref)
    if card.state not in ("DRAFT", "RETURNED"):
        raise WrongStep("project.not_editable", ref=ref, state=card.state)
    return card


def _code_of_agency(card: ProjectCard) -> str:
    with reading() as view:
        return next((code for code, name in agency_queries.parties_of(view, "agency") if name == card.agency), "")


@agency.page("/projects/<ref>/edit", needs=Act.PROJECT_DRAFT)
def edit_project(ref: str, form: Form | None = None) -> Any:
    if form is None and _is_fixed(ref):
        return go(f"/agency/projects/{ref}")  # a tab from before: the page says where the filing stands now
    card = editable(ref)
    first = {
        name: getattr(card, name)
        for name in ("name", "regime", "category", "kind", "intent_at", "consent_on", *(n for n, _l in _TEXTS))
    }
    first |= {
        f"ground.{card.method}": card.ground,
        "budget": card.budget if card.budget.is_positive else None,
        "region": region_label(card.region),
        "agency": _code_of_agency(card),
    }
    form = form or Form.blank(first, version=card.version)
    return render(
        "agency/project_form.html",
        form=form,
        card=card,
        action=f"/agency/projects/{ref}/acts/edit",
        **_project_choices(form, card),
        crumbs=crumbs_of((_("Projects"), "/agency/projects"), (ref, f"/agency/projects/{ref}"), (_("Edit"), "")),
    )


@agency.page("/projects/<ref>/acts/edit", needs=Act.PROJECT_DRAFT, post=ByHand.LOOKS, back=edit_project)
def do_edit_project(ref: str) -> Any:
    form = Form.read()
    law = procedure_of(editable(ref))
    held = _read_fields(form, fixed=True)
    if actor().role is Role.PURCHASER:
        held["agency"] = _read_party(form, "agency", needed=False)
    _read_ground(form, held, law)
    _check_kind(form, held, law)
    form.refuse_if_any()
    where = f"/agency/projects/{ref}"
    with work() as unit:
        unit.once(form.form_id, where)
        projects.edit(unit, projects.project(unit.session, ref), seen=form.version, **held)
    return go(where)


@agency.page("/projects/<ref>/file", needs=Act.PROJECT_FILE)
def file_project(ref: str, form: Form | None = None) -> Any:
    if form is None and _is_fixed(ref):
        return go(f"/agency/projects/{ref}")
    card = editable(ref)
    with reading() as view:
        files = attachments_of(view, ref)
    return render(
        "agency/project_file.html",
        card=card,
        files=files,
        form=form or Form.blank(version=card.version),
        crumbs=crumbs_of((_("Projects"), "/agency/projects"), (ref, f"/agency/projects/{ref}"), (_("File"), "")),
    )


@agency.act("/projects/<ref>/acts/file", needs=Act.PROJECT_FILE, back=file_project)
def do_file_project(unit: UnitOfWork, _form: Form, ref: str) -> str:
    projects.file(unit, projects.project(unit.session, ref))
    return f"/agency/projects/{ref}"


# --- the tender -----------------------------------------------------------------------------------------------------------------------


@agency.page("/projects/<ref>/tender", needs=Act.TENDER_DRAFT)
def new_tender(ref: str, form: Form | None = None, count: int | None = None) -> Any:
    with reading() as view:
        card = lot_cards.project_card(view, ref)
    if form is None and (card.tender or card.state != "ACCEPTED"):
        return go(f"/agency/projects/{ref}")
    if count is None:
        asked = form.shown("count") if form else request.args.get("lots", "1")
        count = min(max(int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 4 else 1, 1), MOST_LOTS)
    first: dict[str, Any] = {"title": card.name, "count": count}
    for place in range(count):
        first |= {
            f"lots.{place}.contact": card.contact,
            f"lots.{place}.title": card.name if count == 1 else "",
            f"lots.{place}.budget": card.budget if count == 1 else None,
            f"lots.{place}.ceiling": card.budget if count == 1 else None,
        }
    return render(
        "agency/tender_form.html",
        card=card,
        form=form or Form.blank(first),
        count=count,
        most=MOST_LOTS,
        aside=_left_out(form, count) if form else [],
        crumbs=crumbs_of(
            (_("Projects"), "/agency/projects"), (ref, f"/agency/projects/{ref}"), (_("Tender and lots"), "")
        ),
    )


def _left_out(form: Form, count: int) -> list[tuple[str, str]]:
    """What was typed for lots beyond the number chosen: kept, so that it comes back with the lot."""
    found = []
    for name, value in form.typed.items(multi=True):
        parts = name.split(".")
        if (
            len(parts) == 3
            and parts[0] == "lots"
            and parts[1].isascii()
            and parts[1].isdigit()
            and count <= int(parts[1]) < MOST_LOTS
        ):
            found.append((name, str(value)))
    return found


@agency.page("/projects/<ref>/acts/lots", needs=Act.TENDER_DRAFT, post=ByHand.NO_UNIT, back=new_tender)
def do_lots(ref: str) -> str:
    """The same form with another number of lots: nothing is saved and nothing typed is lost."""
    form = Form.read()
    wanted = form.whole("to", least=1, most=MOST_LOTS)
    form.refuse_if_any()
    assert wanted is not None
    with reading() as view:
        contact = lot_cards.project_card(view, ref).contact
    typed = MultiDict(form.typed)
    for place in range(wanted):
        if f"lots.{place}.title" not in typed:
            typed[f"lots.{place}.contact"] = contact
    form.typed = typed
    return str(new_tender.view(ref, form=form, count=wanted))  # type: ignore[attr-defined]


CREATED = (NAME, AMOUNTS, TEXTS, TERMS, OPENING)
"""Parts of the form of a lot that a tender is created with."""


def read_lot(form: Form, where: str = "", *, coefficient: bool, parts: Sequence[str] = CREATED) -> dict[str, Any]:
    """The fields of a lot, each under ``where`` + name; those of every part where none is named."""
    return {
        one.name: _read_field(form, where + one.name, one, one.ask)
        for one in fields.asked(*parts)
        if one.ask is not None and (coefficient or not one.ask.coefficient)
    }


def _read_field(form: Form, name: str, field: Field, ask: Ask) -> Any:
    needed = field.needed == DRAFT
    if field.kind == MONEY:
        return form.money(name, needed=needed) or Money.zero()
    if field.kind == COUNT:
        return form.whole(name, needed=not ask.blank, least=0 if ask.blank else ask.least, most=ask.most) or 0
    if field.kind == TICK:
        return form.ticked(name)
    typed = form.text(name, needed=needed, limit=ask.limit, lines=ask.lines)
    return typed if field.kind == TEXT else typed.replace("，", " ").replace(",", " ").replace("、", " ").split()


@agency.page("/projects/<ref>/acts/draft-tender", needs=Act.TENDER_DRAFT, post=ByHand.LOOKS, back=new_tender)
def do_draft_tender(ref: str) -> Any:
    form = Form.read()
    with reading() as view:
        card = lot_cards.project_card(view, ref)
    count = form.whole("count", least=1, most=MOST_LOTS)
    title = form.text("title")
    lots = [read_lot(form, f"lots.{place}.", coefficient=procedure_of(card).coefficient) for place in range(count or 0)]
    form.refuse_if_any()
    with work() as unit:
        use = unit.once(form.form_id)
        try:
            made = tenders.draft_tender(unit, projects.project(unit.session, ref), title=title, lots=lots)
        except Invalid as refusal:
            raise _at_lots(refusal) from refusal
        one = f"/agency/lots/{made.lots[0].ref}"
        use.where = where = one if len(made.lots) == 1 else f"/agency/projects/{ref}"
    return go(where)


def _at_lots(refusal: Invalid) -> Invalid:
    faults = [
        Fault(
            "lots.0.budget"
            if one.where == "budget"
            else one.where.partition(".coefficients.")[0] + ".coefficients"
            if ".coefficients." in one.where
            else one.where,
            one.code,
            one.facts,
        )
        for one in refusal.faults
    ]
    return Invalid(refusal.code, faults=faults, **refusal.facts)
