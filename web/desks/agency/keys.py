"""Who opens (key holders, policies, drill), and the read-back page before everything becomes public."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask_babel import gettext as _

from trading import publication
from trading.custody import officers, policies, replacements, successions
from trading.kernel.access import Act, may
from trading.kernel.errors import Fault, Invalid
from trading.kernel.work import UnitOfWork, View
from trading.parties import parties
from trading.procedures import fields, procedure_of
from trading.tendering import invitations, planning, tenders
from trading.tendering.tenders import Lot
from trading.views import agency_queries, lot_cards
from web import words
from web.desks.agency.lots import checklist, show_lot
from web.desks.agency.room import SEE, agency, bound_words, finding_tag, labels, said
from web.desks.public.words import last_day, notice_facts
from web.http.forms import Form
from web.http.gate import go, reading, request, work
from web.http.page_rules import ByHand
from web.http.refusals import language

THREE = ("platform", "tenderee", "supervisor")
"""The sides of every site; a notary is a fourth."""


@agency.page("/lots/<ref>/keys", needs=SEE)
def keys_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        card = lot_cards.card_of(view, lot)
        people = agency_queries.candidates(view, lot)
        seats = lot_cards.officer_cards(view, lot)
        first: dict[str, Any] = {"t": lot.threshold or 3}
        first |= {f"side.{seat.account.username}": seat.side for seat in officers.seats(view.session, lot)}
        rows = lot_cards.policy_cards(view, lot)
        envelopes = officers.envelopes(lot)
        return show_lot(
            "agency/lot_keys.html",
            view,
            card,
            _("Key holders and drill"),
            form=form or Form.blank(first, version=card.version),
            people=people,
            absent=_absent(people),
            seats=seats,
            policies=rows,
            envelopes=[(one, _envelope(one)) for one in envelopes],
            policy_form=Form.blank(
                {"rescue": "yes", "max_plen": str(officers.MAX_PLEN), "mirror": policies.default_mirror(view)}
            ),
            sizes=officers.SIZES,
            mirrors=_mirrors() if view.office.mirror is not None else [],
            ready=bool(seats) and all(seat.keyed for seat in seats) and bool(card.deadline),
            threshold=lot.threshold,
            lost=_lost(view, lot),
            replacing=_replacing(view, lot),
            grounds=labels("officers_ground", successions.GROUNDS),
            swap=form if form is not None and "seat" in form.typed else Form.blank(),
        )


def _mirrors() -> list[tuple[str, str]]:
    return [
        ("files", _("takes each sealed file")),
        ("digests", _("takes digests, and asks for random pieces before the shares")),
        ("none", _("takes nothing")),
    ]


def _absent(people: Iterable[agency_queries.Candidate]) -> str:
    """The sides that nobody could hold a share for, in words; "" where three or more sides have somebody."""
    there = {side for one in people for side in one.sides}
    if len(there) > 2:
        return ""
    missing = [words.state("side", side, language()).text for side in THREE if side not in there]
    return ("、" if language() == "zh" else ", ").join(missing)


def _lost(view: View, lot: Lot) -> dict[str, Any] | None:
    """Who cannot open any more, and what that means for the bids (protocol §5.3); None while all can."""
    gone = officers.lost_seats(view.session, lot)
    if not gone:
        return None
    named = officers.seats(view.session, lot)
    why = {"lost": _("key lost"), "revoked": _("key revoked"), "closed": _("account closed")}
    return {
        "who": [(seat.account.name, why[gone[seat.j]]) for seat in named if seat.j in gone],
        "left": len(named) - len(gone),
        "stolen": sum(1 for one in gone.values() if one == "revoked"),
        "t": lot.threshold or 0,
    }


def _replacing(view: View, lot: Lot) -> dict[str, Any] | None:
    """A change of key holders after publication: what waits, what it means for bids already sealed, what was done; None before."""
    if lot.published_at is None:
        return None
    change = officers.open_change(view.session, lot)
    done = [one for one in officers.changes_of(view.session, lot) if one.kind == "officers" and one.state == "DONE"]
    found: dict[str, Any] = {
        "open": lot.state in ("NOTICE", "BIDDING") and lot.deadline is not None and view.now < lot.deadline,
        "done": done[::-1],
        "extending": change is not None and change.kind == "extension",
        "change": None,
        "untried": [
            seat.account.name
            for seat in officers.seats(view.session, lot)
            if seat.j in officers.untried(view.session, lot)
        ],
        "may_propose": may(view.actor, Act.LOT_PUBLISH),
        "may_confirm": may(view.actor, Act.OFFICERS_CONFIRM),
    }
    if change is not None and change.kind == "officers":
        plan = change.plan
        named = [parties.account(view.session, one["account"]) for one in plan["officers"]]
        fates = successions.fates(view.session, lot, successions.planned(view.session, change))
        found |= {
            "change": change,
            "t": plan["t"],
            "confirmed": bool(plan["confirmed_by"]),
            "own": view.actor.account_id == plan["by"],
            "people": [
                (who.name, who.party.name, one["side"]) for who, one in zip(named, plan["officers"], strict=True)
            ],
            "fates": [one for one in fates if one.dies or one.alive],
            "dies": any(one.dies for one in fates),
            "moves": change.deadline != lot.deadline,
            "next": lot_cards.officer_cards(view, lot, officers.NEXT),
        }
    return found


def _envelope(name: str) -> str:
    if name == officers.BID:
        return _("bids")
    return _("draw of experts") if name.startswith("draw:experts") else _("draw of the coefficient")


@agency.page("/lots/<ref>/acts/name-officers", needs=Act.TENDER_DRAFT, post=ByHand.LOOKS, back=keys_page)
def do_name_officers(ref: str) -> Any:
    form, where = Form.read(), f"/agency/lots/{ref}/keys"
    t = form.whole("t", least=2, most=15)
    with reading() as view:
        people = agency_queries.candidates(view, agency_queries.own_lot(view, ref))
    named = [
        (one.username, side) for one in people if (side := form.choice(f"side.{one.username}", one.sides, needed=False))
    ]
    form.refuse_if_any()
    with work() as unit:
        unit.once(form.form_id, where)
        rows = [(parties.find_account(unit.session, username), side) for username, side in named]
        try:
            officers.name_officers(
                unit, tenders.lot(unit.session, ref), [(who, side) for who, side in rows if who is not None], t=t or 0
            )
        except Invalid as refusal:
            raise Invalid(
                refusal.code, faults=[Fault(_field(one.where, named), one.code, one.facts) for one in refusal.faults]
            ) from refusal
    return go(where)


@agency.page("/lots/<ref>/acts/replace-officer", needs=Act.TENDER_DRAFT, post=ByHand.LOOKS, back=keys_page)
def do_replace_officer(ref: str) -> Any:
    """One holder is replaced before publication. Fields: ``seat`` (j), ``holder`` (``username side``)."""
    form, where = Form.read(), f"/agency/lots/{ref}/keys"
    j = form.whole("seat", least=1, most=15)
    with reading() as view:
        people = agency_queries.candidates(view, agency_queries.own_lot(view, ref))
    username, _space, side = form.choice(
        "holder", [f"{one.username} {side}" for one in people for side in one.sides]
    ).partition(" ")
    form.refuse_if_any()
    with work() as unit:
        unit.once(form.form_id, where)
        who = parties.find_account(unit.session, username)
        assert who is not None and j is not None
        try:
            officers.replace_officer(unit, tenders.lot(unit.session, ref), j, who, side)
        except Invalid as refusal:
            raise Invalid(
                refusal.code, faults=[Fault("holder", one.code, one.facts) for one in refusal.faults]
            ) from refusal
    return go(where)


def _field(where: str, named: list[tuple[str, str]]) -> str:
    noun, _point, place = where.partition(".")
    return f"side.{named[int(place)][0]}" if noun == "officers" and place.isdigit() else where


# --- after publication: another set of key holders ------------------------------------------------------------------------------------


@agency.page("/lots/<ref>/acts/propose-officers", needs=Act.LOT_PUBLISH, post=ByHand.LOOKS, back=keys_page)
def do_propose_officers(ref: str) -> Any:
    """Another set of key holders. Fields: ``t``, ``side.<username>``, ``ground``, ``reason``, ``deadline`` (may be empty)."""
    form, where = Form.read(), f"/agency/lots/{ref}/keys"
    t = form.whole("t", least=2, most=15)
    ground, reason = form.choice("ground", successions.GROUNDS), form.text("reason", limit=1000, lines=True)
    deadline = form.moment("deadline", needed=False)
    with reading() as view:
        people = agency_queries.candidates(view, agency_queries.own_lot(view, ref))
    named = [
        (one.username, side) for one in people if (side := form.choice(f"side.{one.username}", one.sides, needed=False))
    ]
    form.refuse_if_any()
    with work() as unit:
        unit.once(form.form_id, where)
        found = [(parties.find_account(unit.session, username), side) for username, side in named]
        rows = [(who, side) for who, side in found if who is not None]
        try:
            replacements.propose(
                unit, tenders.lot(unit.session, ref), rows, t=t or 0, ground=ground, reason=reason, deadline=deadline
            )
        except Invalid as refusal:
            raise Invalid(
                refusal.code,
                faults=[Fault(_field(one.where, named), one.code, one.facts) for one in refusal.faults],
                **refusal.facts,
            ) from refusal
    return go(where)


@agency.act("/lots/<ref>/acts/confirm-officers", needs=Act.OFFICERS_CONFIRM, back=keys_page)
def do_confirm_officers(unit: UnitOfWork, form: Form, ref: str) -> str:
    """The second person. Field ``dies``: what the page said becomes of bids sealed so far; then ``sure`` is needed."""
    dies = form.choice("dies", ("yes", "no")) == "yes"
    form.ticked("sure", needed=True)
    form.refuse_if_any()
    replacements.confirm(unit, tenders.lot(unit.session, ref), dies=dies)
    return f"/agency/lots/{ref}/keys"


@agency.act("/lots/<ref>/acts/take-back-officers", needs=Act.OFFICERS_CONFIRM, back=keys_page)
def do_take_back_officers(unit: UnitOfWork, _form: Form, ref: str) -> str:
    replacements.take_back(unit, tenders.lot(unit.session, ref))
    return f"/agency/lots/{ref}/keys"


@agency.act("/lots/<ref>/acts/draft-policies", needs=Act.TENDER_DRAFT, back=keys_page)
def do_draft_policies(unit: UnitOfWork, form: Form, ref: str) -> str:
    file_names, rescue = form.ticked("file_names"), form.ticked("rescue")
    most = form.choice("max_plen", map(str, officers.SIZES), needed=False)
    mirror = form.choice("mirror", ("files", "digests", "none"), needed=False)
    form.refuse_if_any()
    policies.draft_policies(
        unit,
        tenders.lot(unit.session, ref),
        file_names=file_names,
        rescue=rescue,
        max_plen=int(most or officers.MAX_PLEN),
        mirror=mirror,
    )
    return f"/agency/lots/{ref}/keys"


# --- publication ----------------------------------------------------------------------------------------------------------------------


@agency.page("/lots/<ref>/publish", needs=Act.LOT_PUBLISH)
def publish_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        card = lot_cards.card_of(view, lot)
        rows, faults, findings = checklist(view, lot) if lot.state == "ACCEPTED" else ([], [], [])
        warnings = [
            (finding_tag(one), said(Fault(one.field, one.code, one.facts)))
            for one in findings
            if one.severity == "warning"
        ]
        return show_lot(
            "agency/lot_publish.html",
            view,
            card,
            _("Publish"),
            form=form or Form.blank({"text": _opening_words(lot)}, version=card.version),
            rows=rows,
            faults=faults,
            warnings=warnings,
            documents=lot_cards.document_cards(view, lot),
            limits=_limits(view, lot),
            holders=lot_cards.officer_cards(view, lot),
            threshold=lot.threshold,
        )


@agency.page("/lots/<ref>/preview", needs=SEE)
def preview_page(ref: str) -> Any:
    """The notice as everybody will read it, from the same template as its public page."""
    with reading() as view:
        lot = agency_queries.own_lot(view, ref)
        if lot.state != "ACCEPTED":
            return go(f"/lots/{ref}" if lot.published_at else f"/agency/lots/{ref}")
        card = lot_cards.card_of(view, lot)
        notice = publication.preview(view, lot, text=request.args.get("text", "")[:4000] or _opening_words(lot))
        lacking = {
            one.name: label.text(language())
            for one in fields.of_notice("tender")
            if one.needed and (label := one.ask.label if one.ask else one.label)
        } | {"policy": _("Opening policy"), "files": _("Documents")}
        return show_lot(
            "agency/lot_preview.html",
            view,
            card,
            _("Preview of the notice"),
            notice=notice,
            facts=notice_facts(notice.kind, notice.body, card),
            rows=[],
            missing=[words for name, words in lacking.items() if not notice.body[name]],
            may_publish=may(view.actor, Act.LOT_PUBLISH),
            last_day=last_day,
            cap=lambda text: text[:1].upper() + text[1:],
        )


def _opening_words(lot: Lot) -> str:
    """What a notice says after its facts, where the agency does not write it anew."""
    if invitations.is_invited_only(lot):
        return _(
            "Those invited are asked to take part. They get the documents on the platform; others cannot take part."
        )
    usual = _("Qualified bidders are welcome to take part. Taking part needs no registration and no review.")
    return procedure_of(lot).vocabulary.said(usual, language())


def _limits(view: View, lot: Lot) -> list[tuple[str, Any, str]]:
    """(limit, moment, why) of all moments that follow from publication now."""
    if lot.deadline is None:
        return []
    plan = planning.timetable(lot, view.now)
    rows: list[tuple[str, Any, str]] = []
    for act, label, end in (
        ("notice_period_ends", _("Notice period ends not before"), True),
        ("bid_deadline", _("Earliest lawful bid deadline"), False),
    ):
        bound = agency_queries.bounds(view, lot, act, plan).earliest
        if bound is not None:
            rows.append((label, bound.term.ends_at if end and bound.term else bound.at, bound_words(bound)))
    rows.append(
        (
            _("Bid deadline chosen"),
            lot.deadline,
            _("The moment itself is late; the clock of the server decides (rule N-08)."),
        )
    )
    cutoff = agency_queries.clarify_cutoff(view, lot)
    if cutoff is not None:
        rows.append((_("Clarifications that affect bids, before"), cutoff.at, bound_words(cutoff)))
    return rows


@agency.act("/lots/<ref>/acts/publish", needs=Act.LOT_PUBLISH, back=publish_page)
def do_publish(unit: UnitOfWork, form: Form, ref: str) -> str:
    text = form.text("text", needed=False, limit=4000, lines=True)
    form.ticked("sure", needed=True)
    form.refuse_if_any()
    publication.publish(unit, tenders.lot(unit.session, ref), text=text, seen=form.version)
    return f"/agency/lots/{ref}"
