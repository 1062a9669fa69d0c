"""The outbox worker: messages that have come due stand in their inboxes, and whoever wants them by mail is sent a letter.

Letters are carried outside any transaction: claimed in a short unit, handed over, each marked in a short unit after. A server that hangs
keeps this job waiting and nobody else. A letter may go twice if we die between handing over and marking, with the same Message-ID.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from trading.kernel.access import CLOCK
from trading.kernel.faults import fault
from trading.kernel.work import Office
from trading.parties import mail_queue
from trading.parties.mail_queue import HANDED, REFUSED, WAITING, Outcome, Parcel
from web.mail import carry, compose
from web.mail.way import Way, is_address

SLACK = timedelta(minutes=1)
STATES = {"taken": HANDED, "later": WAITING, "never": REFUSED}
logger = logging.getLogger("bidhall.mail")


@dataclass(frozen=True)
class Post:
    """How this platform sends letters. ``place``: its name in them; ``base``: its address; ``keep_links``: in a rehearsal, whose mail is
    read on the platform itself."""

    way: Way
    place: str
    base: str = ""
    keep_links: bool = False


def deliver(office: Office, post: Post) -> int:
    """One round; returns how many letters were handed over. Refuses: as ``mail_queue.place``."""
    with office.view(CLOCK) as view:
        if not mail_queue.anything(view):
            return 0
    lease = timedelta(seconds=carry.longest(post.way)) + SLACK
    with office.work(CLOCK) as work:
        mail_queue.place(work)
        mail_queue.gather(work)
        parcels = mail_queue.claim(work, lease)
    return _carry(office, post, parcels) if parcels else 0


def _carry(office: Office, post: Post, parcels: list[Parcel]) -> int:
    """Nothing of the database is held while the server is spoken to."""
    left, handed = list(parcels), 0
    try:
        with carry.opened(post.way) as line:
            while left:
                parcel = left[0]
                try:
                    answer = _hand(line, office, post, parcel)
                except carry.Unreachable as error:
                    # This letter may be what the server cannot bear: it waits, the others try again soon.
                    _mark(office, post, parcel, Outcome(WAITING, error.code))
                    left.pop(0)
                    raise
                left.pop(0)
                fault("mail.handed")
                _mark(
                    office,
                    post,
                    parcel,
                    Outcome(STATES[answer.kind], answer.code, answer.kind == "never" and answer.recipient),
                )
                handed += answer.kind == "taken"
    except carry.Unreachable as error:
        logger.error("mail does not leave: %s", error.why)
        if len(left) == len(parcels):  # nobody was spoken to
            for parcel in left:
                _mark(office, post, parcel, Outcome(WAITING, error.code))
        elif left:
            with office.work(CLOCK) as work:
                mail_queue.release(work, left)
    return handed


def _hand(line: carry.Line, office: Office, post: Post, parcel: Parcel) -> carry.Answer:
    if not is_address(parcel.to):  # entered before addresses were looked at closely
        return carry.Answer("never", 553, recipient=True)
    letter = compose.letter(parcel, post.way, place=post.place, base=post.base, now=office.clock.now())
    return line.hand(letter, parcel.to)


def _mark(office: Office, post: Post, parcel: Parcel, outcome: Outcome) -> None:
    with office.work(CLOCK) as work:
        mail_queue.mark(work, parcel, outcome, keep_links=post.keep_links)
