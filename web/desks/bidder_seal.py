"""The page of sealing and submitting (desks §9.1), and the page of withdrawing: the cryptography happens in the browser."""

from __future__ import annotations

from flask_babel import gettext as _

from trading import bids, parties
from trading.kernel import audit
from trading.kernel.access import Act
from trading.kernel.errors import NotFound
from web.desks.bidder_cards import own_card
from web.desks.bidder_lots import changed_officers, part_asked, seal_data
from web.desks.bidder_receipts import card_of
from web.desks.bidder_room import SEE, bidder, can, lang, lot_crumbs, own_lot
from web.forms import Form
from web.gate import look, render


@bidder.page("/lots/<ref>/seal", needs=SEE)
def seal(ref: str) -> str:
    with look() as now:
        row, taking = own_lot(now, ref)
        mine = own_card(now, taking, part_asked(row))
        held, changed = seal_data(now, row, mine), changed_officers(now, row, taking)
        before = card_of(now, mine.bid) if mine.bid is not None else None
        party = parties.own_party(now).name
    return render("bidder/seal.html", mine=mine, card=mine.card, held=held, before=before, party=party, form=Form.blank(), now=now.now,
                  crumbs=lot_crumbs(ref, (_("Seal and submit"), "")), can_submit=can(Act.BID_SUBMIT), changed=changed,
                  lang_key="label" if lang() == "zh" else "label_en")


@bidder.page("/lots/<ref>/withdraw", needs=Act.BID_WITHDRAW)
def withdraw_page(ref: str) -> str:
    with look() as now:
        row, taking = own_lot(now, ref)
        mine = own_card(now, taking, part_asked(row))
        if mine.bid is None:
            raise NotFound("bid.none_stands", ref=row.ref)
        submission = bids.submission_payload(audit.document(now.session, mine.statement))
        held = seal_data(now, row, mine) | {"submission": submission}
        before = card_of(now, mine.bid)
    return render("bidder/withdraw.html", mine=mine, card=mine.card, held=held, before=before, form=Form.blank(), now=now.now,
                  crumbs=lot_crumbs(ref, (_("Withdraw"), "")))
