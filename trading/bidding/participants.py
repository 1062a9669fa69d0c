"""Participants: which parties take part in a lot, and whether their deposit has arrived.

Law of the noun: names and number of participants, and who has paid, are secret until the opening list is published (rulebook §9.1, rule
D-12): nothing here may be counted or listed for anybody on a sealed lot. Taking part is no sign-up and blocks nobody (rule A-03).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, UniqueConstraint, bindparam, select
from sqlalchemy.orm import Mapped, Session, lazyload, mapped_column, relationship

from crypto.canonical import dumps
from trading.custody import signed_policies
from trading.kernel import audit, ids, signed
from trading.kernel.access import Act
from trading.kernel.clock import floor_second, parse_moment
from trading.kernel.db import Base, Moment
from trading.kernel.errors import Conflict, NotAllowed, NotFound, TooLate, WrongStep
from trading.kernel.signed import Difference
from trading.kernel.work import UnitOfWork, View
from trading.parties import parties
from trading.parties.parties import Party
from trading.tendering import invitations, signed_terms
from trading.tendering.projects import is_of
from trading.tendering.tenders import Lot


class Participant(Base):
    """``ref`` is random, so it tells nobody how many came before. ``secured_minor``: money or guarantee that had arrived, in fen."""

    __tablename__ = "participant"
    __table_args__ = (UniqueConstraint("lot_id", "party_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    ref: Mapped[str] = mapped_column(String(40), unique=True)
    joined_at: Mapped[datetime] = mapped_column(Moment)
    secured_at: Mapped[datetime | None] = mapped_column(Moment)
    secured_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    withdrawn_at: Mapped[datetime | None] = mapped_column(Moment)
    lot: Mapped[Lot] = relationship(lazy="joined")
    party: Mapped[Party] = relationship(lazy="joined")

    @property
    def log_of(self) -> str:
        return self.lot.log_of


# --- small rules ------------------------------------------------------------------------------------------------------------------


def find(session: Session, lot: Lot, party: Party) -> Participant | None:
    """The participant a party is, one that has left too."""
    return session.scalar(select(Participant).where(Participant.lot_id == lot.id, Participant.party_id == party.id))


def by_party(session: Session, lot: Lot) -> dict[int, Participant]:
    """Everybody who takes part or took part, by the party's id; for when the names are public."""
    return {row.party_id: row for row in session.scalars(select(Participant).where(Participant.lot_id == lot.id))}


def takes_part(view: View, lot: Lot) -> bool:
    """Whether the party that looks takes part; for its own button alone."""
    if view.actor.party_id is None:
        return False
    found = view.session.scalar(_OWN, {"lot": lot.id, "party": view.actor.party_id})
    return found is not None and not has_left(view, found)


def own(view: View, lot: Lot) -> Participant:
    """The tie of a bidder. Refuses: NotFound ``participant.none`` (never took part, or has left)."""
    found: Participant | None = view.session.scalar(_OWN, {"lot": lot.id, "party": view.actor.party_id})
    if found is None or has_left(view, found):
        raise NotFound("participant.none", ref=lot.ref)
    return found


def own_held(work: UnitOfWork, lot: Lot) -> Participant:
    """As ``own``, held alone from this very question on. Refuses: NotFound ``participant.none``."""
    found: Participant | None = work.session.scalar(_OWN_HELD, {"lot": lot.id, "party": work.actor.party_id})
    if found is None or has_left(work, found):
        raise NotFound("participant.none", ref=lot.ref)
    work.found_held(found)
    return found


_OWN = (
    select(Participant)
    .options(lazyload(Participant.lot))  # that is in our hands
    .where(Participant.lot_id == bindparam("lot"), Participant.party_id == bindparam("party"))
)
_OWN_HELD = _OWN.with_for_update(of=Participant)


