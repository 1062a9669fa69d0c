"""Public draws (protocol §6): what everybody may see and recompute, the host's and the centre's steps, and the tenderee's turn, whose
random bytes stay in its own browser until it reveals them.

Acts for scripts (each form also carries ``csrf_token`` and ``form_id``); ``<label>`` is k (host) or experts (centre):

    anybody     GET  /lots/<ref>/draw/<label>/data
    host/centre POST /hall/<ref>/draw/<label>/acts/announce (k alone), …/commit, …/list, …/reveal, …/conclude      nothing more
    tenderee    GET  /agency/lots/<ref>/draw/<label>/kit       policies, notice, listing, commits_at_root
                POST /agency/lots/<ref>/draw/<label>/acts/commit     ``commit``: DSSE, ``header``: escrow header (base64url)
                POST …/acts/sign-list ``listing``: with both signatures; …/acts/reveal ``reveal``: DSSE
"""

from __future__ import annotations

import json
from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _

from crypto.canonical import loads, unb64u
from crypto.errors import CryptoError
from crypto.signatures import payload_of
from trading import draws
from trading.bidding import tickets
from trading.draws import Draw
from trading.hall import package
from trading.kernel import audit, log
from trading.kernel.access import Act, Role, may
from trading.kernel.errors import Invalid, NotFound, WrongStep
from trading.kernel.work import UnitOfWork, View
from trading.opening import ceremony
from trading.tendering import invitations
from trading.tendering.projects import is_of
from trading.tendering.tenders import Lot
from trading.views import lot_cards
from web.desks.hall.room import hall_lot, signed
from web.http.forms import Form
from web.http.gate import Desk, actor, reading, render, request
from web.http.layout import Group, Link
from web.http.page_rules import ANYONE

desk = Desk("draws")

STEERS = frozenset({Act.OPENING_HOST, Act.PANEL_DRAW})
INVITED = "invited"
AT_OPENING = ("NOTICE", "BIDDING", "ACCEPTED")


@desk.rail
def rail() -> list[Group]:
    ref = (request.view_args or {}).get("ref", "")
    who, here = actor(), request.path
    with reading() as view:
        lot = lot_cards.visible_lot(view, ref)
        labels = [
            label
            for label in draws.NEEDS
            if (draws.find(view.session, lot, label) and _may_see(view, lot, label))
            or (label == "k" and lot.coefficients)
        ]
        party = lot.project.purchaser_id
    links = [
        Link(_("This opening"), f"/hall/{ref}"),
        Link(_("Public draws"), f"/lots/{ref}/draw", here == f"/lots/{ref}/draw"),
    ]
    for label in labels:
        name = _name(label)
        if may(who, draws.NEEDS[label]):
            links.append(Link(name, f"/hall/{ref}/draw/{label}", here == f"/hall/{ref}/draw/{label}"))
        if who.role is Role.PURCHASER and who.party_id == party:
            links.append(Link(name, f"/agency/lots/{ref}/draw/{label}", here == f"/agency/lots/{ref}/draw/{label}"))
    return [Group(ref, tuple(links))]


@desk.blueprint.context_processor
def _for_templates() -> dict[str, Any]:
    return {"draw_name": _name}


# --- the public record ------------------------------------------------------------------------------------------------------------


@desk.page("/lots/<ref>/draw", needs=ANYONE)
def record(ref: str) -> str:
    with reading() as view:
        lot = _at_market(view, ref)
        cards = [
            draw_card(view, row)
            for label in draws.NEEDS
            if _may_see(view, lot, label) and (row := draws.find(view.session, lot, label)) is not None
        ]
        card = lot_cards.card_of(view, lot)
        due = [label for label in draws.NEEDS if label == "experts" or lot.coefficients]
    return render("draws/record.html", card=card, cards=cards, due=due, crumbs=_crumbs(ref, (_("Public draws"), "")))


