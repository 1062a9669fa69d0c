"""What the security administrators read: people with their roles, organisations, public keys, key holders of lots to be opened.

Experts are the centre's: they stand on no list here, only who knows a username finds the account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select

from crypto.canonical import unb64u
from crypto.keys import fingerprint
from trading.custody import officers
from trading.kernel.access import OF_WEIGHT, Role, fitting
from trading.kernel.work import View
from trading.parties import corrections
from trading.parties.corrections import PartyCorrection
from trading.parties.enrolments import EnrolledKey
from trading.parties.parties import Account, Login, Party, RoleGrant, names_of, party
from trading.tendering.tenders import Lot

SECOND_FACTOR_ROLES = tuple(role for role in Role if role in OF_WEIGHT or role is Role.PURCHASER)
"""Roles whose holders should have a second factor: those of weight, which a real site asks it of, and whoever awards."""
UNOPENED = ("ACCEPTED", "NOTICE", "BIDDING", "OPENING")


@dataclass(frozen=True)
class PersonCard:
    """``roles``: those held, in the order of the access table. ``second``: has a second factor. ``signed_in_at``: the last time, None for
    somebody who never did."""

    id: int
    username: str
    name: str
    organisation: str
    kind: str
    roles: tuple[str, ...]
    second: bool
    disabled: bool
    made_at: datetime
    signed_in_at: datetime | None


@dataclass(frozen=True)
class GrantCard:
    """``granted_by``: the account that gave it, None for the first set-up. ``fits``: it gives rights in this kind of organisation."""

    role: str
    granted_at: datetime
    granted_by: int | None
    fits: bool


@dataclass(frozen=True)
class AccountCounts:
    """``without_second``: people who hold one of ``SECOND_FACTOR_ROLES`` and have no second factor."""

    active: int
    without_second: int


@dataclass(frozen=True)
class PartyCard:
    code: str
    name: str
    kind: str
    region: str
    small: bool
    bank_account: str
    former: tuple[tuple[str, str], ...] = ()
    """(code, name) from before each correction, oldest first."""


@dataclass(frozen=True)
class KeyCard:
    """``fingerprint`` of the public signing key, to be read aloud; there is nothing secret to show."""

    holder: str
    organisation: str
    role: str
    fingerprint: str
    enrolled_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class KeyHolderCard:
    """A key holder of a lot to be opened. ``drilled`` of ``policies``: in how many of the standing policies the drill was opened;
    ``active``: the account is not closed."""

    lot: str
    title: str
    opens_at: datetime | None
    name: str
    side: str
    keyed: bool
    drilled: int
    policies: int
    active: bool


# --- people -----------------------------------------------------------------------------------------------------------


def find_people(view: View, *, words: str = "", role: str = "", no_second: bool = False) -> list[Account]:
    """Accounts by organisation and username. ``no_second``: only those in use that should have a second factor and have none.

    ``words`` are looked for in username, name and organisation; an expert is found by the whole username alone.
    """
    not_expert = Party.kind != "expert"
    query = select(Account).join(Party, Party.id == Account.party_id)
    if words:
        columns = (Account.username, Account.name, Party.name)
        query = query.where(
            or_(not_expert, Account.username == words.lower()),
            or_(*(column.contains(words, autoescape=True) for column in columns)),
        )
    else:
        query = query.where(not_expert)
    if role:
        query = query.where(Account.id.in_(select(RoleGrant.account_id).where(RoleGrant.role == role)))
    if no_second:
        query = query.where(
            Account.totp_secret.is_(None),
            Account.disabled_at.is_(None),
            Account.id.in_(select(RoleGrant.account_id).where(RoleGrant.role.in_(SECOND_FACTOR_ROLES))),
        )
    return list(view.session.scalars(query.order_by(Party.name, Account.username)))


def person_cards(view: View, people: Sequence[Account]) -> list[PersonCard]:
    """Two queries for all of them: what they were granted, and when they last signed in."""
    ids = [one.id for one in people]
    granted: dict[int, set[Role]] = {}
    grants = select(RoleGrant.account_id, RoleGrant.role).where(RoleGrant.account_id.in_(ids))
    for account_id, role in view.session.execute(grants):
        granted.setdefault(account_id, set()).add(Role(role))
    last = select(Login.account_id, func.max(Login.made_at)).where(Login.account_id.in_(ids)).group_by(Login.account_id)
    signed_in = dict(view.session.execute(last).all())
    return [
        PersonCard(
            one.id,
            one.username,
            one.name,
            one.party.name,
            one.party.kind,
            tuple(role.value for role in Role if role in fitting(granted.get(one.id, ()), one.party.kind)),
            bool(one.totp_secret),
            one.disabled_at is not None,
            one.made_at,
            signed_in.get(one.id),
        )
        for one in people
    ]


def grant_cards(view: View, who: Account) -> list[GrantCard]:
    """What a person was granted, in the order of the access table."""
    rows = view.session.scalars(select(RoleGrant).where(RoleGrant.account_id == who.id))
    order = list(Role)
    return [
        GrantCard(row.role, row.granted_at, row.granted_by, Role(row.role) in fitting({Role(row.role)}, who.party.kind))
        for row in sorted(rows, key=lambda grant: order.index(Role(grant.role)))
    ]


def account_counts(view: View) -> AccountCounts:
    bare = (
        select(func.count(func.distinct(Account.id)))
        .join(RoleGrant, RoleGrant.account_id == Account.id)
        .where(Account.totp_secret.is_(None), Account.disabled_at.is_(None), RoleGrant.role.in_(SECOND_FACTOR_ROLES))
    )
    active = select(func.count()).select_from(Account).where(Account.disabled_at.is_(None))
    return AccountCounts(int(view.session.scalar(active) or 0), int(view.session.scalar(bare) or 0))


# --- organisations ----------------------------------------------------------------------------------------------------


def organisations(view: View, *, words: str = "", kind: str = "") -> list[PartyCard]:
    """All but experts, by kind and name. ``words``: a part of the name, or the whole code, of before a correction too."""
    rows = select(Party).where(Party.kind != "expert")
    if words:
        past = select(PartyCorrection.party_id).where(
            PartyCorrection.state == "done",
            or_(PartyCorrection.old_name.contains(words, autoescape=True), PartyCorrection.old_code == words),
        )
        rows = rows.where(or_(Party.name.contains(words, autoescape=True), Party.code == words, Party.id.in_(past)))
    if kind:
        rows = rows.where(Party.kind == kind)
    return _party_cards(view, list(view.session.scalars(rows.order_by(Party.kind, Party.name))))


def organisation(view: View, code: str) -> PartyCard | None:
    row = view.session.scalar(select(Party).where(Party.code == code))
    return _party_cards(view, [row])[0] if row is not None else None


def _party_cards(view: View, rows: Sequence[Party]) -> list[PartyCard]:
    former: dict[int, list[tuple[str, str]]] = {}
    for one in corrections.decided(view.session, [row.id for row in rows]):
        former.setdefault(one.party_id, []).append((one.old_code, one.old_name))
    return [
        PartyCard(row.code, row.name, row.kind, row.region, row.small, row.bank_account, tuple(former.get(row.id, ())))
        for row in rows
    ]


@dataclass(frozen=True)
class CorrectionCard:
    """A correction to be decided, or decided: what stands and what shall stand, who wants it and who decided."""

    id: int
    state: str
    old_code: str
    old_name: str
    code: str
    name: str
    kind: str
    reason: str
    by: str
    at: datetime
    mine: bool
    decided_by: str
    decided_at: datetime | None
    answer: str


def correction_card(view: View, row: PartyCorrection) -> CorrectionCard:
    names = names_of(view.session, [row.proposed_by, row.decided_by])
    return CorrectionCard(
        row.id,
        row.state,
        row.old_code,
        row.old_name,
        row.code,
        row.name,
        party(view.session, row.party_id).kind,
        row.reason,
        names.get(row.proposed_by, "–"),
        row.proposed_at,
        row.proposed_by == view.actor.account_id,
        names.get(row.decided_by or 0, "–"),
        row.decided_at,
        row.answer,
    )


# --- keys -------------------------------------------------------------------------------------------------------------


def key_cards(view: View, *, role: str = "", ended: bool = False) -> list[KeyCard]:
    """Enrolled keys by role and holder, those of experts never. ``ended``: also those no longer in use."""
    query = select(EnrolledKey, Party.name).join(Party, Party.id == EnrolledKey.party_id)
    query = query.where(EnrolledKey.role != "expert")
    if role:
        query = query.where(EnrolledKey.role == role)
    if not ended:
        query = query.where(EnrolledKey.ended_at.is_(None))
    query = query.order_by(EnrolledKey.role, EnrolledKey.holder, EnrolledKey.id)
    return [
        KeyCard(
            key.holder,
            name,
            key.role,
            fingerprint("ed25519", unb64u(key.sign_public, 32)),
            key.enrolled_at,
            key.ended_at,
        )
        for key, name in view.session.execute(query)
    ]


def key_holder_cards(view: View) -> list[KeyHolderCard]:
    """Key holders of lots not opened yet, by the hour of opening: whether they have given their keys and opened the drills."""
    found = []
    lots = select(Lot).where(Lot.state.in_(UNOPENED)).order_by(Lot.opens_at, Lot.id)
    for lot in view.session.scalars(lots):
        policies = view.session.scalars(select(officers.Policy).where(officers.Policy.lot_id == lot.id))
        drilled = [officers.drilled(view.session, policy) for policy in policies if policy.standing]
        for seat in officers.seats(view.session, lot):
            found.append(
                KeyHolderCard(
                    lot.ref,
                    lot.title,
                    lot.opens_at,
                    seat.account.name,
                    seat.side,
                    bool(seat.publics),
                    sum(1 for seats in drilled if seat.j in seats),
                    len(drilled),
                    seat.account.disabled_at is None,
                )
            )
    return found
