"""A rehearsal: a platform whose log says in its first signed record that it proves nothing, and whose clock people move.

Law of the noun: a log is a rehearsal's or a real one from its first record on, and never becomes the other; the name that stands in every
document says so (crypto/rehearsals.py), and whoever starts holds it against that record (log_own.py). What only a rehearsal may do asks the
record, not a setting or a file. Its clock goes forward only, and each move is a signed record.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from crypto import checkpoints, rehearsals
from trading.kernel import audit, log_own, signed
from trading.kernel.access import CLOCK, Act
from trading.kernel.clock import floor_second, parse_moment, write_moment
from trading.kernel.errors import Invalid, NotAllowed, NotFound
from trading.kernel.moved_clock import MovedClock
from trading.kernel.work import Office, UnitOfWork, View

MOVED = "rehearsal.clock"
"""The act of a move of the clock: ``to`` the moment it then showed, ``ahead`` how many seconds it is before the machine's."""
MOST = timedelta(days=730)
"""The farthest one move goes."""
PLAYED = "rehearsal.played"
"""In a site's own log: the word of one administrator that its rehearsal was played, with the checkpoint its log ended with."""
WORDS_NEEDED = 2
LEAST_TICKS = 20
"""A whole tender takes more: its bids, its deadline and its opening each wait for the log."""


@dataclass(frozen=True)
class Ended:
    """The checkpoint a rehearsal ended with: whose log, how many ticks, their root (base64)."""

    name: str
    size: int
    root: str


@dataclass(frozen=True)
class Word:
    """What one administrator said, as it is signed: ``at`` when; ``mine``: it was whoever looks."""

    ended: Ended
    at: datetime
    mine: bool


def is_one(view: View) -> bool:
    """Whether this platform is a rehearsal, by the first record of its log."""
    office = view.office
    return (
        rehearsals.is_name(office.platform)
        and log_own.first_record(view.session, office.keys.public).get("act") == log_own.REHEARSAL
    )


def require(view: View) -> MovedClock:
    """The clock of a rehearsal. Refuses: NotFound ``page.not_found`` on any other platform: there is no such thing there."""
    clock = view.office.clock
    if not isinstance(clock, MovedClock) or not is_one(view):
        raise NotFound("page.not_found")
    return clock


def ahead_by_log(session: Session, public: bytes) -> timedelta:
    """How far the clock was moved, by the newest signed record of a move. Refuses: Conflict ``signed.altered``."""
    found = signed.records_of(session, public, (MOVED,))
    return timedelta(seconds=max((int(record["facts"]["ahead"]) for _entry, record in found), default=0))


def follow_log(office: Office) -> None:
    """At a start: a move that was signed and then cut off is finished. Nothing on a platform that is no rehearsal.

    Refuses: Conflict ``signed.altered``, NotReady ``rehearsal.clock_file``."""
    if not isinstance(office.clock, MovedClock):
        return
    with office.view(CLOCK) as view:
        ahead = ahead_by_log(view.session, office.keys.public)
    if ahead > office.clock.ahead():
        office.clock.set_ahead(ahead)


def move(work: UnitOfWork, to: datetime, *, before: datetime | None = None) -> timedelta:
    """Sign that the clock goes forward to a moment; returns how far it is before the machine's then, which the caller hands to the clock
    once this unit is written. ``before``: the deadline that nobody jumps over.

    Refuses: NotAllowed; NotFound ``page.not_found`` where this is no rehearsal; NotReady as ``certain``; Invalid
    ``rehearsal.backwards``, ``rehearsal.far``, ``rehearsal.over_deadline``.
    """
    work.require(Act.CLOCK_MOVE)
    clock = require(work)
    work.certain()
    to = floor_second(to)
    if to <= work.now:
        raise Invalid("rehearsal.backwards", now=floor_second(work.now), to=to)
    if to - work.now > MOST:
        raise Invalid("rehearsal.far", days=MOST.days)
    if before is not None and to > before:
        raise Invalid("rehearsal.over_deadline", before=before, to=to)
    held = max(clock.ahead(), ahead_by_log(work.session, work.office.keys.public))
    ahead = held + timedelta(
        seconds=int((to - work.now).total_seconds()) + 1
    )  # never short of the moment that was asked for
    work.record(MOVED, "platform", to=write_moment(to), ahead=int(ahead.total_seconds()), person=work.actor.person)
    return ahead


# --- on the site itself -----------------------------------------------------------------------------------------------


def words(view: View) -> list[Word]:
    """Who has said that the rehearsal of this site was played, oldest first; by the signed records alone. Refuses: Conflict
    ``signed.altered``."""
    me = view.actor.person
    return [
        Word(
            Ended(str(record["facts"]["log"]), int(record["facts"]["size"]), str(record["facts"]["root"])),
            parse_moment(record["at"]),
            audit.check_fact_of(json.dumps(record), "person", me),
        )
        for _entry, record in signed.records_of(view.session, view.office.keys.public, (PLAYED,))
    ]


def played(found: list[Word]) -> Ended | None:
    """The checkpoint that two have confirmed, the first to be so; None while there is none."""
    counted: dict[Ended, int] = {}
    for one in found:
        counted[one.ended] = counted.get(one.ended, 0) + 1
        if counted[one.ended] >= WORDS_NEEDED:
            return one.ended
    return None


def read_ended(text: str, platform: str) -> Ended:
    """The closing checkpoint as it was copied from the rehearsal. Its signature is by a key this site never knew, and proves nothing here:
    the word of two people does. Refuses: Invalid ``rehearsal.checkpoint``, ``rehearsal.checkpoint_other``, ``rehearsal.checkpoint_short``.
    """
    lines = [line.strip() for line in text.strip().splitlines()]
    name, _hash = checkpoints.signed_as("\n".join(lines) + "\n")
    try:
        size, root = int(lines[1]), base64.b64decode(lines[2], validate=True)
        if not name or lines[0] != name or len(root) != 32:
            raise ValueError(name)
    except (ValueError, IndexError) as error:
        raise Invalid("rehearsal.checkpoint") from error
    wanted = rehearsals.name_of(platform)
    if name != f"{wanted}/log":
        raise Invalid("rehearsal.checkpoint_other", name=name.removesuffix("/log"), wanted=wanted)
    if size < LEAST_TICKS:
        raise Invalid("rehearsal.checkpoint_short", size=size)
    return Ended(name, size, lines[2])


def confirm(work: UnitOfWork, ended: Ended) -> None:
    """Sign one administrator's word. Refuses: NotAllowed, also ``rehearsal.one_person`` to who has said so before; Conflict
    ``signed.altered``."""
    work.require(Act.REHEARSAL_CONFIRM)
    if any(one.mine and one.ended == ended for one in words(work)):
        raise NotAllowed("rehearsal.one_person")
    work.record(PLAYED, "platform", log=ended.name, size=ended.size, root=ended.root)
