"""Letters on their way: what of the outbox leaves the platform as mail, and how far it has come.

Law of the noun: a letter is waiting, handed over, refused for good or given up after three days; only what the next mail server has taken
counts as handed over. It is claimed for some minutes by whoever carries it and marked after, so that nothing is held meanwhile and no two
carry it at once; who dies on the way leaves it to be carried again, under the same number. Letters go in the order of their numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, ForeignKey, Select, String, UniqueConstraint, delete, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from trading.kernel import ids
from trading.kernel.access import Act
from trading.kernel.db import Base, Moment, one_of
from trading.kernel.outbox import Message
from trading.kernel.work import UnitOfWork, View
from trading.parties import inbox, mail_choices
from trading.parties.mail_choices import DAILY, EACH, MailChoice
from trading.parties.message_groups import about
from trading.parties.parties import Account

WAITING, HANDED, REFUSED, GIVEN_UP, GATHERED, BOUND, DROPPED = STATES = (
    "waiting",
    "handed_over",
    "refused",
    "given_up",
    "gathered",
    "bound",
    "dropped",
)
"""``gathered``: for the letter of the day; ``bound``: in one; ``dropped``: nobody wants it any more."""
MESSAGE, DIGEST, ADDRESS = KINDS = ("message", "digest", "address")
"""To a person about one message, about those of a day; to an address, of somebody who may not be signed in."""
BATCH = 20
LONGEST_WAIT = timedelta(hours=4)
PATIENCE = timedelta(days=3)
"""How long a letter is tried, as mail servers do (RFC 5321, 4.5.4.1)."""
STUCK = timedelta(hours=1)
KEPT = timedelta(days=90)
LATELY = timedelta(days=7)
HOUR_OF_THE_DIGEST = time(8)


class MailLetter(Base):
    """``ref``: what stands in its Message-ID. ``code``: what the server answered last (RFC 5321, 4.2), 0 where it did not answer."""

    __tablename__ = "mail_letter"
    __table_args__ = (
        UniqueConstraint("account_id", "message_id"),
        CheckConstraint(one_of("state", STATES), name="state"),
        CheckConstraint(one_of("kind", KINDS), name="kind"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    kind: Mapped[str] = mapped_column(String(10))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    message_id: Mapped[int | None] = mapped_column(ForeignKey("outbox_message.id"), index=True)
    digest_id: Mapped[int | None] = mapped_column(ForeignKey("mail_letter.id"), index=True)
    state: Mapped[str] = mapped_column(String(12), index=True)
    made_at: Mapped[datetime] = mapped_column(Moment)
    due_at: Mapped[datetime] = mapped_column(Moment)
    tries: Mapped[int] = mapped_column(default=0)
    code: Mapped[int] = mapped_column(default=0)
    claim: Mapped[str] = mapped_column(String(40), default="")
    claimed_until: Mapped[datetime | None] = mapped_column(Moment)
    done_at: Mapped[datetime | None] = mapped_column(Moment)


@dataclass(frozen=True)
class Told:
    """A message in a letter. ``number``: of its page in the inbox, 0 where it has none."""

    number: int
    template: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Parcel:
    """A letter as whoever carries it gets it. ``lang``: "" for both."""

    id: int
    ref: str
    claim: str
    kind: str
    to: str
    lang: str
    messages: tuple[Told, ...]


@dataclass(frozen=True)
class Outcome:
    """``state``: handed_over, refused or waiting (once more, later). ``code``: the server's; ``bounced``: it knows no such address."""

    state: str
    code: int = 0
    bounced: bool = False


# --- from the outbox to letters -----------------------------------------------------------------------------------------------


def anything(view: View) -> bool:
    """Is there anything to do? Asked every few seconds, so that nobody waits for a lock that is not needed."""
    return any(
        view.session.scalar(query.limit(1)) is not None
        for query in (_unplaced(view.now), _gathered(view.now), _ready(view.now))
    )


