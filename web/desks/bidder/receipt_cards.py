"""What a bidder's receipt shows, on the page and on paper: its number to say, what it proves and does not, and whether it still counts."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import segno
from flask import current_app
from flask_babel import gettext as _
from markupsafe import Markup

from crypto.keys import fingerprint
from crypto.receipts import check_words
from crypto.signatures import payload_of
from trading.bidding import bids, copies
from trading.bidding.bids import BidReceipt
from trading.kernel import audit
from trading.kernel.clock import parse_moment
from trading.kernel.errors import NotFound
from trading.kernel.work import View
from trading.opening import ceremony
from trading.parties import parties
from trading.tendering import tenders
from web.desks.bidder.room import lang, own_lot, zone
from web.http.gate import base_address
from web.words import formatting

STANDS, SUPERSEDED, WITHDRAWN, OPENED, ATTEMPT, WITHDRAWAL = (
    "stands",
    "superseded",
    "withdrawn",
    "opened",
    "attempt",
    "withdrawal",
)


@dataclass(frozen=True)
class Other:
    """Another receipt of the same bid."""

    c: str
    number: str
    at: datetime
    kind: str = ""
    counts: bool = False


@dataclass(frozen=True)
class ReceiptCard:
    """One of one's own receipts. ``in_log``: its proof is there; ``tick_by``: when it must be; ``stands``: the bid it speaks of is the
    one that counts now; ``state``: how it looks; ``successor``: what counts instead, or the withdrawal; ``replaces``: what it took the
    place of; ``mirrors``: the policy knows a mirror, which acknowledged this bid at ``mirrored``, if it has."""

    c: str
    number: str
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
    state: str = STANDS
    bidder: str = ""
    deadline: datetime | None = None
    successor: Other | None = None
    replaces: Other | None = None
    opened_at: datetime | None = None
    sealed_at: datetime | None = None
    mirrored: datetime | None = None
    mirrors: bool = False


def card_of(view: View, row: BidReceipt) -> ReceiptCard:
    lot = tenders.lot_of_id(view.session, row.lot_id)
    payload = payload_of(json.loads(row.entry))
    entry = json.loads(payload)
    _lot, participant = own_lot(view, lot.ref)
    current = bids.standing(view.session, participant.id, row.part)
    stands = current is not None and current.bid.c == row.c
    document = bids.receipt_document(view.session, row)
    is_bid = row.kind in ("received", "replaced")
    copy = copies.copy_of_entry(view.session, row.c) if is_bid else None
    of_bid = (
        [one for one in bids.own_receipts(view, lot) if one.part == row.part and one.kind != "refused"]
        if row.kind != "refused"
        else []
    )
    began = ceremony.find(view.session, lot, row.part)
    opened_at = began.opened_at if began is not None and stands else None
    return ReceiptCard(
        c=row.c,
        number=formatting.number(row.kind, row.c),
        lot=lot.ref,
        title=lot.title,
        kind=row.kind,
        reason=row.reason,
        at=row.at,
        tick_by=datetime.fromisoformat(entry["tick_by"]),
        statement=row.statement,
        words=tuple(check_words(payload, "zh" if lang() == "zh" else "en")),
        in_log="proof" in document,
        stands=stands,
        state=_state(row.kind, stands, current is not None, opened_at),
        bidder=parties.own_party(view).name,
        deadline=lot.deadline,
        successor=_successor(of_bid, row) if is_bid and not stands else None,
        replaces=_replaced(view, of_bid, row),
        opened_at=opened_at,
        sealed_at=parse_moment(document["proof"]["leaf"]["at"]) if "proof" in document else None,
        mirrored=copy.at if copy is not None else None,
        mirrors=is_bid and copies.mode_of(view.session, lot, row.part) != copies.NONE,
    )


def _state(kind: str, stands: bool, any_stands: bool, opened_at: datetime | None) -> str:
    if kind in ("refused", "withdrawn"):
        return ATTEMPT if kind == "refused" else WITHDRAWAL
    if stands:
        return OPENED if opened_at is not None else STANDS
    return SUPERSEDED if any_stands else WITHDRAWN


def _other(row: BidReceipt, *, counts: bool = False) -> Other:
    return Other(row.c, formatting.number(row.kind, row.c), row.at, row.kind, counts)


def _successor(of_bid: Sequence[BidReceipt], row: BidReceipt) -> Other | None:
    """The newest of the same bid: what counts now, or the withdrawal that ended it."""
    newer = [one for one in of_bid if one.id > row.id]
    return _other(newer[0]) if newer else None


def _replaced(view: View, of_bid: Sequence[BidReceipt], row: BidReceipt) -> Other | None:
    if row.kind != "replaced":
        return None
    before = statement_of(view, row).get("replaces", "")
    return next((_other(one) for one in of_bid if one.statement == before), None)


def siblings_of(view: View, row: BidReceipt) -> list[Other]:
    """All receipts of this bid, newest first."""
    lot = tenders.lot_of_id(view.session, row.lot_id)
    _lot, participant = own_lot(view, lot.ref)
    current = bids.standing(view.session, participant.id, row.part)
    return [
        _other(one, counts=current is not None and current.bid.c == one.c)
        for one in bids.own_receipts(view, lot)
        if one.part == row.part
    ]


def statement_of(view: View, row: BidReceipt) -> dict[str, Any]:
    """What the receipt speaks of: the fields of the submission or withdrawal, or the attempt."""
    try:
        kept = audit.document(view.session, row.statement)
    except NotFound:
        return {}
    return bids.submission_payload(kept) if "payload" in kept else dict(kept)


def facts_of(card: ReceiptCard, statement: dict[str, Any], listed: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Name and value, in the order of the paper; digests stand apart."""
    facts = [(_("Bidder"), card.bidder), (_("Server time"), _moment(card.at)), (_("Lot"), card.lot)]
    if card.deadline is not None:
        gap = (
            _("%(left)s before it", left=formatting.length(card.deadline - card.at, lang()))
            if card.at < card.deadline
            else _("after it")
        )
        facts.append((_("Bid deadline"), _("%(at)s, %(gap)s", at=_moment(card.deadline), gap=gap)))
    if statement.get("sealed_size"):
        facts.append((_("Size of the sealed file"), formatting.size(statement["sealed_size"], lang())))
    if "bytes" in statement:
        facts.append((_("Bytes that came"), formatting.count(statement["bytes"])))
    if card.reason:
        facts.append((_("Reason"), card.reason))
    if listed is not None:
        facts.append(
            (
                _("In the log as"),
                _("one of %(n)s refusals in a list of yours", n=formatting.count(len(listed["refusals"]["entries"]))),
            )
        )
    facts.append(
        (
            _("In the audit book"),
            _("at the tick of %(at)s at the latest", at=_moment(card.tick_by))
            if card.sealed_at is None
            else _("since the tick of %(at)s", at=_moment(card.sealed_at)),
        )
    )
    if card.mirrors:
        at = _moment(card.mirrored) if card.mirrored is not None else _("not yet; it does not matter for this receipt")
        facts.append((_("Acknowledged by the supervisory body's mirror"), at))
    return facts