def has_left(view: View, row: Participant) -> bool:
    """Whether a participant has left: a row that says so is believed where the record of leaving is in the log, for nobody is turned away
    by a column. Refuses: Conflict ``signed.altered`` where such a record was changed."""
    return row.withdrawn_at is not None and any(
        audit.check_fact_of(dumps(record).decode(), "account", row.party.code)
        for _entry, record in signed.records(view, ("lot.leave",), row.lot.log_of)
    )


def of_leaving(view: View, lot: Lot) -> Iterator[Difference]:
    """Rows that say a participant has left, or has not, against the records of leaving: who has left had its deposit back, so no bid of its
    own is opened. Refuses: Conflict ``signed.altered``."""
    rows = {row.party.code: row for row in by_party(view.session, lot).values()}
    left: dict[str, tuple[str, datetime]] = {}
    for entry, record in signed.records(view, ("lot.leave",), lot.log_of):
        text = dumps(record).decode()
        code = next((one for one in rows if audit.check_fact_of(text, "account", one)), "")
        if code:
            left[code] = (entry.c, parse_moment(record["at"]))
        else:
            yield Difference("participant", entry.c, "party_id", entry.c)
    for code, row in rows.items():
        c, at = left.get(code, ("", None))
        yield from signed.compare(row, {"withdrawn_at": at}, c)


def is_secured(participant: Participant) -> bool:
    """Whether the deposit had arrived in full before the deadline, or none is asked for (rule D-13)."""
    lot = participant.lot
    if lot.deposit_minor == 0:
        return True
    return participant.secured_at is not None and (lot.deadline is None or participant.secured_at < lot.deadline)


# --- acts -------------------------------------------------------------------------------------------------------------------------


def take_part(work: UnitOfWork, lot: Lot) -> Participant:
    """A party takes part, from the issue of documents until the signed deadline; doing it twice is harmless. It asks for nothing but a
    sign-in.

    Refuses: NotAllowed (not a bidder, own tender, not invited), WrongStep, TooLate ``lot.deadline_past``, Conflict ``participant.left``.
    """
    work.require(Act.LOT_TAKE_PART)
    party = parties.own_party(work)
    if party.kind != "bidder" or is_of(lot.project, party.id):
        raise NotAllowed("participant.not_a_bidder", ref=lot.ref)
    work.lock(lot)
    if lot.state not in signed_terms.OPEN and not signed_terms.takes_bids(work, lot.id):
        raise WrongStep("lot.not_open", ref=lot.ref, state=lot.state)
    deadline = signed_policies.deadline(work, lot) or lot.deadline
    if deadline is None or work.now >= deadline:
        raise TooLate("lot.deadline_past", deadline=deadline, now=work.now)
    found = find(work.session, lot, party)
    if found is not None:
        if has_left(work, found):
            raise Conflict("participant.left", ref=lot.ref)
        return found
    invitations.require_invited(work, lot, party)
    new = Participant(
        lot_id=lot.id,
        party_id=party.id,
        ref=ids.new_reference(),
        joined_at=floor_second(work.now),
        secured_at=None,
        secured_minor=0,
        withdrawn_at=None,
    )
    work.session.add(new)
    work.session.flush()
    work.session.refresh(new)
    work.record("lot.take_part", lot.log_of, account=party.code)
    return new


def mark_secured(work: UnitOfWork, participant: Participant, *, amount_minor: int, at: datetime) -> None:
    """The cashier's room hands down what has arrived: ``amount_minor`` is the total by now, ``at`` the moment that made it so. Enough makes
    the participant secured; a later total below the amount (a payment returned by the bank) undoes it.

    The caller has taken its own locks, and must show the result to nobody before the opening list (rule D-12).
    """
    work.lock(participant)
    participant.secured_minor = amount_minor
    if amount_minor < participant.lot.deposit_minor:
        participant.secured_at = None
    elif participant.secured_at is None:
        participant.secured_at = at
    work.session.flush()
    work.record(
        "participant.secured",
        participant.log_of,
        account=participant.party.code,
        secured=participant.secured_at is not None,
    )
