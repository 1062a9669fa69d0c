"""A platform on restored data: it is read and signs nothing until two people have said what was lost, and the log holds that.

Law of the noun: bringing a copy back is one person's work at a machine, so it decides nothing. The row written then only says that a
declaration is owed; that it was made is read from the signed record, never from the row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from crypto import checkpoints
from crypto.canonical import b64u
from crypto.checkpoints import Checkpoint
from crypto.errors import CryptoError
from trading.kernel import audit, declared, log, signed
from trading.kernel.access import Act
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.db import Base, Moment
from trading.kernel.declared import Gap
from trading.kernel.errors import Conflict, NotAllowed, NotReady, Refusal, WrongStep
from trading.kernel.memory import Remembered
from trading.kernel.work import UnitOfWork, View


class Restoration(Base):
    """A copy that was brought back. ``backup_at``: the moment of the copy; ``at``: when it was brought back; ``ticks`` and ``note``: its
    log then; ``proposed_*``: the first person's word, with size and root of what was remembered (0, "" for nothing)."""

    __tablename__ = "restoration"

    id: Mapped[int] = mapped_column(primary_key=True)
    backup_at: Mapped[datetime] = mapped_column(Moment)
    at: Mapped[datetime] = mapped_column(Moment)
    ticks: Mapped[int]
    note: Mapped[str] = mapped_column(Text, default="")
    proposed_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    proposed_at: Mapped[datetime | None] = mapped_column(Moment)
    remembered: Mapped[int] = mapped_column(default=0)
    remembered_root: Mapped[str] = mapped_column(String(50), default="")


@dataclass(frozen=True)
class Declared:
    """A declared gap as the log holds it. ``c``: its entry; ``tick``: where that is sealed, None while it waits."""

    gap: Gap
    c: str
    at: str
    tick: int | None
    record: dict[str, Any]


def declarations(session: Session, platform: bytes) -> list[Declared]:
    """Every declared gap of this log, oldest first. One that does not lie in the first tick after its copy is none.

    Refuses: Conflict ``signed.altered``.
    """
    found = signed.records_of(session, platform, (declared.ACT,))
    if not found:
        return []
    seats, size = log.seats(session, [one.c for one, _ in found]), log.ticks_of(session)
    made = []
    for proved, record in found:
        seat = seats.get(proved.c)
        try:
            gap = declared.of_record(record)
        except CryptoError as error:
            raise signed.altered(f"act_record {proved.c}", proved.c) from error
        if (seat.tick if seat else size) == gap.ticks:
            made.append(Declared(gap, proved.c, str(record["at"]), seat.tick if seat else None, record))
    return made


def covered(session: Session, platform: bytes, kept: Checkpoint) -> bool:
    """Whether some declared gap excuses a checkpoint that this log does not continue. Refuses: Conflict ``signed.altered``."""
    return any(one.gap.covers(kept) for one in declarations(session, platform))


def files(session: Session, platform: bytes, *, size: int | None = None) -> list[dict[str, Any]]:
    """Every declared gap for whoever checks it, oldest first: ``record`` with its salt, the signed ``entry``, and its ``proof`` in the log
    of ``size`` ticks (all of them by default), once it is sealed there. Refuses: Conflict ``signed.altered``."""
    found = [
        one for one in declarations(session, platform) if size is None or (one.tick is not None and one.tick < size)
    ]
    if not found:
        return []
    proofs = log.proofs(session, [one.c for one in found], size=size)
    rows = audit.entries(session, [one.c for one in found])
    return [
        {"record": one.record, "entry": json.loads(rows[one.c].envelope)}
        | ({"proof": proofs[one.c]} if one.c in proofs else {})
        for one in found
    ]


def waiting(session: Session, platform: bytes) -> Restoration | None:
    """The restoration whose gap nobody has declared yet, None where there is none. Refuses: Conflict ``signed.altered``."""
    rows = list(session.scalars(select(Restoration).order_by(Restoration.id)))
    if not rows:
        return None
    done = {(one.gap.ticks, one.gap.restored_at) for one in declarations(session, platform)}
    return next((row for row in rows if (row.ticks, write_moment(row.at)) not in done), None)


