"""Files of opened bids are strangers' files: each waits in quarantine until a scanner has looked at it (promise U2; OWASP ASVS 5.4.3).

Law of the noun: a file is handed out only once it is clean, or where the platform has no scanner at all, and then it says so. What a
scanner found stands in the log by the file's salted digest of the opening list. Scanning is long and holds no transaction; its outcome is
an act of its own. A file without a row has not been looked at yet.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, UniqueConstraint, exists, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from trading.files import scanning
from trading.files.scanning import (
    INFECTED,
    STATES,
    UNSCANNED,
    WAITING,
    Finding,
    Quarantine,
    Scanner,
    scanned,
    written_down,
)
from trading.kernel.access import CLOCK, Act
from trading.kernel.db import Base, Moment, one_of
from trading.kernel.errors import NotFound, WrongStep
from trading.kernel.work import Office, UnitOfWork
from trading.opening.ceremony import OpenedBid
from trading.tendering.tenders import Lot


class OpenedFile(Base):
    """One file of an opened bid, by its place in the bid's list. ``finding`` and ``scanner``: as the scanner said; ``taken_at``: since when
    a process is looking at it."""

    __tablename__ = "opened_file"
    __table_args__ = (
        UniqueConstraint("opened_bid_id", "place"),
        CheckConstraint(one_of("state", STATES), name="state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    opened_bid_id: Mapped[int] = mapped_column(ForeignKey("opened_bid.id"))
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    place: Mapped[int]
    blob: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(50))
    size: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(20), default=WAITING, index=True)
    finding: Mapped[str] = mapped_column(String(200), default="")
    scanner: Mapped[str] = mapped_column(String(200), default="")
    taken_at: Mapped[datetime | None] = mapped_column(Moment)
    scanned_at: Mapped[datetime | None] = mapped_column(Moment)
    lot: Mapped[Lot] = relationship(lazy="joined")


# --- acts of the clock ----------------------------------------------------------------------------------------------------


def take_in(work: UnitOfWork) -> int:
    """Rows for the files of opened bids that have none yet; returns how many. Refuses: NotAllowed."""
    work.require(Act.CLOCK)
    made = 0
    for bid in work.session.scalars(_without_rows().with_for_update(of=OpenedBid, skip_locked=True)):
        for place, item in enumerate(bid.files):
            work.session.add(
                OpenedFile(
                    opened_bid_id=bid.id,
                    lot_id=bid.lot_id,
                    place=place,
                    blob=item["blob"],
                    digest=item["digest"],
                    size=item["size"],
                )
            )
            made += 1
    return made


def scan(office: Office, scanner: Scanner | None) -> list[str]:
    """Look at what waits, file by file: the bytes outside any transaction, each outcome in a unit of its own. Without a scanner files are
    noted as unscanned. Returns what was found, as ``state LOT``; twice or from two machines is harmless.

    Raises: ScannerDown once nothing more can be asked of it; what was found before stands.
    """
    with office.view(CLOCK) as view:
        fresh = view.session.scalar(_without_rows().limit(1)) is not None
        if not fresh and not _due(view.session, view.now, scanner is not None):
            return []
    version = scanner.version() if scanner is not None else ""
    with office.work(CLOCK) as work:
        take_in(work)
    if scanner is None:
        with office.work(CLOCK) as work:
            return _note_unscanned(work)
    return [
        f"{finding.state} {row.lot.ref}" for row, finding in scanned(office, OpenedFile, scanner, note, version=version)
    ]


def note(work: UnitOfWork, file_id: int, finding: Finding, *, scanner: str) -> None:
    """Write down what a scanner found of a file; what is known already stays. Refuses: NotAllowed, NotFound."""
    row, is_news = written_down(work, OpenedFile, file_id, finding, scanner)
    if is_news:
        work.record(
            "file.scan", row.lot.log_of, state=row.state, finding=row.finding, scanner=row.scanner, file=row.digest
        )


def _note_unscanned(work: UnitOfWork) -> list[str]:
    rows = list(work.session.scalars(select(OpenedFile).where(OpenedFile.state == WAITING).order_by(OpenedFile.id)))
    by_lot: dict[Lot, list[str]] = {}
    for row in rows:
        row.state, row.scanned_at = UNSCANNED, work.now
        by_lot.setdefault(row.lot, []).append(row.digest)
    for lot, digests in by_lot.items():
        work.record("file.unscanned", lot.log_of, files=sorted(digests))
    return [f"{UNSCANNED} {lot.ref}" for lot in by_lot]


# --- looking --------------------------------------------------------------------------------------------------------------


def states(session: Session, lot: Lot, *, scanned: bool) -> dict[tuple[int, int], Quarantine]:
    """(bid, place) → where the file stands, for every file of a lot's opened bids. ``scanned``: the platform has a scanner."""
    rows = {
        (row.opened_bid_id, row.place): row
        for row in session.scalars(select(OpenedFile).where(OpenedFile.lot_id == lot.id))
    }
    found = session.scalars(select(OpenedBid).where(OpenedBid.lot_id == lot.id))
    return {
        (bid.id, place): _standing(rows.get((bid.id, place)), scanned)
        for bid in found
        for place in range(len(bid.files))
    }


def bid_of_id(session: Session, bid_id: int) -> OpenedBid | None:
    """The opened bid a link to one of its files names."""
    return session.get(OpenedBid, bid_id)


def release(session: Session, bid: OpenedBid, place: int, *, scanned: bool) -> Quarantine:
    """Let a file out of quarantine, or say why not. Refuses: NotFound, WrongStep ``file.waiting``, ``file.infected``, ``file.refused``."""
    if not 0 <= place < len(bid.files):
        raise NotFound("document.unknown", id=place)
    row = session.scalar(select(OpenedFile).where(OpenedFile.opened_bid_id == bid.id, OpenedFile.place == place))
    standing = _standing(row, scanned)
    if not standing.handed_out:
        raise WrongStep(f"file.{standing.state}", finding=standing.finding or "–", scanner=standing.scanner or "–")
    return standing


def held_back(session: Session, lot: Lot) -> list[OpenedFile]:
    """Files of a lot in which a scanner found something, for the record."""
    query = select(OpenedFile).where(OpenedFile.lot_id == lot.id, OpenedFile.state == INFECTED)
    return list(session.scalars(query.order_by(OpenedFile.id)))


def _standing(row: OpenedFile | None, scanned: bool) -> Quarantine:
    """Where a scanner is there now, what none has looked at waits for it; where none is, nothing will ever come."""
    if row is None or row.state in (WAITING, UNSCANNED):
        return Quarantine(WAITING if scanned else UNSCANNED)
    return Quarantine(row.state, row.finding, row.scanner, row.scanned_at)


def _without_rows():  # type: ignore[no-untyped-def]
    has = exists().where(OpenedFile.opened_bid_id == OpenedBid.id)
    return select(OpenedBid).where(OpenedBid.verdict == "opened", OpenedBid.files != [], ~has).order_by(OpenedBid.id)


def _due(session: Session, now: datetime, scanned: bool) -> bool:
    query = scanning.waiting(OpenedFile, now) if scanned else select(OpenedFile).where(OpenedFile.state == WAITING)
    return session.scalar(query.limit(1)) is not None
