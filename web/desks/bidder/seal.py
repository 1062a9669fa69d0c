"""The page of sealing and submitting (desks §9.1), and withdrawing: the cryptography happens in the browser."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _

from crypto.errors import CryptoError
from crypto.signatures import document_hash, payload_of
from deposits.views.own_lots import own_lot_card
from trading.bidding import bids
from trading.bidding.bids import Outcome
from trading.kernel import audit
from trading.kernel.access import Act
from trading.kernel.errors import NotFound
from trading.kernel.work import UnitOfWork, View
from trading.parties import parties
from trading.tendering.tenders import Lot
from web.desks.bidder.lots import changed_officers, part_asked, seal_data
from web.desks.bidder.receipt_cards import card_of
from web.desks.bidder.receipts import answer_of, settled
from web.desks.bidder.room import SEE, bidder, can, lang, lot_crumbs, open_lot, own_lot, signed
from web.http.forms import Form
from web.http.gate import reading, render
from web.http.page_rules import ByHand


@bidder.page("/lots/<ref>/seal", needs=SEE)
def seal(ref: str) -> str:
    with reading() as view:
        row, taking = own_lot(view, ref)
        mine = own_lot_card(view, taking, part_asked(row))
        held, changed = seal_data(view, row, mine), changed_officers(view, row, taking)
        before = card_of(view, bids.own_receipt(view, mine.bid.c)) if mine.bid is not None else None
        party = parties.own_party(view).name
    return render(
        "bidder/seal.html",
        mine=mine,
        card=mine.card,
        held=held,
        before=before,
        party=party,
        form=Form.blank(),
        now=view.now,
        crumbs=lot_crumbs(ref, (_("Seal and submit"), "")),
        can_submit=can(Act.BID_SUBMIT),
        changed=changed,
        lang_key="label" if lang() == "zh" else "label_en",
    )


@bidder.page("/lots/<ref>/withdraw", needs=Act.BID_WITHDRAW)
def withdraw_page(ref: str, form: Form | None = None) -> str:
    with reading() as view:
        row, taking = own_lot(view, ref)
        mine = own_lot_card(view, taking, part_asked(row))
        if mine.bid is None:
            if form is not None:
                raise NotFound("bid.none_stands", ref=row.ref)
            # A page of before the withdrawal led here.
            return render(
                "message.html",
                title=_("Nothing to withdraw"),
                sentence=_("No bid of yours stands on this lot."),
                kind="info",
                links=[(_("To the lot"), f"/bidder/lots/{ref}"), (_("Receipts"), "/bidder/receipts")],
            )
        submission = bids.submission_payload(audit.document(view.session, mine.statement))
        held = seal_data(view, row, mine) | {"submission": submission}
        before = card_of(view, bids.own_receipt(view, mine.bid.c))
    return render(
        "bidder/withdraw.html",
        mine=mine,
        card=mine.card,
        held=held,
        before=before,
        form=form or Form.blank(),
        now=view.now,
        crumbs=lot_crumbs(ref, (_("Withdraw"), "")),
    )


@bidder.page("/lots/<ref>/acts/withdraw", needs=Act.BID_WITHDRAW, post=ByHand.DOCUMENT, back=withdraw_page)
def withdraw(ref: str) -> Any:
    """Take the standing bid back before the deadline. Field: ``withdrawal`` (signed, JSON)."""
    form = Form.read()
    withdrawal = signed(form, "withdrawal")
    form.refuse_if_any()

    def taken_back(unit: UnitOfWork) -> Outcome:
        lot = open_lot(unit, ref)
        return _withdrawn(unit, lot, withdrawal) or bids.withdraw(unit, lot, withdrawal=withdrawal)

    return answer_of(*settled(taken_back, ref))


def _withdrawn(view: View, lot: Lot, withdrawal: Any) -> Outcome | None:
    """The first answer to this very withdrawal, when a lost answer is asked for again: by then we take part no more."""
    try:
        statement = document_hash(payload_of(withdrawal))
    except CryptoError:
        return None
    found = next((row for row in bids.own_receipts(view, lot) if row.statement == statement), None)
    return Outcome(found, found.reason, again=True) if found is not None else None