@desk.page("/lots/<ref>/draw/<label>/data", needs=ANYONE)
def data(ref: str, label: str) -> Response:
    """Everything that is public of a draw, for whoever recomputes it. The pool of experts is not; that of the coefficients is."""
    with reading() as view:
        lot = hall_lot(view, ref) if label == INVITED else _at_market(view, ref)
        if not _may_see(view, lot, label):
            raise NotFound("draw.unknown", label=label)
        return jsonify(public_record(view, draws.draw(view.session, lot, label)))


def _at_market(view: View, ref: str) -> Lot:
    lot = hall_lot(view, ref)
    if lot.published_at is None:
        raise NotFound("lot.unknown", ref=ref)
    return lot


def _may_see(view: View, lot: Lot, label: str) -> bool:
    """How many are invited is told to nobody before the opening list but to those who invite, and to who plays the draw."""
    return (
        label != INVITED
        or is_of(lot.project, view.actor.party_id)
        or may(view.actor, draws.NEEDS[label])
        or ceremony.is_public(view.session, lot)
    )


def _name(label: str) -> str:
    """What a draw is called."""
    return {
        "experts": _("Draw of experts"),
        "k": _("Draw of the coefficient"),
        INVITED: _("Draw of the invited"),
    }[label]


def public_record(view: View, row: Draw) -> dict[str, Any]:
    """Notice, commitments with their escrow headers, list, reveals, result, each with its receipt; ``pool`` and ``salt`` of label k."""
    at_root = commit_receipts(view, row)
    found: dict[str, Any] = {
        "draw": row.draw,
        "label": row.label,
        "state": row.state,
        "trust": tickets.trust(view),
        "notice": row.notice,
        "notice_receipt": _receipt(view, row.notice_c),
        "root": row.root or "",
        "beacon": "",
        "parties": [
            {
                "party": turn.party,
                "commit": turn.commit,
                "header": turn.header if row.state == "DRAWN" else "",
                "commit_receipt": at_root.get(turn.party) or _receipt(view, turn.commit_c),
                "r": turn.r,
                "reveal_receipt": _receipt(view, turn.reveal_c) if turn.reveal_c else None,
                "escrow": sorted(int(j) for j in turn.escrow),
            }
            for turn in _ordered(row)
        ],
        "listing": row.listing,
        "listing_receipt": _receipt(view, row.list_c) if row.list_c else None,
        "result": row.result,
        "result_receipt": _receipt(view, row.result_c) if row.result_c else None,
    }
    if row.label == "k":
        document = draws.pool_document(row)
        found |= {"pool": document["pool"], "salt": document["salt"]}
    return found


def _ordered(row: Draw) -> list[draws.DrawTurn]:
    turns = {turn.party: turn for turn in row.turns}
    return [turns[name] for name in row.notice["parties"] if name in turns]


def commit_receipts(view: View, row: Draw) -> dict[str, dict[str, Any]]:
    """Once the root is fixed: each party's commitment proved under that very root, by party."""
    if row.root is None:
        return {}
    session = view.session
    size = 1 + max(tick.tick for turn in row.turns if (tick := log.tick_of(session, turn.commit_c)) is not None)
    proofs = log.proofs(session, [turn.commit_c for turn in row.turns], size=size)
    return {
        turn.party: {"entry": json.loads(audit.entry(session, turn.commit_c).envelope), "proof": proofs[turn.commit_c]}
        for turn in row.turns
    }


def _receipt(view: View, c: str) -> dict[str, Any]:
    held: dict[str, Any] = {"entry": json.loads(audit.entry(view.session, c).envelope)}
    if (proof := log.proof(view.session, c)) is not None:
        held["proof"] = proof
    return held


