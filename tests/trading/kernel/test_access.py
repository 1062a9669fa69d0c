"""The first lock: closed unless listed, fresh for weighty acts, and duties that never meet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from trading.kernel.access import CLASHES, CLOCK, PUBLIC, ROLES, WEIGHTY, Act, Actor, Role, clash, may, require
from trading.kernel.errors import NotAllowed, SignInNeeded

NOON = datetime(2026, 3, 18, 4, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize("role", list(Role))
def test_closed_unless_listed(role: Role) -> None:
    actor = Actor(role, 1, 1, fresh_until=NOON)
    for act in Act:
        if act in ROLES[role]:
            require(actor, act, NOON)
            assert may(actor, act)
        else:
            with pytest.raises(NotAllowed) as refusal:
                require(actor, act, NOON)
            assert refusal.value.code == ("access.sign_in" if role is Role.PUBLIC else "access.role")


@pytest.mark.parametrize("act", sorted(WEIGHTY))
def test_weighty_acts_want_a_fresh_sign_in(act: Act) -> None:
    role = next(role for role in Role if act in ROLES[role])
    require(Actor(role, 1, 1, fresh_until=NOON), act, NOON)
    for until in (None, NOON - MOMENT):
        with pytest.raises(SignInNeeded) as refusal:
            require(Actor(role, 1, 1, fresh_until=until), act, NOON)
        assert refusal.value.code == "access.fresh"


def test_the_table_is_whole() -> None:
    assert set(ROLES) == set(Role)
    held = set().union(*ROLES.values())
    assert held == set(Act), f"nobody holds {sorted(set(Act) - held)}"
    assert ROLES[Role.CLOCK] == {Act.CLOCK} and Act.CLOCK not in set().union(
        *(ROLES[r] for r in Role if r is not Role.CLOCK)
    )
    assert all(Act.ACCOUNT_OWN in ROLES[role] for role in Role if role not in (Role.PUBLIC, Role.CLOCK))


def test_duties_that_clash() -> None:
    for pair in CLASHES:
        assert len(pair) == 2 and clash(pair) == pair and clash(frozenset(Role)) is not None
        for one in pair:
            assert clash(frozenset({one})) is None
    assert clash(frozenset()) is None
    no_money_alone = {Act.REFUND_PREPARE, Act.REFUND_APPROVE}
    no_secret_alone = {Act.SHEET_COMMIT, Act.SHARE_RELEASE}
    for duties in (no_money_alone, no_secret_alone):
        for role in Role:
            assert not duties <= ROLES[role]
            for other in Role:
                if duties <= ROLES[role] | ROLES[other] and {role, other} & {Role.CHAIR} == set():
                    assert clash(frozenset({role, other})) is not None, (role, other)


def test_who_nobody_is() -> None:
    assert (PUBLIC.person, CLOCK.person) == ("public", "clock") and Actor(Role.AGENCY, 7).person == "account:7"
