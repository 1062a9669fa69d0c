"""The opening hall: today's openings, the public view of one, what needs its officers and host now. Nobody sees more than the public
before the set is published, the host and the administrators included (promise S1).

Acts for scripts (each form also carries ``csrf_token`` and ``form_id``; a signed document is JSON text in its field, or a file in
``<field>_file``) and the JSON they need:

    anybody     GET  /hall/<ref>/data                     state, moments, and once published: set, shares, bids, remarks, opening list
                GET  /hall/<ref>/proofs                   trust and receipts of the public entries
    officer     GET  /hall/<ref>/officer/scopes           POST /hall/<ref>/acts/keys           ``publics``: {envelope: X25519 key}
                GET  /hall/<ref>/officer/policies         POST /hall/<ref>/acts/sign-policies  ``policies``: [DSSE of each payload]
                GET  /hall/<ref>/officer/drills           POST /hall/<ref>/acts/return-drills  ``drills``: [{document: DSSE, part}]
                GET  /hall/<ref>/package.json, .zip       POST /hall/<ref>/acts/release        ``shares``: DSSE          (fresh sign-in)
                GET  /hall/<ref>/officer/opened           POST /hall/<ref>/acts/countersign    ``opened``: the list with one's signature
                GET  /hall/<ref>/draw/<label>/package.json  POST /hall/<ref>/draw/<label>/acts/escrow  ``shares``: DSSE  (fresh sign-in)
    chairs      POST /hall/<ref>/acts/sign-in             nothing more (sheet.py); several lots at once: session.py
    host        POST /hall/<ref>/acts/read ``place``      the line of the list that is read out (read.py)
    purchaser   POST /hall/<ref>/acts/bind-base-price, …/publish-base-price (base.py)
    host        POST /hall/<ref>/acts/list, …/open, …/sign-minutes, …/close    nothing more
                POST /hall/<ref>/acts/extend ``reason``; …/answer ``remark`` (its id in /data), ``text``
                GET  /hall/<ref>/minutes (``?draft=1`` before the signature)
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _

from crypto.canonical import loads
from crypto.signatures import payload_of
from trading import draws
from trading.availability import deadline_faults
from trading.bidding import tickets
from trading.custody import officers, policies
from trading.hall import attendance
from trading.kernel.access import Act, Role, may
from trading.kernel.clock import write_moment
from trading.kernel.work import View
from trading.opening import ceremony
from trading.tendering.tenders import Lot
from trading.views import lot_cards
from trading.views.hall_queries import openings_ahead, own_seats, running_openings, step_of
from web.desks.hall import bars, base, host, minutes, officer, read, session, sheet, wall
from web.desks.hall.cards import hall_card
from web.desks.hall.proofs import public_entries
from web.desks.hall.room import crumbs_of, hall, lot_at_market, part_asked, zone
from web.http.forms import Form
from web.http.gate import actor, reading, render
from web.http.layout import Duty, Tick, sorted_duties, sun_line
from web.http.page_rules import ANYONE
from web.http.refusals import language

desk = hall
PARTS = (base, host, minutes, officer, read, session, sheet, wall)
"""The other chairs of this desk; importing them adds their pages."""


@hall.page("", needs=ANYONE)
def index() -> str:
    with reading() as view:
        rows = openings_ahead(view, zone())
        shown = {card.ref for card, _step in rows}
        earlier = [(card, step) for card, step in running_openings(view) if card.ref not in shown]
        local = view.now.astimezone(zone()).date()
        ticks = [
            Tick(card.opens_at, card.title[:10])
            for card, _step in rows
            if card.opens_at is not None and card.opens_at.astimezone(zone()).date() == local
        ]
        day = sun_line(view.now, ticks, lang=language(), zone=zone())
    first = [
        (card, step)
        for card, step in rows
        if card.opens_at is not None and card.opens_at.astimezone(zone()).date() == local
    ]
    several = Counter(card.tender for card, _step in [*earlier, *rows])
    return render("hall/index.html", day=day, today=[*earlier, *first], later=rows[len(first) :], several=several)


@hall.page("/desk", needs={Act.POLICY_SIGN, Act.OPENING_HOST})
def desk_page() -> str:
    with reading() as view:
        duties = _officer_duties(view) if may(view.actor, Act.POLICY_SIGN) else _host_duties(view)
        mine = [card for card, _step in [*running_openings(view), *openings_ahead(view, zone())]]
        if may(view.actor, Act.POLICY_SIGN):
            mine = lot_cards.officer_lots(view)
        steps = {card.ref: step_of(view, lot_cards.visible_lot(view, card.ref)) for card in mine}
        unique = list({card.ref: card for card in mine}.values())
    return render(
        "hall/desk.html",
        duties=duties,
        mine=unique,
        steps=steps,
        is_officer=may(actor(), Act.POLICY_SIGN),
        crumbs=crumbs_of((_("What needs me now"), "")),
    )


@hall.page("/<ref>", needs=ANYONE)
def view(ref: str) -> str:
    with reading() as view:
        lot = lot_at_market(view, ref)
        card, mine, chair = (
            hall_card(view, lot, part_asked(view, lot)),
            attendance.own(view, lot),
            sheet.has_chair(view, lot),
        )
        suspended = deadline_faults.standing(view.session, lot)
        j = next((seat.j for seat, of in own_seats(view) if of.id == lot.id and seat.stage == officers.STANDING), 0)
    return render(
        "hall/view.html",
        card=card,
        mine=mine,
        chair=chair,
        j=j,
        chart=bars.price_bars(card),
        asked=actor().role is Role.PUBLIC or (chair and sheet.is_bidder()),
        suspended=suspended,
        form=Form.blank(),
        crumbs=crumbs_of((card.lot.ref, "")),
    )


@hall.page("/<ref>/data", needs=ANYONE)
def data(ref: str) -> Response:
    """The public state of an opening for programs; before the set is published: moments, policy and state alone."""
    with reading() as view:
        lot = lot_at_market(view, ref)
        part = part_asked(view, lot)
        card = hall_card(view, lot, part)
        found: dict[str, Any] = {
            "ref": card.lot.ref,
            "envelope": part,
            "state": card.step,
            "lot_state": card.lot.state,
            "claims_end": _at(card.claims_end),
            "waits": [
                {"turn": one.turn, "who": one.who, "what": one.what, "until": _at(one.until)} for one in card.waits
            ],
            "policy": card.policy_id,
            "t": card.t,
            "n": card.n,
            "now": write_moment(view.now),
            "deadline": _at(card.lot.deadline),
            "opens_at": _at(card.lot.opens_at),
            "last": card.last,
            "ceiling": card.lot.ceiling.text(),
            "base_price": None
            if card.base is None
            else {
                "commitment": card.base.commitment,
                "bound_at": _at(card.base.committed_at),
                "salt": card.base.salt,
                "price": card.base.price.text() if card.base.price else "",
                "published_at": _at(card.base.published_at),
            },
            "present": [{"name": p.name, "party": p.party, "chair": p.kind, "at": _at(p.at)} for p in card.officials],
        }
        row = ceremony.find(view.session, lot, part)
        if row is not None:
            found |= {
                "set": row.set_hash,
                "opening_set": row.opening_set,
                "listed_at": _at(row.listed_at),
                "shares_from": _at(row.shares_from),
                "shares_until": _at(row.shares_until),
                "may_decrypt": card.may_decrypt,
                "opened_at": _at(row.opened_at),
                "confirm_until": _at(row.confirm_until),
                "signatures_wanted": card.wanted,
                "countersigned": [s.j for s in card.countersigned],
                "shares": [{"j": s.j, "name": s.name, "at": _at(s.released_at)} for s in card.shares],
                "bids": [
                    {
                        "no": b.no,
                        "name": b.name,
                        "header_hash": b.header_hash,
                        "verdict": b.verdict,
                        "cause": b.cause,
                        "price": b.price.text() if b.price else "",
                        "handed_in": _at(b.handed_in),
                        "over_ceiling": b.over_ceiling,
                    }
                    for b in card.bids
                ],
                "reading": card.place,
                "read_at": {str(place): _at(at) for place, at in card.read_moments.items()},
                "remarks": [
                    {
                        "id": r.id,
                        "name": r.name,
                        "kind": r.kind,
                        "at": _at(r.at),
                        "text": r.text,
                        "answer": r.answer,
                        "answered_at": _at(r.answered_at),
                    }
                    for r in card.remarks
                ],
                "minutes": card.minutes,
                "against_ceiling": bars.facts(card),
                "signed_in": [{"party": p.party, "name": p.name, "at": _at(p.at), "late": p.late} for p in card.came],
            }
            if row.opened is not None:
                found |= {"opened": row.opened, "opening_list": loads(payload_of(row.opened))}
    return jsonify(found)


@hall.page("/<ref>/proofs", needs=ANYONE)
def proofs(ref: str) -> Response:
    """Receipts of the public entries of an opening, with proofs once sealed, and whom to trust: for a check without this platform."""
    with reading() as view:
        return jsonify(trust=tickets.trust(view), entries=public_entries(view, lot_at_market(view, ref)))


def _at(moment: Any) -> str:
    return write_moment(moment) if moment is not None else ""


# --- what needs me now ------------------------------------------------------------------------------------------------------------


def _officer_duties(view: View) -> list[Duty]:
    duties: list[Duty] = []
    seats = own_seats(view)
    for seat, lot in seats:
        if not seat.publics and (lot.state == "ACCEPTED" or seat.stage == officers.NEXT):
            duties.append(
                Duty(
                    _("Give the keys of %(lot)s", lot=lot.title),
                    f"/hall/{lot.ref}/officer#keys",
                    lot.deadline,
                    basis=_("one key for each envelope, made on your computer"),
                    label=_("keys"),
                    tone="now",
                )
            )
    signing: dict[str, tuple[Lot, int]] = {}
    for policy in policies.policies_to_sign(view):
        signing[policy.lot.ref] = (policy.lot, signing.get(policy.lot.ref, (policy.lot, 0))[1] + 1)
    for ref, (lot, count) in signing.items():
        duties.append(
            Duty(
                _("Read and sign %(n)s policies of %(lot)s", n=count, lot=lot.title),
                f"/hall/{ref}/officer#policies",
                lot.deadline,
                basis=_("everybody signs the same bytes; publication waits for it"),
                label=_("sign"),
                tone="now",
            )
        )
    trying: dict[str, tuple[Lot, int]] = {}
    for drill in policies.drills_to_open(view):
        held = drill.policy.lot
        trying[held.ref] = (held, trying.get(held.ref, (held, 0))[1] + 1)
    for ref, (lot, count) in trying.items():
        duties.append(
            Duty(
                _("Open %(n)s drills of %(lot)s", n=count, lot=lot.title),
                f"/hall/{ref}/officer#drills",
                lot.deadline,
                basis=_("shows that your key opens; publication waits for it"),
                label=_("drill"),
                tone="now",
            )
        )
    for seat, lot in seats:
        duties += _opening_duties(view, lot, seat)
    return sorted_duties(duties, view.now)


def _of_draw(view: View, drawn: draws.Draw, seat: officers.OfficerSeat) -> officers.Policy | None:
    """The policy of a draw, where this seat is of its officers."""
    policy = draws.policy_of(view.session, drawn)
    return policy if officers.policy_document(policy)["serial"] == seat.serial else None


def _opening_duties(view: View, lot: Lot, seat: officers.OfficerSeat) -> list[Duty]:
    row = ceremony.current(view.session, lot) if seat.stage == officers.STANDING else None
    duties: list[Duty] = []
    if row is None and seat.stage == officers.STANDING and lot.state in ("NOTICE", "BIDDING", "OPENING"):
        duties.append(
            Duty(
                _("Opening: %(lot)s", lot=lot.title),
                f"/hall/{lot.ref}",
                lot.opens_at,
                basis=_("have your key file at hand"),
                label=_("sealed"),
                tone="sealed",
            )
        )
    if row is not None:
        posted = {share.j for share in ceremony.shares(view.session, row)}
        signed = {s["keyid"] for s in row.opened["signatures"]} if row.opened else set()
        if row.state == "LISTED" and seat.j not in posted:
            duties.append(
                Duty(
                    _("Release your shares: %(lot)s", lot=lot.title),
                    f"/hall/{lot.ref}/release",
                    row.shares_until,
                    basis=_("only your own, only after claims end"),
                    label=_("shares"),
                    tone="now",
                )
            )
        if row.state == "OPENED" and seat.j in posted and seat.sign_kid not in signed:
            duties.append(
                Duty(
                    _("Check and countersign the opening list: %(lot)s", lot=lot.title),
                    f"/hall/{lot.ref}/sign",
                    row.confirm_until,
                    basis=_("your page repeats the re-derivation first"),
                    label=_("countersign"),
                    tone="now",
                )
            )
    for label in draws.NEEDS:
        drawn = draws.find(view.session, lot, label)
        if drawn is None or drawn.state != "LISTED" or any(str(seat.j) in turn.escrow for turn in drawn.turns):
            continue
        policy = _of_draw(view, drawn, seat)
        if policy is not None and view.now >= policy.opens_at:
            duties.append(
                Duty(
                    _("Open the escrow of a draw: %(lot)s", lot=lot.title),
                    f"/hall/{lot.ref}/draw/{label}/escrow",
                    basis=_("a party did not reveal in time"),
                    label=_("escrow"),
                    tone="warn",
                )
            )
    return duties


def _host_duties(view: View) -> list[Duty]:
    duties = []
    for card, step in {
        card.ref: (card, step) for card, step in [*running_openings(view), *openings_ahead(view, zone())]
    }.values():
        words = {
            "BEFORE": _("Opening: %(lot)s", lot=card.title),
            "SHUT": _("Publish the set: %(lot)s", lot=card.title),
            "LISTED": _("Shares and decryption: %(lot)s", lot=card.title),
            "OPENED": _("Remarks and minutes: %(lot)s", lot=card.title),
            "SIGNED": _("Close the opening: %(lot)s", lot=card.title),
        }.get(step)
        if words:
            sealed = step == "BEFORE"
            duties.append(
                Duty(
                    words,
                    f"/hall/{card.ref}/host",
                    card.opens_at if sealed else None,
                    when="" if sealed else _("now"),
                    basis=card.place,
                    label=_("sealed") if sealed else _("running"),
                    tone="sealed" if sealed else "now",
                )
            )
    return sorted_duties(duties, view.now)