@dataclass
class Standing:
    """Whether this process waits for people to declare a gap: asked with every entry that is signed, so a word in memory."""

    trouble: Refusal | None = None

    def look(self, view: View) -> Refusal | None:
        """Ask the database. The trouble of a process that waits ends by this, too."""
        row = waiting(view.session, view.office.keys.public)
        self.trouble = (
            None
            if row is None
            else NotReady("restore.unconfirmed", backup_at=row.backup_at, at=row.at, ticks=row.ticks)
        )
        return self.trouble


def note(session: Session, *, backup_at: datetime, at: datetime) -> Restoration:
    """Write down that these data are a copy that was brought back: by whoever restores, before anything is served."""
    last = log.last_tick(session)
    row = Restoration(
        backup_at=floor_second(backup_at),
        at=floor_second(at),
        ticks=last.tick + 1 if last else 0,
        note=last.checkpoint if last else "",
        remembered=0,
        remembered_root="",
    )
    session.add(row)
    session.flush()
    return row


def gap_of(view: View, row: Restoration, seen: Mapping[str, Remembered | Refusal | None]) -> Gap:
    """What is lost as far as anything outside remembers; ``seen`` as ``Memory.seen`` gives it. Who remembers most is gone by."""
    key = log.log_key(view.office.platform, view.office.keys)
    most = max(
        (one for one in seen.values() if isinstance(one, Remembered)),
        key=lambda one: (one.checkpoint.size, one.where),
        default=None,
    )
    own = checkpoints.verify_checkpoint(row.note, key) if row.note else None
    last = log.last_tick(view.session)
    return Gap(
        ticks=row.ticks,
        root=b64u(own.root) if own else "",
        at=write_moment(last.at) if last else "",
        backup_at=write_moment(row.backup_at),
        remembered=most.checkpoint.size if most else 0,
        remembered_root=b64u(most.checkpoint.root) if most else "",
        remembered_at=most.at if most else "",
        restored_at=write_moment(row.at),
    )


def said_by(view: View) -> int | None:
    """Whose word is the first so far; None where nobody has given one, or nothing waits."""
    row = waiting(view.session, view.office.keys.public)
    return None if row is None else row.proposed_by


def is_same(row: Restoration, gap: Gap) -> bool:
    """Whether the first person's word was about this very gap."""
    return (row.remembered, row.remembered_root) == (gap.remembered, gap.remembered_root)


def confirm(
    work: UnitOfWork, seen: Mapping[str, Remembered | Refusal | None], *, remembered: int, alone: bool = False
) -> Declared | None:
    """A person's word that this is what was lost. The first one waits for another's (None); the second, of somebody else about the same
    gap, signs the declaration. ``remembered``: the size the person was shown; ``alone``: there is nobody else who could.

    Refuses: NotAllowed ``restore.one_person``, SignInNeeded, WrongStep ``restore.nothing``, Conflict ``restore.gap_changed``,
    NotReady as ``UnitOfWork.certain``, ``memory.taken``.
    """
    work.require(Act.RESTORE_CONFIRM)
    work.certain()
    memory = work.office.memory
    if memory is not None and (other := memory.taken()) is not None:
        raise other  # a copy to try a backup with must not sign beside the platform that lives
    row = waiting(work.session, work.office.keys.public)
    if row is None:
        raise WrongStep("restore.nothing")
    work.lock(row)
    gap = gap_of(work, row, seen)
    if gap.remembered != remembered:
        raise Conflict("restore.gap_changed", remembered=gap.remembered, shown=remembered)
    me = work.actor.account_id
    same = row.proposed_at is not None and is_same(row, gap)
    if same and row.proposed_by == me and not alone:
        raise NotAllowed("restore.one_person")
    if not same and not alone:
        row.proposed_by, row.proposed_at = me, work.now
        row.remembered, row.remembered_root = gap.remembered, gap.remembered_root
        work.session.flush()
        return None
    first = row.proposed_by if same and row.proposed_by is not None else me
    work.declares = True  # the one thing a platform that stands still may sign of its own
    work.record(
        declared.ACT, "platform", **gap.facts(), account=f"account:{first}" if first is not None else work.actor.person
    )
    return Declared(gap, "", write_moment(floor_second(work.now)), None, {})