def draw_card(view: View, row: Draw) -> dict[str, Any]:
    """A draw as a page shows it. Of experts: positions, never names."""
    session = view.session

    def sealed(c: str | None) -> Any:
        tick = log.tick_of(session, c) if c else None
        return tick.at if tick else None

    done = audit.entries(
        session,
        [c for turn in row.turns for c in (turn.commit_c, turn.reveal_c) if c] + [c for c in (row.list_c,) if c],
    )

    def made(c: str | None) -> Any:
        return done[c].at if c else None

    policy = draws.policy_of(session, row)
    result = loads(payload_of(row.result)) if row.result else None
    signers = len(row.listing["signatures"]) if row.listing else 0
    pool = row.pool if row.label == "k" else []
    return {
        "label": row.label,
        "draw": row.draw,
        "state": row.state,
        "size": row.notice["size"],
        "take": row.notice["take"],
        "pool_hash": row.notice["pool"],
        "pool": pool,
        "policy": row.notice["policy"],
        "noticed_at": row.noticed_at,
        "notice_sealed": sealed(row.notice_c),
        "root": row.root,
        "listed": row.listing is not None,
        "list_signed": row.list_c is not None,
        "list_signatures": signers,
        "list_sealed": sealed(row.list_c),
        "list_made": made(row.list_c),
        "escrow_at": policy.opens_at,
        "turns": [
            {
                "party": turn.party,
                "commit": turn.commit,
                "made": made(turn.commit_c),
                "sealed": sealed(turn.commit_c),
                "revealed": bool(turn.r),
                "r": turn.r,
                "revealed_at": made(turn.reveal_c),
                "escrow": sorted(int(j) for j in turn.escrow),
            }
            for turn in _ordered(row)
        ],
        "parties": list(row.notice["parties"]),
        "drawn_at": row.drawn_at,
        "seed": result["seed"] if result else "",
        "faults": result["faults"] if result else [],
        "picks": [pick + 1 for pick in result["picks"]] if result else [],
        "order": [place + 1 for place in draws.order(row)] if result and row.label == "experts" else [],
        "value": pool[result["picks"][0]] if result and pool else "",
    }


def _crumbs(ref: str, *links: tuple[str, str]) -> list[tuple[str, str]]:
    return [(_("Opening hall"), "/hall"), (ref, f"/hall/{ref}"), *links]


# --- the host's and the centre's steps --------------------------------------------------------------------------------------------


@desk.page("/hall/<ref>/draw/<label>", needs=STEERS)
def steer(ref: str, label: str, act: str = "", form: Form | None = None) -> str:
    with reading() as view:
        lot = hall_lot(view, ref)
        _known(lot, label)
        view.require(draws.NEEDS[label])
        row = draws.find(view.session, lot, label)
        card = draw_card(view, row) if row else None
        lot_card = lot_cards.card_of(view, lot)
        public = ceremony.is_public(view.session, lot)
    return render(
        "draws/steer.html",
        form=form or Form.blank(),
        ref=ref,
        label=label,
        card=card,
        lot=lot_card,
        public=public,
        crumbs=_crumbs(ref, (_name(label), "")),
    )


def _known(lot: Lot, label: str) -> None:
    if (
        label not in draws.NEEDS
        or (label == "k" and not lot.coefficients)
        or (label == INVITED and not invitations.is_drawn(lot))
    ):
        raise NotFound("draw.unknown", label=label)


@desk.act("/hall/<ref>/draw/<label>/acts/<act>", needs=STEERS, back=steer)
def do_steer(unit: UnitOfWork, _form: Form, ref: str, label: str, act: str) -> str:
    """``act``: announce (the coefficient alone; the centre freezes the pool of experts elsewhere), commit, list, reveal, conclude."""
    lot = hall_lot(unit, ref)
    _known(lot, label)
    unit.require(draws.NEEDS[label])
    if act == "announce" and label == "k":
        if lot.state in AT_OPENING:
            raise WrongStep("opening.lot_state", state=lot.state)
        draws.announce(unit, lot, label="k", pool=lot.coefficients)
    else:
        steps: dict[str, Any] = {
            "commit": draws.commit_platform,
            "list": draws.list_commits,
            "reveal": draws.reveal_platform,
            "conclude": draws.conclude,
        }
        if act not in steps:
            raise NotFound("page.not_found")
        steps[act](unit, draws.draw(unit.session, lot, label))
    return f"/hall/{ref}/draw/{label}"


