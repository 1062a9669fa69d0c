"""What of an opening needs the supervisory body: late closings, claims of omission, reported boxes, lost bids, its own mirror.

Of a sealed lot it learns no more than the public: moments of the log, and that somebody claims, never who.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from trading.bidding import claims, copies, late_close, stored
from trading.bidding.late_close import LateClosing
from trading.kernel.work import View
from trading.opening import ceremony, findings, rescue
from trading.opening.findings import Complaint
from trading.opening.rescue import Pause
from trading.tendering.tenders import Lot


@dataclass(frozen=True)
class OpenedLot:
    ref: str
    title: str
    opens_at: datetime | None


@dataclass(frozen=True)
class ClaimLine:
    """``name``: whose claim it is, "" as long as the names of the bidders are sealed."""

    id: int
    code: str
    at: datetime
    entry: str
    name: str
    outcome: str
    reasons: str
    settled_at: datetime | None


@dataclass(frozen=True)
class LostBid:
    """A bid whose bytes were lost when it was to be opened. ``found_at``: when the finding on it was signed."""

    name: str
    header_hash: str
    found_at: datetime | None


@dataclass(frozen=True)
class Waiver:
    """The opening goes on without the mirror."""

    reasons: str
    at: datetime


@dataclass(frozen=True)
class MirrorLine:
    """How an opening that waits for its first share stands with the mirror. ``missed``: header hashes of the bids it missed pieces of."""

    mode: str
    missed: tuple[str, ...]
    waiting: bool
    waived: Waiver | None

    @property
    def stops(self) -> bool:
        return self.waived is None and (self.waiting or bool(self.missed))


@dataclass(frozen=True)
class OpeningTrouble:
    """What of one opening needs the supervisory body, or has needed it."""

    lot: OpenedLot
    late: LateClosing | None
    claims: tuple[ClaimLine, ...]
    complaints: tuple[Complaint, ...]
    pause: Pause | None
    opened: bool
    lost: tuple[LostBid, ...] = ()
    mirror: MirrorLine | None = None

    @property
    def waits(self) -> bool:
        return (
            any(one.found_at is None for one in self.lost)
            or (self.mirror is not None and self.mirror.stops)
            or (self.late is not None and self.late.confirmed is None)
            or any(not one.outcome for one in self.claims)
            or (not self.opened and any(one.found is None for one in self.complaints))
        )


def all_openings(view: View) -> list[OpeningTrouble]:
    """Lots at their opening, and lots with a claim to settle or a lost bid in whatever state: those that wait first, by their hour."""
    claimed = select(claims.Claim.lot_id).where(
        claims.Claim.outcome == ""
    )  # also of a lot that failed with too few bids
    lost = select(ceremony.OpenedBid.lot_id).where(ceremony.OpenedBid.verdict == findings.LOST)
    rows = select(Lot).where((Lot.state == "OPENING") | Lot.id.in_(claimed) | Lot.id.in_(lost))
    lots = view.session.scalars(rows.order_by(Lot.opens_at, Lot.ref))
    return sorted((opening_trouble(view, lot) for lot in lots), key=lambda one: not one.waits)


def opening_trouble(view: View, lot: Lot) -> OpeningTrouble:
    session = view.session
    row, public = ceremony.find(session, lot), ceremony.is_public(session, lot)
    return OpeningTrouble(
        OpenedLot(lot.ref, lot.title, lot.opens_at),
        late_close.what_happened(session, lot),
        tuple(
            ClaimLine(
                one.id,
                one.code,
                one.at,
                one.entry,
                one.party.name if public else "",
                one.outcome,
                one.reasons,
                one.settled_at,
            )
            for one in claims.of_lot(session, lot)
        ),
        tuple(findings.complaints(session, row)) if row else (),
        rescue.pause(session, row) if row else None,
        row is not None and row.opened is not None,
        tuple(
            LostBid(bid.party.name, bid.header_hash, one.at if one else None)
            for _, bid, one in findings.lost(session, lot)
        ),
        _mirror_line(view, ceremony.current(session, lot)),
    )


def _mirror_line(view: View, row: ceremony.Opening | None) -> MirrorLine | None:
    """Only of a published set that waits for its first share."""
    if row is None or row.opened is not None or ceremony.shares(view.session, row):
        return None
    mode = copies.mode_of(view.session, row.lot, row.part)
    if mode == copies.NONE:
        return None
    listed = ceremony.to_open(view.session, row)
    known = stored.checks_of(view.session, listed)
    checks = {bid.header_hash: known.get(bid.id) for bid in listed}
    missed = tuple(name for name, check in sorted(checks.items()) if check is not None and check.missed)
    waiting = any(
        check is None or check.checked_at <= row.listed_at or (mode == copies.DIGESTS and not check.proof)
        for check in checks.values()
    )
    waiver = stored.waiver_of(view.session, row.lot, row.part)
    return MirrorLine(mode, missed, waiting, Waiver(waiver.reasons, waiver.at) if waiver is not None else None)
