"""Panels at the centre `/centre/panels` (desks §7.1, §9.4): asked for, drawn in public, called, replaced, seated. Nobody here sees a name
before the result, nor a score ever. The purchaser names its representatives at `/agency/lots/<ref>/panel`.

    GET  /centre/panels/<ref>/data                      the panel as this page shows it
    POST /centre/panels/<ref>/acts/request              members, experts (drawn; empty: all), specialties (codes, repeated), region,
                                                        starts_at, place, avoid (a line each: code, name), complex, impact (ticked)
    POST /centre/panels/<ref>/acts/call                 once the draw is concluded
    POST /centre/panels/<ref>/acts/silent               no
    POST /centre/panels/<ref>/acts/remove-matched       takes out whoever must avoid a bidder
    POST /centre/panels/<ref>/acts/remove               no, reason
    POST /centre/panels/<ref>/acts/convene
    POST /agency/lots/<ref>/acts/representatives        accounts (usernames; repeated or apart by blanks)

The draw itself is steered at ``/hall/<ref>/draw/experts``.
"""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _
from flask_babel import ngettext

from evaluation.panels import experts, panels, seating
from evaluation.panels.panels import FORMS_IN, Panel
from evaluation.reporting import panel_queries, queries
from trading.kernel.access import Act
from trading.kernel.clock import write_moment
from trading.kernel.errors import Fault, Invalid, NotFound
from trading.kernel.work import UnitOfWork, View
from trading.opening import ceremony
from trading.parties import parties
from trading.tendering import tenders
from trading.tendering.tenders import Lot
from trading.views import lot_cards
from web.desks.agency import desk as agency
from web.desks.centre import desk as centre
from web.http.forms import Form
from web.http.gate import Desk, reading, render, request
from web.http.layout import Group

desk = Desk("panels")

SEATING = frozenset({Act.PANEL_DRAW, Act.PANEL_CONVENE})
OVER = ("SEATED", "LISTED", "REVEALED", "CONCLUDED")


@desk.rail
def rail() -> list[Group]:
    return agency.desk.groups() if request.path.startswith("/agency") else centre.desk.groups()


@desk.blueprint.context_processor
def _for_templates() -> dict[str, Any]:
    return {"blank_form": Form.blank}


# --- the list ---------------------------------------------------------------------------------------------------------------------


@desk.page("/centre/panels", needs=Act.PANEL_DRAW)
def index() -> str:
    with reading() as view:
        held, wanted = panel_queries.panel_cards(view), panel_queries.without_panel(view)
        running = [one for one in held if one.state != "CONCLUDED"]
        return render(
            "panels/index.html", running=running, past=[one for one in held if one.state == "CONCLUDED"], wanted=wanted
        )


# --- one panel --------------------------------------------------------------------------------------------------------------------


def _lot(view: View, ref: str) -> Lot:
    lot = tenders.lot(view.session, ref)
    if lot.published_at is None:
        raise NotFound("lot.unknown", ref=ref)
    return lot