# --- the tenderee's turn ----------------------------------------------------------------------------------------------------------


@desk.page("/agency/lots/<ref>/draw/<label>", needs=Act.DRAW_TAKE_PART)
def turn(ref: str, label: str, form: Form | None = None) -> str:
    with reading() as view:
        lot = _own(view, ref, label)
        row = draws.find(view.session, lot, label)
        card = draw_card(view, row) if row else None
        lot_card = lot_cards.card_of(view, lot)
    return render(
        "draws/turn.html",
        form=form or Form.blank(),
        ref=ref,
        label=label,
        card=card,
        lot=lot_card,
        crumbs=[(_("Purchasing desk"), "/agency"), (ref, f"/agency/lots/{ref}"), (_("Our part in the draw"), "")],
    )


def _own(view: View, ref: str, label: str) -> Lot:
    lot = lot_cards.visible_lot(view, ref)
    if view.actor.party_id != lot.project.purchaser_id:
        raise NotFound("lot.unknown", ref=ref)
    _known(lot, label)
    return lot


@desk.page("/agency/lots/<ref>/draw/<label>/kit", needs=Act.DRAW_TAKE_PART)
def kit(ref: str, label: str) -> Response:
    """The draw's package for our side; ``commits_at_root``: every commitment proved under the root the list names."""
    with reading() as view:
        row = draws.draw(view.session, _own(view, ref, label), label)
        found = package.draw_kit(view, row)
        held = commit_receipts(view, row)
        return jsonify(found | {"commits_at_root": [held[name] for name in row.notice["parties"] if name in held]})


@desk.act("/agency/lots/<ref>/draw/<label>/acts/commit", needs=Act.DRAW_TAKE_PART, back=turn)
def do_commit(unit: UnitOfWork, form: Form, ref: str, label: str) -> str:
    """``commit``: the signed ``draw-commit``; ``header``: the escrow header, base64url."""
    document = signed(form, "commit")
    text = str(form.typed.get("header", "")).strip()
    if not text:
        form.fault("header", "form.required")
    form.refuse_if_any()
    try:
        header = unb64u(text)
    except CryptoError as error:
        raise Invalid("draw.bad_commit", reason=error.code, detail=error.detail) from error
    draws.commit(unit, _own_draw(unit, ref, label), document, header=header)
    return f"/agency/lots/{ref}/draw/{label}"


@desk.act("/agency/lots/<ref>/draw/<label>/acts/sign-list", needs=Act.DRAW_TAKE_PART, back=turn)
def do_sign_list(unit: UnitOfWork, form: Form, ref: str, label: str) -> str:
    """``listing``: the commit list with the platform's and the tenderee's signature."""
    listing = signed(form, "listing")
    form.refuse_if_any()
    draws.sign_list(unit, _own_draw(unit, ref, label), listing)
    return f"/agency/lots/{ref}/draw/{label}"


@desk.act("/agency/lots/<ref>/draw/<label>/acts/reveal", needs=Act.DRAW_TAKE_PART, back=turn)
def do_reveal(unit: UnitOfWork, form: Form, ref: str, label: str) -> str:
    """``reveal``: the signed ``draw-reveal``."""
    document = signed(form, "reveal")
    form.refuse_if_any()
    draws.reveal(unit, _own_draw(unit, ref, label), document)
    return f"/agency/lots/{ref}/draw/{label}"


def _own_draw(unit: UnitOfWork, ref: str, label: str) -> draws.Draw:
    return draws.draw(unit.session, _own(unit, ref, label), label)
