"""What pages show of a platform that was brought back from a backup: what is to be declared, and the gaps that were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crypto.checkpoints import Checkpoint
from trading.kernel import restored
from trading.kernel.access import Act
from trading.kernel.clock import parse_moment
from trading.kernel.declared import Gap
from trading.kernel.errors import Refusal
from trading.kernel.memory import Remembered
from trading.kernel.work import View
from trading.parties import parties
from trading.tendering.tenders import Lot


@dataclass(frozen=True)
class Place:
    """What one place outside remembers; ``code`` where it cannot be read."""

    where: str
    ticks: int | None
    at: datetime | None
    code: str = ""


@dataclass(frozen=True)
class ToDeclare:
    """``first``: who has given the first word, "" for nobody; ``mine``: that is who looks; ``alone``: nobody else could give the second."""

    gap: Gap
    backup_at: datetime
    copy_at: datetime | None
    remembered_at: datetime | None
    places: tuple[Place, ...]
    first: str
    first_at: datetime | None
    mine: bool
    alone: bool


@dataclass(frozen=True)
class GapLine:
    """A declared gap as everybody sees it. ``tick``: where its declaration is sealed, None while it waits."""

    gap: Gap
    c: str
    at: datetime
    backup_at: datetime
    remembered_at: datetime | None
    tick: int | None

    @property
    def begun_at(self) -> datetime:
        """From when on what was signed may be lost."""
        return parse_moment(self.gap.at or self.gap.backup_at)

    @property
    def ended_at(self) -> datetime:
        return parse_moment(self.gap.restored_at)


def to_declare(view: View, seen: Mapping[str, Remembered | Refusal | None]) -> ToDeclare | None:
    """What two people have to look at; None where nothing waits. Refuses: NotAllowed, SignInNeeded."""
    view.require(Act.USER_ADMIN)
    row = restored.waiting(view.session, view.office.keys.public)
    if row is None:
        return None
    gap = restored.gap_of(view, row, seen)
    same = row.proposed_at is not None and restored.is_same(row, gap)
    first = row.proposed_by if same else None
    return ToDeclare(
        gap,
        row.backup_at,
        _moment(gap.at),
        _moment(gap.remembered_at),
        tuple(_place(where, one) for where, one in seen.items()),
        parties.names_of(view.session, [first]).get(first, "") if first is not None else "",
        row.proposed_at if same else None,
        first is not None and first == view.actor.account_id,
        len(parties.administrators(view.session)) < 2,
    )


def _place(where: str, one: Remembered | Refusal | None) -> Place:
    if isinstance(one, Refusal):
        return Place(where, None, None, one.code)
    return Place(where, one.checkpoint.size, _moment(one.at)) if one is not None else Place(where, 0, None)


def _moment(text: str) -> datetime | None:
    return parse_moment(text) if text else None


def gap_lines(view: View) -> list[GapLine]:
    """Every declared gap, newest first: public. Refuses: Conflict ``signed.altered``."""
    found = restored.declarations(view.session, view.office.keys.public)
    return [
        GapLine(
            one.gap,
            one.c,
            parse_moment(one.at),
            parse_moment(one.gap.backup_at),
            _moment(one.gap.remembered_at),
            one.tick,
        )
        for one in reversed(found)
    ]


def lost_in(view: View, kept: Checkpoint | None, at: datetime) -> GapLine | None:
    """The declared gap in which something was signed that this log does not hold: by the checkpoint kept of it, else by its moment.

    Refuses: Conflict ``signed.altered``."""
    for one in gap_lines(view):
        if one.gap.covers(kept) if kept is not None else one.begun_at <= at <= one.ended_at:
            return one
    return None


def gap_of_lot(view: View, lot: Lot) -> GapLine | None:
    """The newest declared gap in which bids of a lot may be lost: it ended after the lot was published, and the lot is not opened yet.

    Refuses: Conflict ``signed.altered``."""
    if lot.published_at is None or (lot.state not in ("NOTICE", "BIDDING", "OPENING") and lot.failure != "few_bidders"):
        return None
    found = (one for one in gap_lines(view) if one.ended_at >= lot.published_at)
    return next(found, None)


def declared_files(view: View) -> list[dict[str, Any]]:
    """The same for programs, as ``restored.files``. Refuses: Conflict ``signed.altered``."""
    return restored.files(view.session, view.office.keys.public)
