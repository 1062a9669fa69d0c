"""Invitations: who may take part in a tender that is not open to everybody (GPL art. 34, TL art. 17; rules M2.3, M9.3).

Law of the noun: who was invited is chosen, or drawn by lot from a pool, before the notice and never changed after it; a record written
with the notice binds each name by a salted hash, and whoever takes part is held against that; the names and their number are the business
of the purchaser and its agency alone until the opening list is published (rulebook §9.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from crypto.canonical import dumps
from trading.kernel import audit, signed
from trading.kernel.access import Act, Role
from trading.kernel.clock import write_moment
from trading.kernel.db import Base, Moment
from trading.kernel.errors import Faults, NotAllowed, NotFound, WrongStep
from trading.kernel.flow import check_version
from trading.kernel.signed import Difference
from trading.kernel.work import UnitOfWork, View
from trading.parties.parties import Party
from trading.procedures import procedure_of
from trading.tendering.planning import book_of
from trading.tendering.projects import is_of, require_tie
from trading.tendering.tenders import Lot, require_draft

RECORD = "invitation.send"
"""The act that fixes who is invited; its record is for the archive alone, for a salt in it would let others try names."""
MOST = 50
"""Invitations of one lot at most."""
_SHUT_OUT = (Role.PUBLIC, Role.BIDDER_OPERATOR, Role.BIDDER_SIGNER, Role.BIDDER_ADMIN)
"""Who gets the documents of an invited tender by an invitation alone."""


class Invitation(Base):
    """One bidder of a list: ``chosen`` where it is invited, else it is in the pool alone. Rows change while the lot is drafted and never
    afterwards; those of a pool no more once the draw is over."""

    __tablename__ = "invitation"
    __table_args__ = (UniqueConstraint("lot_id", "party_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("party.id"), index=True)
    chosen: Mapped[bool]
    made_at: Mapped[datetime] = mapped_column(Moment)
    party: Mapped[Party] = relationship(lazy="joined")


# --- small rules ------------------------------------------------------------------------------------------------------------------


def is_invited_only(lot: Lot) -> bool:
    """Whether only invited bidders may take part."""
    return procedure_of(lot).invitation is not None


def pool(session: Session, lot: Lot) -> list[Invitation]:
    """Everybody on the list of a lot, invited or only to be drawn from, by credit code; for the lot's own people."""
    rows = select(Invitation).join(Party, Party.id == Invitation.party_id).where(Invitation.lot_id == lot.id)
    return list(session.scalars(rows.order_by(Party.code)))


def invited(session: Session, lot: Lot) -> list[Invitation]:
    """The invitations of a lot by the credit code of the bidder; for the lot's own people, and for whoever must judge by it."""
    return [row for row in pool(session, lot) if row.chosen]


def is_drawn(lot: Lot) -> bool:
    """Whether the invited are drawn by lot (GPL art. 34)."""
    rule = procedure_of(lot).invitation
    return rule is not None and rule.pool is not None


def check_pool(session: Session, lot: Lot, take: int, now: datetime) -> list[str]:
    """The credit codes to draw ``take`` from. Refuses: Invalid ``invitation.take`` (fewer than the law asks), ``invitation.pool_small``
    (O87 art. 14)."""
    rule = procedure_of(lot).invitation
    assert rule is not None and rule.pool is not None
    book = book_of(lot, now)
    least, times = book.rule(rule.least).whole, book.rule(rule.pool).number
    found = [row.party.code for row in pool(session, lot)]
    faults = Faults()
    if take < least:
        faults.add("take", "invitation.take", least=least, rule=str(rule.least))
    elif len(found) < times * take:
        faults.add("take", "invitation.pool_small", size=len(found), needed=int(times * take), rule=str(rule.pool))
    faults.refuse_if_any()
    return found


def check(faults: Faults, session: Session, lot: Lot, now: datetime) -> None:
    """Note what keeps an invited tender from publication: too few invitations (rules M2.3, M9.3)."""
    rule = procedure_of(lot).invitation
    if rule is None:
        return
    least = book_of(lot, now).rule(rule.least).whole
    count = len(invited(session, lot))
    if count < least:
        faults.add("invited", "lot.few_invited", count=count, least=least, rule=str(rule.least))


def require_invited(view: View, lot: Lot, party: Party) -> None:
    """The lock of an invited tender, by the record of its invitations: a row alone invites nobody and shuts nobody out.

    Refuses: NotAllowed ``invitation.none``, Conflict ``signed.altered``, ``signed.missing``."""
    if is_invited_only(lot) and not _is_named(view, lot, party.code):
        raise NotAllowed("invitation.none", ref=lot.ref)


def may_read(view: View, lot: Lot) -> bool:
    """Whether the documents are for whoever looks: those of an open tender are for everybody; of an invited one for the invited, and for
    the people of the procedure."""
    if not is_invited_only(lot) or view.actor.role not in _SHUT_OUT or is_of(lot.project, view.actor.party_id):
        return True
    return is_invited(view, lot)


def is_invited(view: View, lot: Lot) -> bool:
    """Whether the party that looks was invited, for its own page alone."""
    party = view.session.get(Party, view.actor.party_id) if view.actor.party_id is not None else None
    return party is not None and lot.published_at is not None and _is_named(view, lot, party.code)


