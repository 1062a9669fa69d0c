"""Stored bytes read again, round after round, by the clock: what a disk forgets is found while somebody still has it.

Law of the noun: a bid's bytes are held against the root in its signed submission, other files against the hash that is their name. What is
broken is brought back from the second disk or the mirror, at once; where nobody has it, its bidder alone is asked for a copy. Nobody else
learns which file, of which lot, or of how many. No content is opened, and reading is slow on purpose.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import String, Text, select
from sqlalchemy.orm import Mapped, mapped_column

from crypto.canonical import loads, unb64u
from crypto.errors import CryptoError
from crypto.signatures import payload_of
from trading.bidding import closing, copies, named_blobs, stored
from trading.bidding.bids import SealedBid, StandingBid
from trading.bidding.stored import BROKEN
from trading.kernel import signed
from trading.kernel.access import CLOCK, Act
from trading.kernel.db import Base, Moment
from trading.kernel.errors import Refusal
from trading.kernel.faults import fault
from trading.kernel.work import Office, View
from trading.opening.rechecks import alone
from trading.tendering.tenders import Lot

BYTES = 64 << 20
"""Read at a time; the scheduler comes every twenty seconds, so some 3 MB a second."""
EVERY = timedelta(days=1)
"""Between the beginnings of two passes, at least."""


class Scrub(Base):
    """One row. ``cursor``: the last name looked at in this pass; ``whole_at``: when a pass last came to its end; ``unmended``: names of
    what is damaged and could not be brought back, parted by spaces."""

    __tablename__ = "scrub"

    id: Mapped[int] = mapped_column(primary_key=True)
    cursor: Mapped[str] = mapped_column(String(64), default="")
    begun_at: Mapped[datetime] = mapped_column(Moment)
    whole_at: Mapped[datetime | None] = mapped_column(Moment)
    unmended: Mapped[str] = mapped_column(Text, default="")


@dataclass(frozen=True)
class Passed:
    """``whole_at``: when all stored bytes had last been read, None for never; ``unmended``: what is damaged and nobody had."""

    whole_at: datetime | None = None
    unmended: tuple[str, ...] = ()


@dataclass
class Walk:
    """What a process still has to look at in this pass; asked for once a pass."""

    names: list[str] = field(default_factory=list)
    begun: datetime | None = None


def passed(view: View) -> Passed:
    """For `bidhall doctor` and the administrator's page. Refuses: NotAllowed."""
    if view.actor != CLOCK:
        view.require(Act.SYSTEM_ADMIN)
    row = view.session.scalar(select(Scrub))
    return Passed() if row is None else Passed(row.whole_at, tuple(row.unmended.split()))


def scrub(office: Office, walk: Walk, most: int = BYTES) -> int:
    """Look at about ``most`` bytes more, and note how far this is; returns how many files were looked at. No transaction is open while
    bytes are read. One process of a machine does it at a time."""
    with alone(office, "scrub.lock") as held:
        if not held or not _begun(office, walk):
            return 0
        hurt: dict[str, bool] = {}
        looked, read = "", 0
        while walk.names and read < most:
            looked = walk.names.pop(0)
            read += _size(office, looked)
            hurt[looked] = not _is_well(office, looked)
        fault("scrub.looked")
        with office.work(CLOCK) as work:
            row = work.session.scalars(select(Scrub)).one()
            broken = (set(row.unmended.split()) - hurt.keys()) | {name for name, bad in hurt.items() if bad}
            row.cursor = looked or row.cursor
            if not walk.names:
                row.whole_at, row.cursor = work.now, ""
                broken &= named_blobs.named(work.session).keys()  # what was erased by rule is no damage
            row.unmended = " ".join(sorted(broken))
        return len(hurt)


def _begun(office: Office, walk: Walk) -> bool:
    """Whether there is something to look at: the rest of a pass, or a new one whose time has come."""
    with office.view(CLOCK) as view:
        row = view.session.scalar(select(Scrub))
        now, due = view.now, row is None or (not row.cursor and row.begun_at + EVERY <= view.now)
        if not due and (row is None or not row.cursor):
            return False
        assert due or row is not None
        if due or walk.begun != (row.begun_at if row else None):
            after = "" if due or row is None else row.cursor
            walk.names = [name for name in sorted(named_blobs.named(view.session)) if name > after]
            walk.begun = now if due or row is None else row.begun_at
    if due:
        with office.work(CLOCK) as work:
            row = work.session.scalar(select(Scrub))
            if row is None:
                row = Scrub(cursor="", begun_at=now, whole_at=None, unmended="")
                work.session.add(row)
            row.begun_at = now
    return True


def _size(office: Office, name: str) -> int:
    try:
        return office.blobs.path(name).stat().st_size
    except OSError:
        return 0


def _is_well(office: Office, name: str) -> bool:
    """Whether the bytes are the ones they should be, or are again."""
    with office.view(CLOCK) as view:
        bid = view.session.scalar(select(SealedBid).where(SealedBid.blob == name))
        root = None if bid is None else _signed_root(view, bid)
    if bid is None:
        return named_blobs.is_named_so(office.blobs.path(name), name) or _other_brought_back(office, name)
    if root is not None and stored.gives(office, name, root):
        return True
    with office.view(CLOCK) as view:
        lot = view.session.get_one(Lot, bid.lot_id)
        kind = copies.mode_of(view.session, lot, bid.part)
        taken = closing.find(view.session, lot, bid.part) is not None
        stands = view.session.scalar(select(StandingBid.id).where(StandingBid.bid_id == bid.id)) is not None
    if stored.restore(office, lot, bid, kind) and root is not None and stored.gives(office, name, root):
        return True
    if stands and not taken:  # round the opening it is looked after by rechecks.py
        _ask_the_bidder(office, bid, lot)
    return False


def _signed_root(view: View, bid: SealedBid) -> bytes | None:
    """The root the bidder signed; None where the signed submission is not there as it was signed, which the audit names."""
    try:
        document = signed.kept(view.session, bid.statement)
        return None if document is None else unb64u(loads(payload_of(document))["sealed_root"], 32)
    except (Refusal, CryptoError, KeyError, TypeError):
        return None


def _other_brought_back(office: Office, name: str) -> bool:
    """A file that is no bid, from the second disk."""
    second = office.blobs.second
    if second is None or not second.has(name):
        return False
    digest = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        yield from second.read(name)

    try:
        return office.blobs.bring_back(pieces(), name, digest.update, lambda: digest.hexdigest() == name)
    except OSError:
        return False


def _ask_the_bidder(office: Office, bid: SealedBid, lot: Lot) -> None:
    """Its bidder can hand the sealed file in again; no word of it stands in a log, which would tell that there is a bid."""
    with office.work(CLOCK) as work:
        work.lock(work.session.get_one(Lot, lot.id))
        if work.session.scalar(select(StandingBid.id).where(StandingBid.bid_id == bid.id)) is None:
            return
        office.blobs.set_aside(bid.blob)
        stored.note(work, bid, BROKEN)
        work.send(f"copy/{bid.id}", to=f"party:{bid.party_id}", template="bid.copy_wanted", lot=lot.ref)