def _unplaced(now: datetime) -> Select[Any]:
    """Messages nobody has looked at: those of inboxes that do not stand there yet, and letters to addresses without their row."""
    has_letter = select(MailLetter.id).where(MailLetter.message_id == Message.id).exists()
    return select(Message).where(
        Message.sent_at.is_(None), Message.due_at <= now, or_(Message.channel == inbox.CHANNEL, ~has_letter)
    )


def place(work: UnitOfWork, *, limit: int = 50) -> int:
    """Messages that have come due stand in their inboxes; whoever wants one by mail gets a letter. Returns how many. Refuses:
    NotAllowed."""
    work.require(Act.CLOCK)
    rows = _unplaced(work.now).order_by(Message.id).limit(limit)
    found = list(work.session.scalars(rows.with_for_update(of=Message, skip_locked=True)))
    people = _people(work.session, {one.to for one in found if one.channel == inbox.CHANNEL})
    morning = _next_morning(work.now, work.office.zone)
    for message in found:
        if message.channel != inbox.CHANNEL:
            work.session.add(_letter(ADDRESS, work.now, message_id=message.id))
            continue
        message.sent_at = work.now
        for account_id, choice in people.get(message.to, ()):
            if about(message.template) in choice.wanted:
                daily = choice.pace == DAILY
                new = _letter(MESSAGE, work.now, message_id=message.id, account_id=account_id)
                new.state, new.due_at = (GATHERED, morning) if daily else (WAITING, work.now)
                work.session.add(new)
    work.session.flush()
    return len(found)


def _letter(kind: str, now: datetime, **where: int) -> MailLetter:
    return MailLetter(
        ref=ids.new_reference(), kind=kind, state=WAITING, made_at=now, due_at=now, tries=0, code=0, claim="", **where
    )


def _people(session: Session, addressees: Iterable[str]) -> dict[str, list[tuple[int, MailChoice]]]:
    """Who of each addressee, a person or an organisation, can be written to."""
    own, firms = (
        {int(number) for kind, _, number in (one.partition(":") for one in addressees) if kind == word and number}
        for word in ("account", "party")
    )
    rows = (
        select(Account.id, Account.party_id, MailChoice)
        .join(MailChoice, MailChoice.account_id == Account.id)
        .where(
            or_(Account.id.in_(own), Account.party_id.in_(firms)),
            Account.disabled_at.is_(None),
            Account.mail.is_not(None),
            MailChoice.verified_at.is_not(None),
            MailChoice.bounced_at.is_(None),
            MailChoice.pace.in_((EACH, DAILY)),
        )
        .order_by(Account.id)
    )
    found: dict[str, list[tuple[int, MailChoice]]] = defaultdict(list)
    for account_id, party_id, choice in session.execute(rows):
        found[f"account:{account_id}"].append((account_id, choice))
        found[f"party:{party_id}"].append((account_id, choice))
    return found


def _next_morning(now: datetime, zone: str) -> datetime:
    """The next moment at which the letters of the day go, by the centre's clock."""
    here = now.astimezone(ZoneInfo(zone))
    morning = datetime.combine(here.date(), HOUR_OF_THE_DIGEST, here.tzinfo)
    return (morning if morning > here else morning + timedelta(days=1)).astimezone(now.tzinfo)


def _gathered(now: datetime) -> Select[Any]:
    return select(MailLetter).where(MailLetter.state == GATHERED, MailLetter.due_at <= now)


def gather(work: UnitOfWork, *, limit: int = 500) -> int:
    """What a day has brought to a person becomes one letter. Returns how many letters. Refuses: NotAllowed."""
    work.require(Act.CLOCK)
    rows = _gathered(work.now).order_by(MailLetter.id).limit(limit).with_for_update(skip_locked=True)
    of: dict[int, list[MailLetter]] = defaultdict(list)
    for one in work.session.scalars(rows):
        of[one.account_id or 0].append(one)
    for account_id, held in of.items():
        digest = _letter(DIGEST, work.now, account_id=account_id)
        work.session.add(digest)
        work.session.flush()
        for one in held:
            one.state, one.digest_id, one.done_at = BOUND, digest.id, work.now
    work.session.flush()
    return len(of)


