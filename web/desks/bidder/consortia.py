"""A consortium's pages for its members: the lead names them, each signs in the page, anyone may leave while no bid stands.

Only members see them; the platform's people see nothing before the opening list.
"""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _

from trading.bidding import consortia, joint_bids, participants
from trading.kernel.access import Act
from trading.kernel.errors import Fault, Invalid
from trading.kernel.work import UnitOfWork
from trading.parties import parties
from trading.views import lot_cards
from web.desks.bidder.room import SEE, bidder, can, crumbs, lot_crumbs, open_lot, own_lot, signed
from web.http.forms import Form
from web.http.gate import actor, reading, render


@bidder.page("/consortia", needs=SEE)
def consortia_page() -> str:
    """Every consortium the own firm leads or is named in."""
    with reading() as view:
        rows = [(one, lot_cards.card_of(view, one.lot)) for one in consortia.own(view)]
        mine = actor().party_id
    return render("bidder/consortia.html", rows=rows, mine=mine, crumbs=crumbs((_("Consortia"), "")))


@bidder.page("/lots/<ref>/consortium", needs=SEE)
def name_consortium(ref: str, form: Form | None = None) -> str:
    """The lead names the members and who does what."""
    with reading() as view:
        lot, _taking = own_lot(view, ref)
        card, me = lot_cards.card_of(view, lot), parties.own_party(view)
        led = consortia.led_by(view.session, lot, me.id)
        most = lot.consortium_most
        first: dict[str, Any] = {"code.0": me.code}
        for place, one in enumerate(led.members if led else []):
            first |= {f"code.{place}": one.party.code, f"work.{place}": one.work, f"share.{place}": one.share}
    return render(
        "bidder/consortium_name.html",
        card=card,
        most=most,
        led=led,
        form=form or Form.blank(first),
        me=me,
        may=can(Act.BID_SUBMIT),
        crumbs=lot_crumbs(ref, (_("Consortium"), "")),
    )


@bidder.act("/lots/<ref>/acts/name-consortium", needs=Act.BID_SUBMIT, back=name_consortium)
def do_name(unit: UnitOfWork, form: Form, ref: str) -> str:
    """Fields for each member, from 0: ``code.N``, ``work.N``, ``share.N``; a row without a code is left out."""
    lot, named = open_lot(unit, ref), []
    for place in range(max(lot.consortium_most, 2)):
        if code := form.text(f"code.{place}", needed=place < 2, limit=40):
            named.append(
                joint_bids.Named(
                    code,
                    form.text(f"work.{place}", limit=200, lines=True),
                    form.whole(f"share.{place}", least=1, most=99) or 0,
                )
            )
    form.refuse_if_any()
    try:
        made = joint_bids.propose(unit, lot, named)
    except Invalid as refusal:
        raise Invalid(
            refusal.code,
            faults=[
                Fault("code.0" if one.where == "members" else one.where, one.code, one.facts) for one in refusal.faults
            ],
        ) from refusal
    return f"/bidder/consortia/{made.ref}"


@bidder.page("/consortia/<ref>", needs=SEE)
def consortium(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        row, mine = consortia.of_ref(view, ref)
        card = lot_cards.card_of(view, row.lot)
        party = parties.own_party(view)
        open_ = bool(
            card.deadline
            and view.now < card.deadline
            and card.state in ("NOTICE", "BIDDING")
            and row.state != "DISSOLVED"
        )
        lead_takes_part = participants.find(view.session, row.lot, row.lead) is not None
    return render(
        "bidder/consortium.html",
        row=row,
        mine=mine,
        card=card,
        form=form or Form.blank(),
        open=open_,
        lead=lead_takes_part,
        data={"document": consortia.agreement(row), "party": party.code},
        may=can(Act.BID_SUBMIT),
        crumbs=crumbs((_("Consortia"), "/bidder/consortia"), (card.ref, "")),
    )


@bidder.act("/consortia/<ref>/acts/sign", needs=Act.BID_SUBMIT, back=consortium)
def do_sign(unit: UnitOfWork, form: Form, ref: str) -> str:
    """Field: ``agreement``: the agreement signed with the firm's key (JSON)."""
    envelope = signed(form, "agreement")
    form.refuse_if_any()
    row, _mine = consortia.of_ref(unit, ref)
    joint_bids.sign(unit, row, envelope)
    return f"/bidder/consortia/{ref}"


@bidder.act("/consortia/<ref>/acts/leave", needs=Act.BID_SUBMIT, back=consortium)
def do_leave(unit: UnitOfWork, form: Form, ref: str) -> str:
    form.ticked("sure", needed=True)
    form.refuse_if_any()
    row, _mine = consortia.of_ref(unit, ref)
    joint_bids.leave(unit, row)
    return "/bidder/consortia"
