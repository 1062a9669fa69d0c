"""Handing in: submit, replace, withdraw, proof of attempt; and the receipts that come of it.

Each act takes a signed document as JSON text, so the page, a pasted file of the command line and a script all use the same door. The
answer of an act is its receipt: a page for people, ``{c, kind, accepted, reason, location, receipt}`` for programs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, jsonify
from flask_babel import gettext as _

from crypto.errors import CryptoError
from crypto.receipts import check_words
from crypto.signatures import document_hash, payload_of
from trading import bids, copies, lot_cards, tickets
from trading.bids import BidReceipt, Outcome
from trading.kernel.access import Act
from trading.kernel.errors import NotFound, NotReady
from trading.kernel.work import Look
from trading.tenders import Lot
from web import show
from web.desks.bidder_room import SEE, bidder, lang, open_lot, own_lot, signed, zone
from web.forms import Form
from web.gate import arrival, go, look, render, saved_as, work
from web.refusals import wants_json


@dataclass(frozen=True)
class ReceiptCard:
    """One of one's own receipts. ``in_log``: its proof is there; ``tick_by``: when it must be; ``stands``: the bid it speaks of is the
    one that counts now; ``mirrors``: the policy knows a mirror, which acknowledged this bid at ``mirrored``, if it has."""

    c: str
    lot: str
    title: str
    kind: str
    reason: str
    at: datetime
    tick_by: datetime
    statement: str
    words: tuple[str, ...]
    in_log: bool
    stands: bool
    mirrored: datetime | None = None
    mirrors: bool = False


def card_of(now: Look, row: BidReceipt) -> ReceiptCard:
    lot = now.session.get(Lot, row.lot_id)
    assert lot is not None
    payload = payload_of(json.loads(row.entry))
    entry = json.loads(payload)
    _lot, participant = own_lot(now, lot.ref)
    current = bids.standing(now.session, participant.id, row.part)
    document = bids.receipt_document(now.session, row)
    copy = copies.copy_of_entry(now.session, row.c) if row.kind in ("received", "replaced") else None
    return ReceiptCard(
        c=row.c, lot=lot.ref, title=lot.title, kind=row.kind, reason=row.reason, at=row.at,
        tick_by=datetime.fromisoformat(entry["tick_by"]),
        statement=row.statement, words=tuple(check_words(payload, "zh" if lang() == "zh" else "en")), in_log="proof" in document,
        stands=current is not None and current.bid.c == row.c, mirrored=copy.at if copy is not None else None,
        mirrors=row.kind in ("received", "replaced") and copies.mode_of(now.session, lot, row.part) != copies.NONE)


def _answer(outcome: Outcome, document: dict[str, Any]) -> Any:
    where = f"/bidder/receipts/{outcome.receipt.c}"
    if not wants_json():
        return go(where)
    return jsonify({"c": outcome.receipt.c, "kind": outcome.receipt.kind, "accepted": outcome.accepted, "reason": outcome.reason,
                    "location": where, "receipt": document})


@bidder.page("/lots/<ref>/acts/submit", needs=Act.BID_SUBMIT, post=True)
def submit(ref: str) -> Any:
    """The legal moment. Fields: ``upload`` (the last part of the upload's address), ``submission`` (signed, JSON). Sending the same
    submission again gives the same receipt. A no that the protocol can name is a receipt too: the proof of the attempt."""
    form = Form.read()
    token, submission = form.text("upload", limit=64), signed(form, "submission")
    form.refuse_if_any()
    came = arrival()
    try:
        with work(arrived_at=came, together=True) as unit:
            outcome = bids.submit(unit, lot_cards.held_lot(unit, ref), token=token, submission=submission)
            document = bids.answer_document(unit.session, outcome)
    except NotReady as refusal:
        outcome, document = _not_settled(refusal, ref, came, token=token)
    return _answer(outcome, document)


def _not_settled(refusal: NotReady, ref: str, came: datetime, **what: str) -> tuple[Outcome, dict[str, Any]]:
    """What came in time and waited too long with us is told so, by a signed proof that it is our fault."""
    if refusal.code != "log.too_slow":
        raise refusal
    with work(together=True) as unit:
        outcome = bids.not_settled(unit, open_lot(unit, ref), arrived_at=came, **what)
        document = bids.answer_document(unit.session, outcome)
    return outcome, document


@bidder.page("/lots/<ref>/acts/withdraw", needs=Act.BID_WITHDRAW, post=True)
def withdraw(ref: str) -> Any:
    """Take the standing bid back before the deadline. Field: ``withdrawal`` (signed, JSON)."""
    form = Form.read()
    withdrawal = signed(form, "withdrawal")
    form.refuse_if_any()
    came = arrival()
    try:
        with work(arrived_at=came, together=True) as unit:
            lot = open_lot(unit, ref)
            outcome = _withdrawn(unit, lot, withdrawal) or bids.withdraw(unit, lot, withdrawal=withdrawal)
            document = bids.answer_document(unit.session, outcome)
    except NotReady as refusal:
        outcome, document = _not_settled(refusal, ref, came)
    return _answer(outcome, document)


def _withdrawn(now: Look, lot: Lot, withdrawal: Any) -> Outcome | None:
    """The first answer to this very withdrawal, when a lost answer is asked for again: by then we take part no more."""
    try:
        statement = document_hash(payload_of(withdrawal))
    except CryptoError:
        return None
    found = next((row for row in bids.own_receipts(now, lot) if row.statement == statement), None)
    return Outcome(found, found.reason, again=True) if found is not None else None


@bidder.page("/lots/<ref>/acts/prove-attempt", needs=Act.BID_UPLOAD, post=True)
def prove_attempt(ref: str) -> Any:
    """A signed proof that an upload did not become a bid. Field: ``upload``."""
    form = Form.read()
    token = form.text("upload", limit=64)
    form.refuse_if_any()
    with work() as unit:
        outcome = bids.prove_attempt(unit, open_lot(unit, ref), token=token)
        document = bids.answer_document(unit.session, outcome)
    return _answer(outcome, document)


# --- looking ----------------------------------------------------------------------------------------------------------


@bidder.page("/receipts", needs=SEE)
def receipts() -> str:
    with look() as now:
        cards = [card_of(now, row) for row in bids.own_receipts(now)]
    return render("bidder/receipts.html", cards=cards)


@bidder.page("/receipts/<c>.json", needs=SEE)
def receipt_json(c: str) -> Response:
    """``{entry}``, from its tick on ``{entry, proof}``: the receipt as the protocol defines it (§4)."""
    with look() as now:
        document = bids.receipt_document(now.session, bids.own_receipt(now, c))
    return jsonify(document)


@bidder.page("/receipts/<c>/file", needs=SEE)
def receipt_file(c: str) -> Response:
    """The receipt to keep, with what it speaks of and whom to trust: all that `bidhall receipt` wants."""
    with look() as now:
        document = tickets.receipt_file(now, bids.own_receipt(now, c))
    return download(document, f"receipt-{c[:12]}.json")


@bidder.page("/receipts/<c>", needs=SEE)
def receipt(c: str) -> str:
    with look() as now:
        row = bids.own_receipt(now, c)
        card = card_of(now, row)
        document = bids.receipt_document(now.session, row)
        trust = tickets.trust(now)
        statement = _statement(now, row)
        overdue = not card.in_log and now.now > card.tick_by
    return render("bidder/receipt.html", card=card, document=document, trust=trust, statement=statement, overdue=overdue,
                  facts=_facts(card, statement, document.get("list")))


def _statement(now: Look, row: BidReceipt) -> dict[str, Any]:
    """What the receipt speaks of: the fields of the submission or withdrawal, or the attempt."""
    from trading.kernel import audit

    try:
        kept = audit.document(now.session, row.statement)
    except NotFound:
        return {}
    return bids.submission_payload(kept) if "payload" in kept else dict(kept)


def _facts(card: ReceiptCard, statement: dict[str, Any], listed: dict[str, Any] | None) -> list[tuple[str, str]]:
    facts = [(_("Receipt number"), show.digest(card.c, 4)), (_("Server time"), show.moment(card.at, lang(), zone())),
             (_("Lot"), card.lot)]
    if statement.get("sealed_root"):
        facts += [(_("Digest of the sealed file"), show.digest(statement["sealed_root"], 0)),
                  (_("Size of the sealed file"), show.size(statement["sealed_size"], lang()))]
    if "bytes" in statement:
        facts += [(_("Bytes that came"), show.count(statement["bytes"])), ("SHA-256", show.digest(statement["sha256"], 0))]
    if card.reason:
        facts.append((_("Reason"), card.reason))
    if listed is not None:
        facts.append((_("In the log as"), _("one of %(n)s refusals in a list of yours", n=show.count(len(listed["refusals"]["entries"])))))
    facts.append((_("In the log by"), show.moment(card.tick_by, lang(), zone())))
    if card.mirrors:
        at = show.moment(card.mirrored, lang(), zone()) if card.mirrored is not None else _("not yet; it does not matter for this receipt")
        facts.append((_("Acknowledged by the supervisory body's mirror"), at))
    return facts


def download(document: Any, name: str) -> Response:
    """A JSON document as a file to keep."""
    return saved_as(jsonify(document), name)
