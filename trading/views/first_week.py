"""What stands on a platform before its first tender: organisations, who holds which role, whose keys are enrolled. Five questions in all,
and numbers only: who they are stands on the pages of people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import distinct, func, select

from trading.kernel.access import OF_WEIGHT, Role, fitting
from trading.kernel.log import LogBusy
from trading.kernel.work import View
from trading.parties.enrolments import EnrolledKey
from trading.parties.parties import Account, Party, RoleGrant

SIDES: dict[str, tuple[str, ...]] = {
    "platform": ("centre", "platform"),
    "tenderee": ("purchaser", "agency"),
    "supervisor": ("supervisor",),
}
"""The sides of an opening policy, and the kinds of organisation whose people may sit on each (trading/custody/officers.py)."""


@dataclass(frozen=True)
class Standing:
    """``kinds``: organisations of a kind; ``holders``: people in use who hold a role in a kind of organisation that it fits; ``keyed``:
    those whose key for it is enrolled; ``handed``, ``bare``: with a role of weight, who still have a first password, or no second
    factor; ``published``: whether the policy of any lot was logged."""

    kinds: Mapping[str, int]
    holders: Mapping[tuple[Role, str], int]
    keyed: Mapping[tuple[str, str], int]
    handed: int
    bare: int
    published: bool

    def held(self, role: Role, kinds: tuple[str, ...] = ()) -> int:
        """How many people hold a role, in these kinds of organisation or in any."""
        return sum(n for (one, kind), n in self.holders.items() if one is role and (not kinds or kind in kinds))

    def keys(self, role: str, kinds: tuple[str, ...] = ()) -> int:
        """How many have a key of a role."""
        return sum(n for (one, kind), n in self.keyed.items() if one == role and (not kinds or kind in kinds))


def standing(view: View) -> Standing:
    kinds = dict(view.session.execute(select(Party.kind, func.count()).group_by(Party.kind)).all())
    people = (
        select(RoleGrant.role, Party.kind, func.count())
        .join(Account, Account.id == RoleGrant.account_id)
        .join(Party, Party.id == Account.party_id)
        .where(Account.disabled_at.is_(None))
        .group_by(RoleGrant.role, Party.kind)
    )
    found = [(Role(role), kind, n) for role, kind, n in view.session.execute(people)]
    keyed = (
        select(EnrolledKey.role, Party.kind, func.count(distinct(EnrolledKey.account_id)))
        .join(Account, Account.id == EnrolledKey.account_id)
        .join(Party, Party.id == Account.party_id)
        .join(RoleGrant, (RoleGrant.account_id == Account.id) & (RoleGrant.role == EnrolledKey.role))
        .where(EnrolledKey.ended_at.is_(None), Account.disabled_at.is_(None))
        .group_by(EnrolledKey.role, Party.kind)
    )
    weighty = select(RoleGrant.account_id).where(RoleGrant.role.in_(OF_WEIGHT))
    handed, bare = view.session.execute(
        select(func.count(Account.second_part), func.count() - func.count(Account.totp_secret)).where(
            Account.id.in_(weighty), Account.disabled_at.is_(None)
        )
    ).one()
    return Standing(
        kinds,
        {(role, kind): n for role, kind, n in found if fitting({role}, kind)},
        {(role, kind): n for role, kind, n in view.session.execute(keyed)},
        int(handed),
        int(bare),
        view.session.scalar(select(LogBusy.id).limit(1)) is not None,
    )