def digest_of(statement: dict[str, Any]) -> tuple[str, str]:
    """(what it is of, digest) of the bytes a receipt speaks of, or of nothing."""
    if statement.get("sealed_root"):
        return _("Digest of the sealed file"), str(statement["sealed_root"])
    return ("SHA-256", str(statement["sha256"])) if statement.get("sha256") else ("", "")


def signature_of(document: dict[str, Any]) -> tuple[str, str]:
    """(signature, fingerprint of the key) as they are printed."""
    keys = current_app.extensions["bidhall"].office.keys
    return str(document["entry"]["signatures"][0]["sig"]), fingerprint("ed25519", keys.public)


def check_address(number: str) -> str:
    """Where anybody checks this receipt, its number filled in."""
    return f"{base_address()}/check?number={number}"


def qr_of(address: str) -> Markup:
    return Markup(
        segno.make(address, error="m", micro=False).svg_inline(border=2, dark="#000", light="#fff", omitsize=True)
    )


def _moment(value: datetime | None) -> str:
    return formatting.moment(value, lang(), zone())


# --- on paper -------------------------------------------------------------------------------------------------------------------------


def title_of(card: ReceiptCard) -> str:
    return {ATTEMPT: _("Proof of attempt"), WITHDRAWAL: _("Receipt of withdrawal")}.get(
        card.state, _("Receipt of submission")
    )


