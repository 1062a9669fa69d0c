"""When one's own bid goes wrong at the opening: rescue it with the keeper file, or claim that the platform lost it (protocol §4, §5.2).

GET  /bidder/lots/<ref>/rescue.json     {set, header_hash, header, bidder, until}; for the page and `bidhall rescue`
POST /bidder/lots/<ref>/acts/rescue     ``rescue``: DSSE
POST /bidder/lots/<ref>/acts/copy       ``upload``: of one's own copy of the sealed file, where the stored bytes are broken
POST /bidder/lots/<ref>/acts/claim      ``claim``: DSSE, ``receipt``: the file saved from the receipt's page (or as ``receipt_file``)
"""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _

from trading.bidding import bids, claims, closing, participants, stored
from trading.bidding.bids import SealedBid
from trading.custody import officers
from trading.hall import legal_effects
from trading.kernel.access import Act
from trading.kernel.clock import write_moment
from trading.kernel.errors import NotFound
from trading.kernel.work import UnitOfWork, View
from trading.opening import ceremony, rechecks, rescue
from trading.parties import parties
from trading.tendering.tenders import Lot
from web.desks.bidder.room import SEE, bidder, can, lot_crumbs, open_lot, own_lot, signed
from web.http.forms import Form
from web.http.gate import reading, render


def trouble_of(view: View, ref: str) -> dict[str, Any]:
    """What the pages of one's own lot show: ``failure``, ``rescued``, ``pause``, ``effect``, ``claims`` of one's own, ``may_claim``."""
    row, party_id = (
        open_lot(view, ref),
        view.actor.party_id,
    )  # who joined in a gap of the log holds a receipt and takes part no more
    found = ceremony.find(view.session, row)
    failure = rescue.own_failure(view.session, found, party_id) if found is not None else None
    closed = closing.find(view.session, row)
    policy = officers.find_policy(view.session, row)
    until = closing.claims_end(closed, policy.opens_at) if closed is not None and policy is not None else None
    return {
        "failure": failure,
        "rescued": rescue.own_rescue(view.session, found, party_id) if found is not None else None,
        "pause": rescue.pause(view.session, found) if failure is not None and found is not None else None,
        "effect": legal_effects.of_party(view.session, row, party_id),
        "claims": [one for one in claims.of_lot(view.session, row) if one.party_id == party_id],
        "copy_wanted": participants.takes_part(view, row) and bool(copies_wanted(view, row)),
        "claim_until": until,
        "may_claim": until is not None and (row.state == "OPENING" or row.failure == "few_bidders"),
        "opening": found,
    }


# --- rescue -----------------------------------------------------------------------------------------------------------


@bidder.page("/lots/<ref>/rescue", needs=SEE)
def rescue_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        row, _taking = own_lot(view, ref)
        found = trouble_of(view, ref)
        title, at = row.title, view.now
    return render(
        "bidder/rescue.html",
        **found,
        ref=ref,
        title=title,
        now=at,
        form=form or Form.blank(),
        may=can(Act.BID_RESCUE),
        crumbs=lot_crumbs(ref, (_("Opening"), f"/bidder/lots/{ref}/opening"), (_("Rescue"), "")),
    )


@bidder.page("/lots/<ref>/rescue.json", needs=SEE)
def rescue_data(ref: str) -> Response:
    with reading() as view:
        row, taking = own_lot(view, ref)
        found = ceremony.find(view.session, row)
        failure = rescue.own_failure(view.session, found, taking.party_id) if found is not None else None
        if found is None or failure is None:
            raise NotFound("rescue.not_yours")
        header = next(
            bid.header for bid in bids.standing_bids(view.session, row) if bid.header_hash == failure.header_hash
        )
        window = rescue.pause(view.session, found)
        return jsonify(
            type="bidhall-rescue",
            v=1,
            set=found.set_hash,
            header_hash=failure.header_hash,
            header=header,
            code=failure.code,
            bidder=parties.own_party(view).code,
            until=write_moment(window.until) if window and window.until else "",
        )


@bidder.act("/lots/<ref>/acts/rescue", needs=Act.BID_RESCUE, back=rescue_page)
def do_rescue(unit: UnitOfWork, form: Form, ref: str) -> str:
    envelope = signed(form, "rescue")
    form.refuse_if_any()
    row, _taking = own_lot(unit, ref)
    rescue.post(unit, ceremony.opening(unit.session, row), envelope)
    return f"/bidder/lots/{ref}/rescue"


# --- one's own copy -----------------------------------------------------------------------------------------------------


def copies_wanted(view: View, lot: Lot) -> list[tuple[str, SealedBid]]:
    """(envelope, bid) of one's own bids whose bytes are broken here."""
    found = [(part, stored.wanted_copy(view, lot, part)) for part in officers.bid_envelopes(lot)]
    return [(part, bid) for part, bid in found if bid is not None]


@bidder.page("/lots/<ref>/copy", needs=SEE)
def copy_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        row, _taking = own_lot(view, ref)
        wanted, title = copies_wanted(view, row), row.title
    return render(
        "bidder/copy.html",
        ref=ref,
        title=title,
        wanted=wanted,
        form=form or Form.blank(),
        may=can(Act.BID_UPLOAD),
        crumbs=lot_crumbs(ref, (_("Opening"), f"/bidder/lots/{ref}/opening"), (_("Our copy"), "")),
    )


@bidder.act("/lots/<ref>/acts/copy", needs=Act.BID_UPLOAD, back=copy_page)
def do_copy(unit: UnitOfWork, form: Form, ref: str) -> str:
    """One's own copy of a sealed file in place of the broken bytes. Field: ``upload`` (the last part of the upload's address)."""
    token = form.text("upload", limit=64)
    form.refuse_if_any()
    row, _taking = own_lot(unit, ref)
    rechecks.take_copy(unit, row, token=token)
    return f"/bidder/lots/{ref}/copy"


# --- claims of omission -----------------------------------------------------------------------------------------------


@bidder.page("/lots/<ref>/claim", needs=SEE)
def claim_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        row = open_lot(view, ref)
        found = trouble_of(view, ref)
        facts = {
            "platform": view.office.platform,
            "tender": row.tender.ref,
            "lot": row.no_text,
            "bidder": parties.own_party(view).code,
        }
        title, at = row.title, view.now
    return render(
        "bidder/claim.html",
        **found,
        ref=ref,
        title=title,
        now=at,
        facts=facts,
        form=form or Form.blank(),
        may=can(Act.CLAIM_FILE),
        crumbs=lot_crumbs(ref, (_("Claim of omission"), "")),
    )


@bidder.act("/lots/<ref>/acts/claim", needs=Act.CLAIM_FILE, back=claim_page)
def do_claim(unit: UnitOfWork, form: Form, ref: str) -> str:
    claim, receipt = signed(form, "claim"), signed(form, "receipt")
    form.refuse_if_any()
    row = open_lot(unit, ref)
    claims.file(unit, row, claim=claim, receipt=receipt)
    return f"/bidder/lots/{ref}/claim"
