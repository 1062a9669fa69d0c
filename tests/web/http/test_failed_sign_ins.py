"""What failed at the door is written down for the owner and the administrators, and nothing that was typed."""

from __future__ import annotations

from datetime import timedelta

import pyotp
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.web.conftest import PASSWORD, House, marks
from tests.web.http.test_guessing import guess
from trading.kernel.access import CLOCK, PUBLIC, Actor, Role
from trading.kernel.errors import NotAllowed
from trading.parties import failed_sign_ins, parties
from trading.parties.failed_sign_ins import FailedSignIn

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


def written(house: House) -> list[tuple[int | None, str, str, str]]:
    with house.office.view(PUBLIC) as view:
        rows = view.session.scalars(select(FailedSignIn).order_by(FailedSignIn.id))
        return [(one.account_id, one.way, one.wrong, one.network) for one in rows]


def main(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.text.partition("<main")[2]


def test_each_kind_of_failure_is_written_down(house: House) -> None:
    plain, coded = house.person("p", Role.CENTRE), house.person("q", Role.CENTRE, secret=SECRET)
    bare, gone = house.person("r"), house.person("s", Role.CENTRE)
    with house.office.work(Actor(Role.SECURITY_ADMIN, name="root")) as work:
        parties.disable(work, parties.account(work.session, gone))
    guess(house, house.client(), "p", at="192.0.2.4")
    guess(house, house.client(), "my password in the wrong field", at="2001:db8:1:2::9")
    for name in ("q", "r", "s"):
        guess(house, house.client(), name, PASSWORD, at="192.0.2.5")
    client = house.client()
    house.sign_in(client, "p")
    page = client.get("/account/confirm")
    client.post("/account/acts/confirm", data={**marks(page.text), "password": "not it"})
    page = client.get("/account/password")
    client.post("/account/acts/password", data={**marks(page.text), "old": "x", "new": "seven herons cross a river"})
    second = house.client()
    assert house.sign_in(second, "q", pyotp.TOTP(SECRET).at(house.clock.now())).status_code == 303
    page = second.get("/account/confirm")
    second.post("/account/acts/confirm", data={**marks(page.text), "password": PASSWORD, "code": "000000"})
    assert written(house) == [
        (plain, "sign_in", "password", "192.0.2.4"),
        (None, "sign_in", "account", "2001:db8:1:2::/64"),
        (coded, "sign_in", "code", "192.0.2.5"),
        (bare, "sign_in", "no_role", "192.0.2.5"),
        (gone, "sign_in", "closed", "192.0.2.5"),
        (plain, "confirm", "password", "127.0.0.1"),
        (plain, "password", "password", "127.0.0.1"),
        (coded, "confirm", "code", "127.0.0.1"),
    ]
    own = main(client, "/account/sign-ins")
    assert "192.0.2.4" in own and "密码不对" in own and "192.0.2.5" not in own and "2001:db8" not in own
    assert "3 次尝试" in main(client, "/account")
    assert "3 tries" in main(client, "/account?lang=en")


def test_nothing_that_was_typed_is_kept(house: House) -> None:
    house.person("p", Role.CENTRE)
    guess(house, house.client(), "a name that is nobodys", "a password that is nobodys")
    guess(house, house.client(), "p", "a password that is nobodys")
    with house.office.view(PUBLIC) as view:
        for table in parties.Base.metadata.sorted_tables:
            for row in view.session.execute(select(table)):
                assert "nobodys" not in str(tuple(row)), table.name


def test_what_was_turned_away_unread_is_not_in_it(house: House) -> None:
    house.person("p", Role.CENTRE)
    told = [guess(house, house.client(), "p") for _ in range(8)]
    assert told == [422] * 5 + [429] * 3 and len(written(house)) == 5


@pytest.mark.parametrize("role", [Role.SECURITY_ADMIN, Role.SYSTEM_ADMIN, Role.AUDIT_ADMIN])
def test_every_administrator_reads_those_of_all_and_no_experts_name(house: House, role: Role) -> None:
    house.person("admin", role)
    house.person("p", Role.CENTRE)
    learned = house.person("learned", Role.EXPERT)
    with house.office.work(Actor(Role.SECURITY_ADMIN, name="root")) as work:
        parties.account(work.session, learned).party.kind = "expert"
    for name in ("p", "nobody-of-this-name", "learned"):
        guess(house, house.client(), name, at="192.0.2.4")
    client = house.client()
    house.sign_in(client, "admin")
    shown = main(client, "/admin/sign-ins")
    assert "人 p" in shown and "没有这个账号" in shown and "专家账号" in shown
    assert "learned" not in shown and "nobody-of" not in shown
    assert "人 p" not in main(client, "/admin/sign-ins?wrong=account")
    assert "an expert, named on no list" in main(client, "/admin/sign-ins?lang=en")


def test_nobody_else_reads_those_of_others(house: House) -> None:
    house.person("p", Role.SUPERVISOR)
    client = house.client()
    house.sign_in(client, "p")
    assert client.get("/admin/sign-ins").status_code == 403
    with house.office.view(Actor(Role.SUPERVISOR, 1)) as view, pytest.raises(NotAllowed):
        failed_sign_ins.of_all(view, limit=5)


def test_they_are_kept_for_ninety_days_and_of_nobody_the_latest(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    who = house.person("p", Role.CENTRE)
    monkeypatch.setattr(failed_sign_ins, "MOST_OF_NOBODY", 3)
    for n in range(5):
        with house.office.work(PUBLIC) as work:
            failed_sign_ins.note(work, None, way="sign_in", wrong="account", network=f"192.0.2.{n}")
            failed_sign_ins.note(work, who, way="sign_in", wrong="password", network="192.0.2.9")
    with house.office.work(CLOCK) as work:
        failed_sign_ins.sweep(work)
    assert [row[3] for row in written(house) if row[0] is None] == ["192.0.2.2", "192.0.2.3", "192.0.2.4"]
    assert sum(row[0] == who for row in written(house)) == 5
    house.clock.advance(seconds=timedelta(days=90).total_seconds())
    with house.office.view(Actor(Role.CENTRE, who)) as view:
        assert failed_sign_ins.own(view, limit=5) == ([], 0), "also before the clock has swept"
    with house.office.work(CLOCK) as work:
        failed_sign_ins.sweep(work)
    assert written(house) == []