def stamp_of(card: ReceiptCard) -> str:
    """What is stamped across a receipt that counts no more, "" on one that does."""
    return {SUPERSEDED: _("Replaced"), WITHDRAWN: _("Withdrawn"), ATTEMPT: _("Not submitted")}.get(card.state, "")


def proofs_of(card: ReceiptCard, statement: dict[str, Any]) -> tuple[list[str], list[str]]:
    """(what it proves, what it does not), in sentences."""
    at = _moment(card.at)
    if card.state == ATTEMPT:
        return (
            [
                _("that the platform answered at %(at)s, and why nothing was submitted", at=at),
                _("which bytes had come by then"),
                _("that the answer is the platform's: it is signed and stands in the audit book"),
            ],
            [_("that a bid was submitted: none was"), _("that the cause is yours: a complaint may rest on this paper")],
        )
    if card.state == WITHDRAWAL:
        return (
            [
                _("that the bid was taken back at %(at)s, by your own signature", at=at),
                _("that it was taken back before the deadline: the platform signed the time and cannot change it"),
            ],
            [
                _("that the deposit was sent back: see the deposit of the lot"),
                _("that you may not bid again: until the deadline you may"),
            ],
        )
    return (
        [
            _("that the platform received the whole sealed file of this digest at %(at)s", at=at),
            _("that it came before the deadline: the platform signed the time and cannot change it"),
            _("that it stands in the audit book: taking it out would break every later head of the book"),
            _("that another file was opened, if another should be: then show this receipt on the spot"),
        ],
        [
            _("what is in it: nobody can read it before the opening"),
            _("that bidder or price qualify: the panel reviews that"),
            _("that the deposit arrived: see the deposit of the lot"),
            _("that it still counts: ask that anew, by code or number"),
        ],
    )


def paper_of(view: View, row: BidReceipt, card: ReceiptCard, address: str) -> dict[str, Any]:
    """The facts of web/typ/receipt.typ; ``head``, ``blocks`` and ``signers`` are also what the page without a setter prints."""
    document, statement = bids.receipt_document(view.session, row), statement_of(view, row)
    signature, key = signature_of(document)
    label, digest = digest_of(statement)
    proves, not_ = proofs_of(card, statement)
    printed = _("Printed at %(at)s.", at=_moment(view.now))
    ask = _(
        "Whether it still counts must be asked anew: by the code, or with the number at %(where)s.",
        where=address.partition("?")[0],
    )
    state = {STANDS: _("It counted when this was printed."), OPENED: _("The bid has been opened.")}.get(
        card.state, stamp_of(card)
    )
    return {
        "draft": False,
        "lang": lang(),
        "title": title_of(card),
        "subject": card.title,
        "ref": card.lot,
        "signers": [],
        "stamp": stamp_of(card),
        "house": f"{current_app.extensions['bidhall'].settings.place}　" + _("Bidhall"),
        "number": card.number,
        "number_label": _("Number"),
        "said": _("No 0, O, 1 or I is in it; the last two signs check the others."),
        "words_label": _("Check words"),
        "check_words": formatting.check_words(card.words),
        "qr": segno_svg(address),
        "qr_label": _("Check it"),
        "head": [*map(list, facts_of(card, statement, document.get("list")))],
        "blocks": [
            _block(_("It proves"), [], proves),
            _block(_("It does not prove"), [], not_),
            _block("", [printed, state, ask], []),
        ],
        "hashes": [
            [_("Hash of the receipt"), card.c],
            *([[label, digest]] if digest else []),
            [_("Signature of the platform (Ed25519)"), signature],
            [_("Fingerprint of its key"), key],
        ],
    }


def _block(heading: str, words: list[str], items: list[str]) -> dict[str, Any]:
    return {
        "heading": heading,
        "words": words,
        "head": [],
        "rows": [],
        "widths": [],
        "right": [],
        "digests": [],
        "list": items,
    }


def segno_svg(address: str) -> str:
    out = io.BytesIO()
    segno.make(address, error="m", micro=False).save(out, kind="svg", border=0, xmldecl=False)
    return out.getvalue().decode()