@desk.page("/centre/panels/<ref>", needs=Act.PANEL_DRAW)
def panel(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        lot = _lot(view, ref)
        card = queries.panel_card(view, lot) if panels.of_lot(view.session, lot) else None
        lot_card = lot_cards.card_of(view, lot)
        known = [
            (code, code, ngettext("%(num)s expert in the library", "%(num)s experts in the library", count))
            for code, count in experts.specialties(view.session)
        ]
        first = Form.blank({"members": 5, "specialties": [known[0][0]] if len(known) == 1 else []})
        return render(
            "panels/panel.html",
            form=form or first,
            card=card,
            lot=lot_card,
            known=known,
            may_ask=lot.state in FORMS_IN,
            public=ceremony.is_public(view.session, lot),
            seated=bool(card and card.state in OVER),
            crumbs=[(_("Centre"), "/centre"), (_("Experts and panels"), "/centre/panels"), (ref, "")],
        )


@desk.page("/centre/panels/<ref>/data", needs=Act.PANEL_DRAW)
def data(ref: str) -> Response:
    """The panel for a program: places by number, calls, the draw's state."""
    with reading() as view:
        card = queries.panel_card(view, _lot(view, ref))
        return jsonify(
            v=1,
            lot=card.lot,
            state=card.state,
            members=card.members,
            experts=card.experts,
            specialties=card.specialties,
            avoid=card.avoid,
            starts_at=write_moment(card.starts_at),
            place=card.place,
            round=card.round,
            missing=card.missing,
            must_avoid=card.must_avoid,
            lawful=card.lawful,
            draw={
                "draw": card.draw.name,
                "state": card.draw.state,
                "size": card.draw.size,
                "take": card.draw.take,
                "pool": card.draw.pool_hash,
                "picks": card.draw.picks,
            },
            seats=[
                {"no": one.no, "kind": one.kind, "state": one.state, "chair": one.is_chair, "progress": one.progress}
                for one in card.seats
            ],
            calls=[
                {"no": one.no, "position": one.position, "kind": one.kind, "state": one.state} for one in card.calls
            ],
        )


@desk.act("/centre/panels/<ref>/acts/request", needs=Act.PANEL_DRAW, back=panel)
def do_request(unit: UnitOfWork, form: Form, ref: str) -> str:
    members, drawn = form.whole("members", least=1, most=99), form.whole("experts", needed=False, least=1, most=99)
    codes = " ".join(form.typed.getlist("specialties")).split()
    if not codes:
        form.fault("specialties", "form.required")
    region, place = form.text("region", needed=False, limit=40), form.text("place", needed=False, limit=200)
    starts_at, avoid = form.moment("starts_at"), _units(form)
    hard, large = form.ticked("complex"), form.ticked("impact")
    form.refuse_if_any()
    if members is None or starts_at is None:
        raise AssertionError("refused above")
    panels.request(
        unit,
        _lot(unit, ref),
        members=members,
        specialties=codes,
        starts_at=starts_at,
        experts_wanted=drawn,
        region=region,
        place=place,
        avoid=avoid,
        technically_complex=hard,
        large_social_impact=large,
    )
    return f"/centre/panels/{ref}"


def _units(form: Form) -> list[dict[str, str]]:
    """Units to keep away from, a line each: the code, then the name."""
    lines = [
        line.split(maxsplit=1)
        for line in form.text("avoid", needed=False, limit=4000, lines=True).splitlines()
        if line.strip()
    ]
    return [{"code": parts[0].rstrip(",，"), "name": parts[1] if len(parts) > 1 else ""} for parts in lines]


def _panel(unit: UnitOfWork, ref: str) -> Panel:
    return panels.panel(unit.session, _lot(unit, ref))


@desk.act("/centre/panels/<ref>/acts/call", needs=Act.PANEL_DRAW, back=panel)
def do_call(unit: UnitOfWork, _form: Form, ref: str) -> str:
    panels.call(unit, _panel(unit, ref))
    return f"/centre/panels/{ref}"


@desk.act("/centre/panels/<ref>/acts/silent", needs=Act.PANEL_DRAW, back=panel)
def do_silent(unit: UnitOfWork, form: Form, ref: str) -> str:
    no = form.whole("no", least=1)
    form.refuse_if_any()
    panels.mark_silent(unit, _panel(unit, ref), no or 0)
    return f"/centre/panels/{ref}"


@desk.act("/centre/panels/<ref>/acts/remove-matched", needs=Act.PANEL_CONVENE, back=panel)
def do_remove_matched(unit: UnitOfWork, _form: Form, ref: str) -> str:
    panels.remove_matched(unit, _panel(unit, ref))
    return f"/centre/panels/{ref}"


@desk.act("/centre/panels/<ref>/acts/remove", needs=Act.PANEL_CONVENE, back=panel)
def do_remove(unit: UnitOfWork, form: Form, ref: str) -> str:
    no, reason = form.whole("no", least=1), form.text("reason", limit=2000, lines=True)
    form.refuse_if_any()
    panels.remove(unit, _panel(unit, ref), no or 0, reason=reason)
    return f"/centre/panels/{ref}"


@desk.act("/centre/panels/<ref>/acts/convene", needs=Act.PANEL_CONVENE, back=panel)
def do_convene(unit: UnitOfWork, _form: Form, ref: str) -> str:
    seating.convene(unit, _panel(unit, ref))
    return f"/centre/panels/{ref}"


# --- the purchaser's representatives ----------------------------------------------------------------------------------------------


def _own(view: View, ref: str) -> Lot:
    lot = lot_cards.visible_lot(view, ref)
    if view.actor.party_id != lot.project.purchaser_id:
        raise NotFound("lot.unknown", ref=ref)
    return lot


@desk.page("/agency/lots/<ref>/panel", needs=Act.DRAW_TAKE_PART)
def representatives(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        lot = _own(view, ref)
        own = panel_queries.own_places(view, lot)
        return render(
            "panels/representatives.html",
            form=form or Form.blank(),
            lot=lot_cards.card_of(view, lot),
            asked=own.asked,
            places=own.places,
            held=own.held,
            people=own.people,
            free=own.free,
            running=own.running,
            crumbs=[
                (_("Purchasing desk"), "/agency"),
                (ref, f"/agency/lots/{ref}"),
                (_("Our representatives on the panel"), ""),
            ],
        )


@desk.act("/agency/lots/<ref>/acts/representatives", needs=Act.DRAW_TAKE_PART, back=representatives)
def do_representatives(unit: UnitOfWork, form: Form, ref: str) -> str:
    names = " ".join(form.typed.getlist("accounts")).split()
    if not names:
        form.fault("accounts", "form.required")
    form.refuse_if_any()
    found = panels.panel(unit.session, _own(unit, ref))
    accounts = [parties.find_account(unit.session, name) for name in names]
    if missing := [name for name, one in zip(names, accounts, strict=True) if one is None]:
        raise Invalid(
            "form.faults",
            faults=[Fault("accounts", "panel.not_a_representative", {"username": one}) for one in missing],
            count=len(missing),
        )
    panels.name_representatives(unit, found, [one for one in accounts if one is not None])
    return f"/agency/lots/{ref}/panel"
