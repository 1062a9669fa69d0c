"""An officer's chair: keys of a lot, policies, drills, shares, the countersignature. No secret ever comes to this side: what is posted
here was signed in the page or by the command line."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _

from crypto.canonical import b64u, loads, unb64u
from crypto.signatures import payload_of
from trading import draws
from trading.custody import officers, policies
from trading.hall import package as opening_package
from trading.kernel.access import Act
from trading.kernel.errors import Invalid
from trading.kernel.work import UnitOfWork, View
from trading.opening import ceremony as opening
from trading.opening import co_opening, opening_list
from trading.opening import shares as opening_shares
from trading.views import lot_cards
from web.desks.hall.cards import hall_card
from web.desks.hall.room import ceremony, crumbs_of, hall, hall_lot, own_hall, plain_map, signed, signed_list
from web.http.forms import Form
from web.http.gate import office, reading, render, saved_as

AT_WORK = (officers.NEXT, officers.STANDING)
"""The seat an officer prepares: after publication the one it takes over next."""


@hall.page("/<ref>/officer", needs=Act.POLICY_SIGN)
def officer(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        lot, seat = own_hall(view, ref, *AT_WORK)
        card = lot_cards.card_of(view, lot)
        waiting = [_policy_facts(row) for row in policies.policies_to_sign(view) if row.lot_id == lot.id]
        done = lot_cards.policy_cards(view, lot)
        trying = [drill.policy.envelope for drill in policies.drills_to_open(view) if drill.policy.lot_id == lot.id]
        row = opening.current(view.session, lot)
        posted = {share.j for share in opening.shares(view.session, row)} if row else set()
        escrows = [
            one.label
            for label in draws.NEEDS
            if (one := draws.find(view.session, lot, label)) and one.state == "LISTED"
        ]
        held = seat.publics
        takes_over = seat.stage == officers.NEXT
        kept = takes_over and any(one.account_id == seat.account_id for one in officers.seats(view.session, lot))
    return render(
        "hall/officer.html",
        form=form or Form.blank(),
        card=card,
        seat=seat,
        given=held,
        scopes=officers.envelopes(lot),
        waiting=waiting,
        done=done,
        trying=trying,
        opening=row,
        posted=posted,
        escrows=escrows,
        takes_over=takes_over,
        kept=kept,
        fingerprint=officers.fingerprint_of(seat),
        crumbs=crumbs_of((card.ref, f"/hall/{ref}"), (_("My keys and policies"), "")),
    )


def _policy_facts(row: officers.Policy) -> dict[str, Any]:
    return {
        "envelope": row.envelope,
        "policy_id": row.policy_id,
        "supersedes": row.supersedes,
        "document": officers.policy_document(row),
        "deadline": row.deadline,
        "opens_at": row.opens_at,
    }


# --- keys of the lot --------------------------------------------------------------------------------------------------------------


@hall.page("/<ref>/officer/scopes", needs=Act.POLICY_SIGN)
def scopes(ref: str) -> Response:
    with reading() as view:
        lot, seat = own_hall(view, ref, *AT_WORK)
        return jsonify(j=seat.j, given=seat.publics, scopes=officers.scopes_to_key(view, lot))


@hall.act("/<ref>/acts/keys", needs=Act.POLICY_SIGN, back=officer)
def give_keys(unit: UnitOfWork, form: Form, ref: str) -> str:
    publics = signed(form, "publics")
    form.refuse_if_any()
    lot, _seat = own_hall(unit, ref, *AT_WORK)
    policies.give_keys(unit, lot, plain_map(publics, "publics"))
    return f"/hall/{ref}/officer"


# --- policies ---------------------------------------------------------------------------------------------------------------------


@hall.page("/<ref>/officer/policies", needs=Act.POLICY_SIGN)
def policies_data(ref: str) -> Response:
    """The policies that wait for this officer: their exact text is what is signed."""
    with reading() as view:
        lot, seat = own_hall(view, ref, *AT_WORK)
        rows = [row for row in policies.policies_to_sign(view) if row.lot_id == lot.id]
        return jsonify(
            j=seat.j,
            sign_kid=seat.sign_kid,
            publics=seat.publics,
            policies=[{"envelope": row.envelope, "policy_id": row.policy_id, "payload": row.payload} for row in rows],
        )


@hall.act("/<ref>/acts/sign-policies", needs=Act.POLICY_SIGN, back=officer)
def sign_policies(unit: UnitOfWork, form: Form, ref: str) -> str:
    envelopes = signed_list(form, "policies")
    form.refuse_if_any()
    lot, _seat = own_hall(unit, ref, *AT_WORK)
    policies.sign_policies(unit, lot, envelopes)
    return f"/hall/{ref}/officer"


# --- drills -----------------------------------------------------------------------------------------------------------------------


@hall.page("/<ref>/officer/drills", needs=Act.POLICY_SIGN)
def drills_data(ref: str) -> Response:
    """The drill bids this officer has yet to open. ``document``: what it signs afterwards, with its own ``at``."""
    with reading() as view:
        lot, seat = own_hall(view, ref)
        rows = [row for row in policies.drills_to_open(view) if row.policy.lot_id == lot.id]
        return jsonify(
            j=seat.j,
            drills=[
                {
                    "envelope": row.policy.envelope,
                    "policy": officers.policy_document(row.policy),
                    "policy_id": row.policy.policy_id,
                    "header": row.header,
                    "header_hash": row.header_hash,
                    "document": policies.drill_document(office().platform, row, seat.j, at=""),
                }
                for row in rows
            ],
        )


@hall.act("/<ref>/acts/return-drills", needs=Act.POLICY_SIGN, back=officer)
def return_drills(unit: UnitOfWork, form: Form, ref: str) -> str:
    """``drills``: ``[{document: DSSE, part: base64url}]``, one for each drill bid."""
    answers = signed_list(form, "drills")
    form.refuse_if_any()
    lot, _seat = own_hall(unit, ref)
    waiting = {row.header_hash: row for row in policies.drills_to_open(unit) if row.policy.lot_id == lot.id}
    for answer in answers:
        drill = waiting.get(_header_named(answer))
        if drill is None:
            raise Invalid("drill.context", fields=["header_hash"])
        policies.return_drill(unit, drill, answer["document"], part=str(answer.get("part", "")))
    return f"/hall/{ref}/officer"


def _header_named(answer: Any) -> str:
    """Which drill an answer speaks of; nothing is believed before its signature holds."""
    try:
        return str(loads(payload_of(answer["document"]))["header_hash"])
    except Exception as error:  # a foreign text: whatever is wrong with it, it names no drill
        raise Invalid("drill.context", fields=["document"]) from error


# --- shares -----------------------------------------------------------------------------------------------------------------------


@hall.page("/<ref>/release", needs=Act.SHARE_RELEASE, fresh=True)
def release(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        lot, seat = own_hall(view, ref)
        card = hall_card(view, lot)
    mine = next((one for one in card.shares if one.j == seat.j), None)
    return render(
        "hall/release.html",
        form=form or Form.blank(),
        card=card,
        seat=seat,
        mine=mine,
        crumbs=crumbs_of((ref, f"/hall/{ref}"), (_("Release my shares"), "")),
    )


def _package(view: View, ref: str) -> dict[str, Any]:
    lot = hall_lot(view, ref)
    return opening_package.package(view, lot, opening.current_part(view.session, lot))


@hall.page("/<ref>/package.json", needs={Act.SHARE_RELEASE, Act.OPENING_HOST})
def package(ref: str) -> Response:
    with reading() as view:
        return jsonify(_package(view, ref))


@hall.page("/<ref>/package.zip", needs={Act.SHARE_RELEASE, Act.OPENING_HOST})
def package_file(ref: str) -> Response:
    with reading() as view:
        data = opening_package.package_zip(_package(view, ref))
    return saved_as(Response(data, mimetype="application/zip"), f"opening-{ref}.zip")


@hall.act("/<ref>/acts/release", needs=Act.SHARE_RELEASE, back=release)
def do_release(unit: UnitOfWork, form: Form, ref: str) -> str:
    shares = signed(form, "shares")
    form.refuse_if_any()
    lot, _seat = own_hall(unit, ref)
    opening_shares.accept_share(unit, ceremony(unit, lot), shares)
    return f"/hall/{ref}/release"


# --- countersignature -------------------------------------------------------------------------------------------------------------


@hall.page("/<ref>/sign", needs=Act.OPENING_SIGN, fresh=True)
def countersign(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        lot, seat = own_hall(view, ref)
        card = hall_card(view, lot)
    return render(
        "hall/sign.html",
        form=form or Form.blank(),
        card=card,
        seat=seat,
        signed_already=any(one.j == seat.j for one in card.countersigned),
        crumbs=crumbs_of((ref, f"/hall/{ref}"), (_("Countersign"), "")),
    )


@hall.page("/<ref>/officer/opened", needs=Act.OPENING_SIGN)
def opened_data(ref: str) -> Response:
    """The opening list to countersign, and what an officer needs to repeat the re-derivation: seeds, and every part that was posted."""
    with reading() as view:
        lot, seat = own_hall(view, ref)
        row = ceremony(view, lot)
        seeds = opening.seeds_for_officer(view, row)
        parts: dict[str, dict[str, str]] = {}
        for name, given in opening.posted(view.session, row).items():
            if given.parts:
                parts[name] = {str(j): part for j, part in given.parts.items()}
        for name, own in co_opening.parts(view.session, row).items():
            parts.setdefault(name, {})["0"] = b64u(own)
        keys = {one.sign_kid: b64u(unb64u(one.sign_public, 32)) for one in officers.seats(view.session, lot)}
        return jsonify(
            j=seat.j,
            sign_kid=seat.sign_kid,
            opened=row.opened,
            set=row.set_hash,
            seeds=seeds,
            parts=parts,
            officer_keys=keys,
            platform_key=b64u(office().keys.public),
        )


@hall.act("/<ref>/acts/countersign", needs=Act.OPENING_SIGN, back=countersign)
def do_countersign(unit: UnitOfWork, form: Form, ref: str) -> str:
    envelope = signed(form, "opened")
    form.refuse_if_any()
    lot, _seat = own_hall(unit, ref)
    opening_list.countersign(unit, ceremony(unit, lot), envelope)
    return f"/hall/{ref}/sign"


# --- escrow of a draw -------------------------------------------------------------------------------------------------------------


@hall.page("/<ref>/draw/<label>/escrow", needs=Act.SHARE_RELEASE, fresh=True)
def escrow(ref: str, label: str, form: Form | None = None) -> str:
    with reading() as view:
        lot = hall_lot(view, ref)
        row = draws.draw(view.session, lot, label)
        policy = draws.policy_of(view.session, row)
        seat = officers.own_seat(view, lot, serial=int(officers.policy_document(policy)["serial"]))
        given = sorted(int(j) for turn in row.turns for j in turn.escrow)
    return render(
        "hall/escrow.html",
        form=form or Form.blank(),
        ref=ref,
        label=label,
        draw=row,
        seat=seat,
        policy=policy,
        given=seat.j in given,
        crumbs=crumbs_of((ref, f"/hall/{ref}"), (_("Escrow of a draw"), "")),
    )


@hall.page("/<ref>/draw/<label>/package.json", needs={Act.SHARE_RELEASE, Act.OPENING_HOST})
def escrow_package(ref: str, label: str) -> Response:
    with reading() as view:
        return jsonify(opening_package.escrow_package(view, draws.draw(view.session, hall_lot(view, ref), label)))


@hall.page("/<ref>/draw/<label>/package.zip", needs={Act.SHARE_RELEASE, Act.OPENING_HOST})
def escrow_package_file(ref: str, label: str) -> Response:
    with reading() as view:
        data = opening_package.package_zip(
            opening_package.escrow_package(view, draws.draw(view.session, hall_lot(view, ref), label))
        )
    return saved_as(Response(data, mimetype="application/zip"), f"draw-{ref}-{label}.zip")


@hall.act("/<ref>/draw/<label>/acts/escrow", needs=Act.SHARE_RELEASE, back=escrow)
def do_escrow(unit: UnitOfWork, form: Form, ref: str, label: str) -> str:
    shares = signed(form, "shares")
    form.refuse_if_any()
    lot = hall_lot(unit, ref)
    draws.release_escrow(unit, draws.draw(unit.session, lot, label), shares)
    return f"/hall/{ref}/draw/{label}/escrow"