# --- carrying -----------------------------------------------------------------------------------------------------------------


def _ready(now: datetime) -> Select[Any]:
    free = or_(MailLetter.claimed_until.is_(None), MailLetter.claimed_until <= now)
    return select(MailLetter).where(MailLetter.state == WAITING, MailLetter.due_at <= now, free)


def claim(work: UnitOfWork, lease: timedelta, *, limit: int = BATCH) -> list[Parcel]:
    """The next letters, for whoever calls alone until ``lease`` is over. Those whose address is gone by now are dropped. Refuses:
    NotAllowed."""
    work.require(Act.CLOCK)
    rows = _ready(work.now).order_by(MailLetter.id).limit(limit).with_for_update(skip_locked=True)
    letters = list(work.session.scalars(rows))
    mark = ids.new_reference()
    people = _writable(work.session, {one.account_id for one in letters if one.account_id})
    inside = _inside(work.session, letters)
    parcels = []
    for one in letters:
        held = inside.get(one.id, [])
        if one.kind == ADDRESS:
            to, lang = held[0].address if held else "", ""
        else:
            to, lang = people.get(one.account_id or 0, ("", ""))
        if not to or not held:
            one.state, one.done_at = DROPPED, work.now
            continue
        one.claim, one.claimed_until = mark, work.now + lease
        told = tuple(Told(0 if one.kind == ADDRESS else m.id, m.template, m.facts) for m in held)
        parcels.append(Parcel(one.id, one.ref, mark, one.kind, to, lang, told))
    work.session.flush()
    return parcels


def _writable(session: Session, numbers: Iterable[int]) -> dict[int, tuple[str, str]]:
    """(address, language) of those whose confirmed address stands."""
    rows = (
        select(Account, MailChoice.lang)
        .join(MailChoice, MailChoice.account_id == Account.id)
        .where(
            Account.id.in_(list(numbers)),
            Account.disabled_at.is_(None),
            MailChoice.verified_at.is_not(None),
            MailChoice.bounced_at.is_(None),
        )
    )
    return {who.id: (who.mail or "", lang) for who, lang in session.execute(rows)}


def _inside(session: Session, letters: Iterable[MailLetter]) -> dict[int, list[Message]]:
    """The messages of each letter, in their order."""
    single = {one.id: one.message_id for one in letters if one.message_id}
    bound = session.execute(
        select(MailLetter.digest_id, MailLetter.message_id)
        .where(MailLetter.digest_id.in_([one.id for one in letters if one.kind == DIGEST]))
        .order_by(MailLetter.id)
    ).all()
    wanted = {*single.values(), *(message_id for _, message_id in bound)}
    known = {one.id: one for one in session.scalars(select(Message).where(Message.id.in_(list(wanted))))}
    found: dict[int, list[Message]] = defaultdict(list)
    for letter_id, message_id in [*single.items(), *((a, b) for a, b in bound if a)]:
        if message_id in known:
            found[letter_id].append(known[message_id])
    return found


def mark(work: UnitOfWork, parcel: Parcel, outcome: Outcome, *, keep_links: bool = False) -> None:
    """Note what came of a letter, unless its claim has passed to somebody else. What is to be tried again waits longer each time.
    ``keep_links``: what a letter opens stays readable in the database, in a rehearsal. Refuses: NotAllowed."""
    work.require(Act.CLOCK)
    one = work.session.scalar(select(MailLetter).where(MailLetter.id == parcel.id).with_for_update())
    if one is None or one.claim != parcel.claim or one.state != WAITING:
        return
    one.claim, one.claimed_until, one.code = "", None, outcome.code
    if outcome.state == WAITING:
        one.tries += 1
        if work.now - one.made_at >= PATIENCE:
            outcome = replace(outcome, state=GIVEN_UP)
        else:
            one.due_at = work.now + min(timedelta(minutes=2 ** min(one.tries - 1, 8)), LONGEST_WAIT)
            return
    one.state, one.done_at = outcome.state, work.now
    if outcome.bounced and one.account_id is not None:
        choice = work.session.scalar(select(MailChoice).where(MailChoice.account_id == one.account_id))
        if choice is not None:
            choice.bounced_at, choice.bounce_code = work.now, outcome.code
    if one.kind == ADDRESS:
        _close(work, one, parcel, keep_links)
    work.session.flush()


