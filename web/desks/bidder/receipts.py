"""Handing in: submit, replace, withdraw, proof of attempt; and the receipts that come of it.

Each act takes a signed document as JSON text, so the page, a pasted file of the command line and a script all use the same door. The
answer of an act is its receipt: a page for people, ``{c, kind, accepted, reason, location, receipt}`` for programs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from flask import Response, jsonify

from trading.bidding import bids, tickets
from trading.bidding.bids import Outcome
from trading.kernel.access import Act
from trading.kernel.clock import Span, floor_second
from trading.kernel.errors import NotReady
from trading.kernel.work import UnitOfWork
from trading.views import lot_cards
from web.desks.bidder.receipt_cards import (
    card_of,
    check_address,
    digest_of,
    facts_of,
    paper_of,
    proofs_of,
    qr_of,
    siblings_of,
    signature_of,
    stamp_of,
    statement_of,
    title_of,
)
from web.desks.bidder.room import SEE, bidder, open_lot, signed
from web.http.forms import Form
from web.http.gate import arrival, go, office, reading, render, saved_as, work
from web.http.page_rules import ByHand
from web.http.refusals import wants_json
from web.papers import printing

IN_DOUBT = ("clock.apart", "clock.outside", "clock.before_log", "clock.was_apart")
LOOKS, LOOK_SECONDS = 24, 0.25
"""How often, and after which pauses, clocks that disagree are looked at: six seconds."""


def answer_of(outcome: Outcome, document: dict[str, Any]) -> Any:
    where = f"/bidder/receipts/{outcome.receipt.c}"
    if not wants_json():
        return go(where)
    return jsonify(
        {
            "c": outcome.receipt.c,
            "kind": outcome.receipt.kind,
            "accepted": outcome.accepted,
            "reason": outcome.reason,
            "location": where,
            "receipt": document,
        }
    )


@bidder.page("/lots/<ref>/acts/submit", needs=Act.BID_SUBMIT, post=ByHand.DOCUMENT)
def submit(ref: str) -> Any:
    """The legal moment. Fields: ``upload`` (the last part of the upload's address), ``submission`` (signed, JSON). Sending the same
    submission again gives the same receipt. A no that the protocol can name is a receipt too: the proof of the attempt."""
    form = Form.read()
    token, submission = form.text("upload", limit=64), signed(form, "submission")
    form.refuse_if_any()
    return answer_of(
        *settled(
            lambda unit: bids.submit(unit, lot_cards.held_lot(unit, ref), token=token, submission=submission),
            ref,
            token=token,
        )
    )


def settled(act: Callable[[UnitOfWork], Outcome], ref: str, **what: str) -> tuple[Outcome, dict[str, Any]]:
    """Do what a bidder signed, at the moment it arrived; with the document of its receipt. Where our clocks could not say whether it was in
    time they are given some seconds to agree again."""
    came = arrival()
    try:
        return _done(act, came)
    except NotReady as refusal:
        if refusal.code not in IN_DOUBT or not _agree_again():
            return _not_settled(refusal, ref, came, **what)
    came = arrival()
    try:
        return _done(act, came)
    except NotReady as refusal:
        return _not_settled(refusal, ref, came, **what)


def _done(act: Callable[[UnitOfWork], Outcome], came: Span) -> tuple[Outcome, dict[str, Any]]:
    with work(arrived_at=came, together=True) as unit:
        outcome = act(unit)
        return outcome, bids.answer_document(unit.session, outcome)


def _agree_again() -> bool:
    """Whether the clocks agree within the time that somebody who hands in may wait."""
    for _ in range(LOOKS):
        time.sleep(LOOK_SECONDS)
        if office().clock.doubt() is None:
            return True
    return False


def _not_settled(refusal: NotReady, ref: str, came: Span, **what: str) -> tuple[Outcome, dict[str, Any]]:
    """What came in time and waited too long with us, or came while we stand still or do not know the time, is told so, by a signed proof
    that it is our fault."""
    if refusal.code not in ("log.too_slow", "log.stands_still", *IN_DOUBT):
        raise refusal
    with work(together=True) as unit:
        outcome = bids.not_settled(unit, open_lot(unit, ref), arrived_at=came, **what)
        document = bids.answer_document(unit.session, outcome)
    return outcome, document


@bidder.page("/lots/<ref>/acts/prove-attempt", needs=Act.BID_UPLOAD, post=ByHand.DOCUMENT)
def prove_attempt(ref: str) -> Any:
    """A signed proof that an upload did not become a bid. Field: ``upload``."""
    form = Form.read()
    token = form.text("upload", limit=64)
    form.refuse_if_any()
    with work() as unit:
        outcome = bids.prove_attempt(unit, open_lot(unit, ref), token=token)
        document = bids.answer_document(unit.session, outcome)
    return answer_of(outcome, document)


# --- looking ----------------------------------------------------------------------------------------------------------


@bidder.page("/receipts", needs=SEE)
def receipts() -> str:
    with reading() as view:
        cards = [card_of(view, row) for row in bids.own_receipts(view)]
    return render("bidder/receipts.html", cards=cards)


@bidder.page("/receipts/<c>.json", needs=SEE)
def receipt_json(c: str) -> Response:
    """``{entry}``, from its tick on ``{entry, proof}``: the receipt as the protocol defines it (§4)."""
    with reading() as view:
        document = bids.receipt_document(view.session, bids.own_receipt(view, c))
    return jsonify(document)


@bidder.page("/receipts/<c>/file", needs=SEE)
def receipt_file(c: str) -> Response:
    """The receipt to keep, with what it speaks of and whom to trust: all that `bidhall receipt` wants."""
    with reading() as view:
        document = tickets.receipt_file(view, bids.own_receipt(view, c))
    return download(document, f"receipt-{c[:12]}.json")


@bidder.page("/receipts/<c>.pdf", needs=SEE)
def receipt_pdf(c: str) -> Response:
    """The same receipt as a paper of one page, which says when it was printed. Refuses: as ``papers.make``."""
    with reading() as view:
        row = bids.own_receipt(view, c)
        card = card_of(view, row)
        data, at = paper_of(view, row, card, check_address(card.number)), floor_second(view.now)
    return printing.answer(printing.make("receipt", data, title=data["title"], at=at), card.number)


@bidder.page("/receipts/<c>", needs=SEE)
def receipt(c: str) -> str:
    with reading() as view:
        row = bids.own_receipt(view, c)
        card = card_of(view, row)
        document, statement = bids.receipt_document(view.session, row), statement_of(view, row)
        return render(
            "bidder/receipt.html",
            card=card,
            trust=tickets.trust(view),
            facts=facts_of(card, statement, document.get("list")),
            siblings=siblings_of(view, row),
            proofs=proofs_of(card, statement),
            digest=digest_of(statement),
            title=title_of(card),
            stamp=stamp_of(card),
            qr=qr_of(check_address(card.number)),
            signature=signature_of(document),
            printed=view.now,
            overdue=not card.in_log and view.now > card.tick_by,
        )


def download(document: Any, name: str) -> Response:
    """A JSON document as a file to keep."""
    return saved_as(jsonify(document), name)
