"""No new password is one of those that everybody tries, or names its account or the platform, whoever sets it."""

from __future__ import annotations

import pytest

from tests.kit.rows import unchanged
from tests.kit.world import PASSWORD, SETUP, World
from trading.kernel.access import Actor, Role
from trading.kernel.errors import Invalid
from trading.parties import new_passwords, own_people, parties, role_proposals
from web.rehearsal import cast


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("Password123", "account.password_common"),
        ("  qwertyuiop!!", "account.password_common"),
        ("1qaz2wsx3edc", "account.password_common"),
        ("ｐassword123", "account.password_common"),  # wide letters are the same to whoever types them
        ("the tall Zhangsan walks", "account.password_named"),
        ("seven herons at Bidhall", "account.password_named"),
        ("trade at sunny.example now", "account.password_named"),
        ("a sunny day in the hall", "account.password_named"),
    ],
)
def test_what_is_tried_first_is_refused(password: str, code: str) -> None:
    with pytest.raises(Invalid, match=code):
        new_passwords.check(password, "zhangsan", "sunny.example")


def test_whatever_is_long_and_ones_own_passes() -> None:
    for good in (PASSWORD, "seven herons cross a slow river", "一盏灯照过九座桥与两条河"):
        new_passwords.check(good, "ma", "a.example")  # names of two letters stand in any sentence
    for one in ("host", "officer1", "bidder1", "expert01"):  # of the rehearsal's card
        new_passwords.check(cast.PASSWORD, one, "bidhall.local")


def test_every_way_to_set_one_asks(world: World) -> None:
    common = "Password123"
    with unchanged(world), pytest.raises(Invalid) as invited, world.office.work(SETUP) as work:
        centre = parties.party(work.session, world.party_ids["centre"])
        parties.invite(work, centre, username="newone", name="新人", password=common, roles=[Role.CASHIER])
    assert [one.code for one in invited.value.faults] == ["account.password_common"]
    with unchanged(world), pytest.raises(Invalid, match="password_named"), world.office.work(SETUP) as work:
        who = parties.account(work.session, world.people["bidder1"])
        parties.reset_password(work, who, f"my {who.username} is no secret")
    with unchanged(world), pytest.raises(Invalid, match="password_common"), world.office.work(SETUP) as work:
        role_proposals.propose_password(work, parties.account(work.session, world.people["host"]), common, "lost")
    firm = world.actor("bidder1")
    admin = Actor(Role.BIDDER_ADMIN, firm.account_id, firm.party_id, firm.name, firm.fresh_until)
    with unchanged(world), pytest.raises(Invalid) as own, world.office.work(admin) as work:
        own_people.invite(
            work, username="xiaoli", name="小李", password="i am xiaoli and well", mail="", roles=[Role.BIDDER_SIGNER]
        )
    assert [one.code for one in own.value.faults] == ["account.password_named"]