def _close(work: UnitOfWork, one: MailLetter, parcel: Parcel, keep_links: bool) -> None:
    """A message to an address is sent once it was handed over; whoever reads the database later finds no key to a door in it."""
    message = work.session.get(Message, one.message_id)
    if message is None:
        return
    if one.state == HANDED:
        message.sent_at = work.now
    else:
        mail_choices.unsent(work, message.key, one.code)
    if "link" in message.facts and not keep_links:
        message.facts = {**message.facts, "link": ""}


def release(work: UnitOfWork, parcels: Iterable[Parcel]) -> None:
    """Letters that were claimed and not tried are for anybody again. Refuses: NotAllowed."""
    work.require(Act.CLOCK)
    claims = {one.id: one.claim for one in parcels}
    for one in work.session.scalars(select(MailLetter).where(MailLetter.id.in_(list(claims))).with_for_update()):
        if one.claim == claims[one.id]:
            one.claim, one.claimed_until = "", None
    work.session.flush()


def sweep(work: UnitOfWork) -> None:
    """Letters that came to an end long ago are forgotten; the messages stay. Refuses: NotAllowed."""
    work.require(Act.CLOCK)
    old = MailLetter.done_at < work.now - KEPT
    over = or_(MailLetter.kind == MESSAGE, MailLetter.state == HANDED)  # what never left would else be taken for new
    work.session.execute(delete(MailLetter).where(old, MailLetter.message_id.is_not(None), over))
    bound = select(MailLetter.digest_id).where(MailLetter.digest_id.is_not(None))
    work.session.execute(delete(MailLetter).where(old, MailLetter.kind == DIGEST, MailLetter.id.not_in(bound)))


# --- looking ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Backlog:
    """``waiting``: is any letter due; ``retried``: was one tried in vain; ``failed``: how many came back or were given up in a week.
    No length of the queue: it could tell what happens on a lot."""

    waiting: bool
    retried: bool
    failed: int


def backlog(session: Session, now: datetime) -> Backlog:
    waiting = select(MailLetter.id).where(MailLetter.state == WAITING)
    failed = select(func.count()).select_from(MailLetter)
    failed = failed.where(MailLetter.state.in_((REFUSED, GIVEN_UP)), MailLetter.done_at > now - LATELY)
    return Backlog(
        session.scalar(waiting.where(MailLetter.due_at <= now).limit(1)) is not None,
        session.scalar(waiting.where(MailLetter.tries > 0).limit(1)) is not None,
        int(session.scalar(failed) or 0),
    )


def stuck(session: Session, now: datetime) -> int:
    """How many letters have waited for longer than an hour: for whoever looks after the machine itself."""
    rows = select(func.count()).select_from(MailLetter)
    return int(session.scalar(rows.where(MailLetter.state == WAITING, MailLetter.made_at <= now - STUCK)) or 0)


@dataclass(frozen=True)
class Sent:
    """A letter to a person, as the person sees it. ``template``: "" for the letter of a day."""

    template: str
    state: str
    code: int
    at: datetime


def own_latest(view: View, limit: int = 10) -> list[Sent]:
    """The last letters to whoever looks. Refuses: NotAllowed, SignInNeeded."""
    view.require(Act.ACCOUNT_OWN)
    rows = (
        select(MailLetter, Message.template)
        .outerjoin(Message, Message.id == MailLetter.message_id)
        .where(MailLetter.account_id == view.actor.account_id, MailLetter.state.not_in((GATHERED, BOUND)))
        .order_by(MailLetter.id.desc())
        .limit(limit)
    )
    return [
        Sent(template or "", one.state, one.code, one.done_at or one.made_at)
        for one, template in view.session.execute(rows)
    ]