def own(view: View) -> list[Lot]:
    """Lots that take bids and to which the party that looks is invited, the nearest deadline first."""
    rows = (
        select(Lot)
        .join(Invitation, Invitation.lot_id == Lot.id)
        .where(Invitation.party_id == view.actor.party_id, Invitation.chosen, Lot.state.in_(("NOTICE", "BIDDING")))
        .order_by(Lot.deadline, Lot.id)
    )
    return list(view.session.scalars(rows))


def _is_named(view: View, lot: Lot, code: str) -> bool:
    found = _record(view, lot)
    return found is not None and audit.names(dumps(found[1]).decode(), "invited", code)


def _record(view: View, lot: Lot) -> tuple[signed.Proved, dict[str, Any]] | None:
    """The record of who was invited with its entry."""
    return next(iter(signed.records(view, (RECORD,), lot.log_of)), None)


def differences(view: View, lot: Lot) -> Iterator[Difference]:
    """Rows of a published lot against the names that the record of its invitations binds. Refuses: Conflict ``signed.altered``."""
    found = _record(view, lot)
    if found is None or not is_invited_only(lot):
        return
    entry, record = found
    text, named = dumps(record).decode(), 0
    for row in pool(view.session, lot):
        bound = audit.names(text, "invited", row.party.code)
        named += bound
        if row.chosen != bound:
            yield Difference("invitation", str(row.id), "chosen", entry.c)
    if named < len(record["facts"]["invited"]):
        yield Difference("invitation", lot.ref, "party_id", entry.c)


# --- acts -------------------------------------------------------------------------------------------------------------------------


def invite(work: UnitOfWork, lot: Lot, called: Iterable[str], *, seen: int | None = None) -> list[Invitation]:
    """Invite registered bidders by credit code or by their whole name, while the lot is drafted. All or none.

    Refuses: NotAllowed, WrongStep (published, or a tender open to everybody), Conflict ``form.stale``, Invalid (every one: unknown, no
    bidder, the purchaser's own, invited already; more than ``MOST``)."""
    _require_draft(work, lot, seen)
    here = {row.party_id for row in pool(work.session, lot)}
    wanted = list(dict.fromkeys(one.strip() for one in called if one.strip()))
    rows = select(Party).where(
        or_(Party.code.in_([one.upper() for one in wanted]), Party.name.in_(wanted)), Party.kind == "bidder"
    )
    by_code = {row.code: row for row in work.session.scalars(rows)}
    by_name = {row.name: row for row in by_code.values()}
    faults, chosen = Faults(), dict[int, Party]()
    for one in wanted:
        party = by_code.get(one.upper()) or by_name.get(one)
        if party is None:
            faults.add("called", "invitation.unknown", called=one[:60])
        elif is_of(lot.project, party.id):
            faults.add("called", "invitation.own", name=party.name)
        elif party.id in here:
            faults.add("called", "invitation.twice", name=party.name)
        else:
            chosen[party.id] = party
    if not wanted:
        faults.add("called", "form.required")
    elif len(here) + len(chosen) > MOST:
        faults.add("called", "invitation.too_many", most=MOST)
    faults.refuse_if_any()
    made = [Invitation(lot_id=lot.id, party_id=party, chosen=not is_drawn(lot), made_at=work.now) for party in chosen]
    work.session.add_all(made)
    _changed(work, lot)
    return made


def take_back(work: UnitOfWork, lot: Lot, code: str, *, seen: int | None = None) -> None:
    """Strike a bidder off before the notice. Refuses: NotAllowed, WrongStep, Conflict ``form.stale``, NotFound ``invitation.unknown``."""
    _require_draft(work, lot, seen)
    row = next((one for one in pool(work.session, lot) if one.party.code == code), None)
    if row is None:
        raise NotFound("invitation.unknown", called=code[:60])
    work.session.delete(row)
    _changed(work, lot)


def draw_of(work: UnitOfWork, lot: Lot, codes: Iterable[str]) -> None:
    """Write down whom a draw from the pool it froze invited, whatever became of the list meanwhile (``draws.conclude``)."""
    rows = {row.party.code: row for row in pool(work.session, lot)}
    drawn = set(codes)
    for party in work.session.scalars(select(Party).where(Party.code.in_(drawn - rows.keys()))):
        work.session.add(Invitation(lot_id=lot.id, party_id=party.id, chosen=True, made_at=work.now))
    for code, row in rows.items():
        row.chosen = code in drawn
    _changed(work, lot)


def send(work: UnitOfWork, lot: Lot) -> None:
    """Fix the list in the log and send each invited bidder its invitation, in the unit that publishes; nothing for an open tender."""
    if not is_invited_only(lot):
        return
    rows = invited(work.session, lot)
    work.record(RECORD, lot.log_of, invited=[audit.Hidden(row.party.code) for row in rows])
    for row in rows:
        work.send(
            f"invitation/{lot.ref}/{row.party_id}",
            to=f"party:{row.party_id}",
            template="lot.invited",
            lot=lot.ref,
            title=lot.name,
            deadline=write_moment(lot.deadline) if lot.deadline else "",
        )


def _require_draft(work: UnitOfWork, lot: Lot, seen: int | None) -> None:
    work.require(Act.TENDER_DRAFT)
    require_tie(work, lot.project)
    require_draft(work, lot)
    if not is_invited_only(lot):
        raise WrongStep("invitation.open_method", ref=lot.ref)
    check_version(lot, seen)
    if is_drawn(lot) and invited(work.session, lot):
        raise WrongStep("invitation.drawn", ref=lot.ref)


def _changed(work: UnitOfWork, lot: Lot) -> None:
    lot.version += 1
    work.session.flush()
    work.record("lot.invite", lot.log_of)
