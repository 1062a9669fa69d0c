"""What a bidder reads of the lots it takes part in: its bid, its deposit, the opening, the result. There is no field for anybody else's
bid, deposit or number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from deposits.views import own_deposit
from deposits.views.own_deposit import OwnCard
from trading.awarding import awards
from trading.bidding import bids
from trading.bidding.participants import Participant
from trading.custody import officers
from trading.kernel.work import View
from trading.opening import ceremony
from trading.views import lot_cards, own_bids
from trading.views.lot_cards import LotCard
from trading.views.own_bids import EnvelopeCard, StandingReceipt, UploadCard


@dataclass(frozen=True)
class OwnLot:
    """One lot we take part in. ``bid``: the receipt of the bid that stands, of two envelopes that of ``part``. ``open``: bids may come
    now. ``missing``: envelopes without which what stands is no bid. ``ranked``: whether a published ranking names us."""

    card: LotCard
    joined_at: datetime
    left_at: datetime | None
    open: bool
    early: bool
    bid: StandingReceipt | None
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


def own_lots(view: View) -> list[OwnLot]:
    """Every lot we take part in, the nearest deadline first, then those that are over, newest first."""
    found = [own_lot_card(view, row) for row in own_bids.own_participations(view)]
    return sorted(found, key=lambda one: (not one.open, one.card.deadline is None, _order(one, view.now), one.card.ref))


def _order(one: OwnLot, now: datetime) -> float:
    at = one.card.deadline or now
    return (at - now).total_seconds() if one.open else (now - at).total_seconds()


def own_lot_card(view: View, taking: Participant, part: str = officers.BID) -> OwnLot:
    lot = taking.lot
    parts = {one: own_bids.envelope_card(view, taking, one) for one in officers.bid_envelopes(lot)}
    shown = parts.get(part) or parts[officers.BID]
    opened = ceremony.current(view.session, lot)
    verdict = ceremony.own_opened(view, opened) if opened is not None and opened.opened is not None else None
    remarks = ceremony.remarks(view.session, opened) if opened is not None else []
    award = awards.find(view.session, lot)
    running = lot.deadline is not None and view.now < lot.deadline and lot.state in ("NOTICE", "BIDDING")
    early = lot.issue_at is not None and view.now < lot.issue_at
    told = award is not None and (award.announced_at is not None or award.publicity_from is not None)
    ours = award is not None and award.announced_at is not None and award.winner_party_id == taking.party_id
    return OwnLot(
        card=lot_cards.card_of(view, lot),
        joined_at=taking.joined_at,
        left_at=taking.withdrawn_at,
        open=running and not early,
        early=running and early,
        bid=shown.bid,
        statement=shown.statement,
        uploads=shown.uploads,
        part=shown.part,
        envelopes=tuple(parts.values()),
        missing=tuple(bids.missing_parts(view.session, lot, taking.id)),
        deposit=own_deposit.own(view, lot),
        keyed=own_bids.is_keyed(view),
        opening=opened.state if opened is not None else "",
        verdict=verdict.verdict if verdict is not None else "",
        confirm_until=opened.confirm_until if opened is not None else None,
        said=tuple(one.kind for one in remarks if one.party_id == taking.party_id),
        outcome=told,
        object_until=awards.result_window(award) if award is not None else None,
        won=ours,
        left_sealed=verdict is not None and opened is not None and verdict.header_hash in opened.left_sealed,
        ranked=any(row["party_id"] == taking.party_id for row in award.ranking) if award is not None and told else None,
        contract_by=award.contract_by if award is not None and ours else None,
    )
