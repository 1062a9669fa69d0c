"""What a bidder reads of its own lots: frozen cards. There is no field for anybody else's bid, deposit or number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select

from crypto import sealed_bid
from crypto.canonical import b64u
from crypto.errors import CryptoError
from deposits.views import own_deposit
from deposits.views.own_deposit import OwnCard
from trading.awarding import awards, disputes
from trading.bidding import bids
from trading.bidding.bids import BidReceipt
from trading.bidding.participants import Participant
from trading.bidding.uploads import Upload
from trading.custody import officers
from trading.kernel.work import Look
from trading.opening import ceremony as opening
from trading.parties import enrolments, parties
from trading.procedures import procedure_of
from trading.tendering import enquiries
from trading.tendering.tenders import Lot
from trading.views import lot_cards
from trading.views.lot_cards import LotCard
from web.desks.bidder.room import lang, zone
from web.desks.hall.law import OBJECTION, with_law
from web.http.frame import Duty
from web.words import show

ANSWERED_SHOWN = timedelta(days=10)
"""How long an answered objection stands on the first page."""
OVER = ("FAILED", "TERMINATED", "CONTRACT", "FILING", "CLOSING", "ARCHIVED")


@dataclass(frozen=True)
class UploadCard:
    """An upload of ours that did not become a bid. ``size``: bytes that have arrived; ``header_hash``: of its header once that is there:
    by it the page knows the same sealed file again, on whatever computer it is chosen."""

    token: str
    size: int
    length: int
    whole: bool
    refused: str
    made_at: datetime
    header_hash: str


@dataclass(frozen=True)
class EnvelopeCard:
    """One envelope of our bid. ``bid``: the receipt of what stands in it; ``sealed``: a sealed file of it lies whole at the platform."""

    part: str
    bid: BidReceipt | None
    statement: str
    sealed: bool


@dataclass(frozen=True)
class OwnLot:
    """One lot we take part in. ``bid``: the receipt of the bid that stands, of two envelopes that of ``part``. ``open``: bids may come
    now. ``missing``: envelopes without which what stands is no bid. ``ranked``: whether a published ranking names us."""

    card: LotCard
    joined_at: datetime
    left_at: datetime | None
    open: bool
    early: bool
    bid: BidReceipt | None
    statement: str
    uploads: tuple[UploadCard, ...]
    deposit: OwnCard | None
    keyed: bool
    opening: str
    verdict: str
    confirm_until: datetime | None
    said: tuple[str, ...]
    outcome: bool
    object_until: datetime | None
    part: str = officers.BID
    envelopes: tuple[EnvelopeCard, ...] = ()
    missing: tuple[str, ...] = ()
    left_sealed: bool = False
    ranked: bool | None = None
    won: bool = False
    contract_by: datetime | None = None


def own_lots(now: Look) -> list[OwnLot]:
    """Every lot we take part in, the nearest deadline first, then those that are over, newest first."""
    rows = list(now.session.scalars(select(Participant).where(Participant.party_id == now.actor.party_id)))
    found = [own_card(now, row) for row in rows]
    return sorted(found, key=lambda one: (not one.open, one.card.deadline is None, _order(one, now.now), one.card.ref))


def _order(one: OwnLot, now: datetime) -> float:
    at = one.card.deadline or now
    return (at - now).total_seconds() if one.open else (now - at).total_seconds()


def own_card(now: Look, row: Participant, part: str = officers.BID) -> OwnLot:
    lot = row.lot
    parts = {one: _envelope(now, row, one) for one in officers.bid_envelopes(lot)}
    shown = parts.get(part) or parts[officers.BID]
    opened = opening.current(now.session, lot)
    verdict = opening.own_opened(now, opened) if opened is not None and opened.opened is not None else None
    said = tuple(r.kind for r in opening.remarks(now.session, opened) if r.party_id == row.party_id) if opened is not None else ()
    award = awards.find(now.session, lot)
    until = awards.result_window(award) if award is not None else None
    running = lot.deadline is not None and now.now < lot.deadline and lot.state in ("NOTICE", "BIDDING")
    early = lot.issue_at is not None and now.now < lot.issue_at
    told = award is not None and (award.announced_at is not None or award.publicity_from is not None)
    ours = award is not None and award.announced_at is not None and award.winner_party_id == row.party_id
    return OwnLot(
        card=lot_cards.card_of(now, lot), joined_at=row.joined_at, left_at=row.withdrawn_at,
        open=running and not early, early=running and early,
        bid=shown.bid, statement=shown.statement, uploads=_uploads(now, lot, shown.part), part=shown.part,
        envelopes=tuple(parts.values()), missing=tuple(bids.missing_parts(now.session, lot, row.id)),
        deposit=own_deposit.own(now, lot), keyed=_keyed(now), opening=opened.state if opened is not None else "",
        verdict=verdict.verdict if verdict is not None else "", confirm_until=opened.confirm_until if opened is not None else None,
        said=said, outcome=told, object_until=until, won=ours,
        left_sealed=verdict is not None and opened is not None and verdict.header_hash in opened.left_sealed,
        ranked=any(r["party_id"] == row.party_id for r in award.ranking) if award is not None and told else None,
        contract_by=award.contract_by if award is not None and ours else None)


def _envelope(now: Look, row: Participant, part: str) -> EnvelopeCard:
    standing = bids.standing(now.session, row.id, part)
    receipt = None
    if standing is not None:
        receipt = now.session.scalar(select(BidReceipt).where(BidReceipt.c == standing.bid.c))
    whole = any(upload.whole for upload in _uploads(now, row.lot, part))
    return EnvelopeCard(part, receipt, standing.bid.statement if standing is not None else "", whole or standing is not None)


def _keyed(now: Look) -> bool:
    return enrolments.find_key(now.session, parties.own_party(now).code, "bidder") is not None


def _uploads(now: Look, lot: Lot, part: str) -> tuple[UploadCard, ...]:
    """Uploads on their way, refused or whole, that no bid was made of; newest first."""
    used = select(bids.SealedBid.blob).where(bids.SealedBid.lot_id == lot.id, bids.SealedBid.party_id == now.actor.party_id)
    rows = now.session.scalars(select(Upload).where(
        Upload.lot_id == lot.id, Upload.party_id == now.actor.party_id, Upload.part == part,
        Upload.blob.is_(None) | Upload.blob.not_in(used)
    ).order_by(Upload.made_at.desc(), Upload.id.desc()).limit(8))
    return tuple(UploadCard(row.token, _size(now, row), row.length, row.finished_at is not None, row.refused or "", row.made_at,
                            _header_hash(now, row))
                 for row in rows)


def _header_hash(now: Look, row: Upload) -> str:
    """Of the header that has arrived, "" while it has not."""
    if row.header_hash or row.refused or not now.office.spool.path(row.token).exists():
        return row.header_hash or ""
    with now.office.spool.open(row.token) as source:
        try:
            return b64u(sealed_bid.read_header(source).header_hash)
        except CryptoError:
            return ""


def _size(now: Look, row: Upload) -> int:
    if row.finished_at is not None:
        return row.length
    path = now.office.spool.path(row.token)
    return path.stat().st_size if path.exists() else 0


# --- what needs us now ------------------------------------------------------------------------------------------------


def duties(now: Look, lots: list[OwnLot]) -> list[Duty]:
    found: list[Duty] = []
    if lots and not lots[0].keyed:
        found.append(Duty(_("Make and enrol a key: without it no bid can be signed"), "/account/keys", when=_("now"),
                          basis=_("Once for the company; the key file stays on your computer"), act=_("Make the key")))
    for one in lots:
        found += _duties_of(now, one)
    return found


def _duties_of(now: Look, one: OwnLot) -> list[Duty]:
    ref, title, deadline = one.card.ref, one.card.title, one.card.deadline
    home = f"/bidder/lots/{ref}"
    found = []
    if one.left_at is None and (one.open or one.early):
        if one.deposit is not None and not one.deposit.secured and one.deposit.state != "short":
            found.append(Duty(_("Deposit has not arrived: %(title)s", title=title), f"/bidder/deposits/{ref}", until=deadline, basis=_(
                "%(amount)s into the sub-account of this lot; it must have arrived before the deadline (rule D-13)",
                amount=show.money(one.deposit.amount, lang())), act=_("Payment slip")))
        if one.open and (one.bid is None or one.missing):
            whole = any(upload.whole for upload in one.uploads)
            text = _("Uploaded but not submitted: %(title)s", title=title) if whole else _("No bid submitted yet: %(title)s", title=title)
            found.append(Duty(text, home + "/seal", until=deadline, basis=_("Uploading is not submitting; what counts is the receipt"),
                              act=_("Submit it") if whole else _("Seal and submit")))
    if one.confirm_until is not None and one.opening == "OPENED" and one.verdict and not one.said and now.now <= one.confirm_until:
        found.append(Duty(_("Confirm your line of the opening, or object: %(title)s", title=title), home + "/opening",
                          until=one.confirm_until, basis=_(
                              "Silence counts as confirmation; an objection is answered on the spot (%(law)s)",
                              law=with_law(one.card, OBJECTION)), act=_("Read it")))
    if one.object_until is not None and now.now < one.object_until:
        rule = (_("Rule T-25; the decision waits for the answer") if "decide" in procedure_of(one.card).remedies.stops
                else _("Rule T-21; answered within 7 working days"))
        found.append(Duty(_("The result is published; you may object until the hour shown: %(title)s", title=title), home + "/outcome",
                          until=one.object_until, basis=rule, act=_("See the result")))
    if one.won and one.contract_by is not None and one.card.state in ("AWARD", "RESULT") and now.now < one.contract_by:
        found.append(Duty(_("Sign the contract: %(title)s", title=title), home + "/outcome", until=one.contract_by,
                          basis=_("The award is yours; the purchaser records the signed contract (rule T-14)"), act=_("See the award")))
    if one.deposit is not None and one.deposit.forfeit is not None and one.deposit.forfeit.state != "FORFEITED":
        found.append(Duty(_("It is proposed to keep your deposit: %(title)s", title=title), f"/bidder/deposits/{ref}", when=_("now"),
                          basis=_("Ground %(rule)s; you are heard before anything is decided", rule=one.deposit.forfeit.ground),
                          act=_("Read the ground")))
    return found


def objection_duties(now: Look) -> list[Duty]:
    fresh = [row for row in disputes.own(now) if row.state == "ANSWERED" and row.answered_at is not None
             and now.now - row.answered_at < ANSWERED_SHOWN]
    return [Duty(_("Objection answered: %(lot)s", lot=row.lot.title), f"/bidder/objections/{row.ref}", when=when(row.answered_at, now),
                 act=_("Read the answer"))
            for row in fresh]


def when(at: datetime | None, now: Look) -> str:
    return show.moment_short(at, lang(), zone(), now=now.now) if at is not None else ""


# --- the task list of one lot -----------------------------------------------------------------------------------------


def questions(now: Look, lot: Lot) -> tuple[list[Any], datetime | None]:
    """Our questions on a lot and until when more may be asked."""
    return lot_cards.own_enquiry_cards(now, lot), enquiries.closes_at(lot)
