"""Recovery codes: ten, shown once, kept as hashes; each works once where a code of the authenticator would."""

from __future__ import annotations

import re

import pyotp
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.web.conftest import PASSWORD, House, marks
from trading.kernel.access import PUBLIC, Role
from trading.kernel.outbox import Message
from trading.parties import parties, recovery_codes
from trading.parties.recovery_codes import RecoveryCode

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
CODE = re.compile(r"<code>((?:[A-Z0-9]{4}-){3}[A-Z0-9]{4})</code>")
PATH = "/account/recovery-codes"


def signed_in(house: House, name: str = "p") -> FlaskClient:
    client = house.client()
    house.clock.advance(seconds=30)
    assert house.sign_in(client, name, pyotp.TOTP(SECRET).at(house.clock.now())).status_code == 303
    return client


def made(client: FlaskClient) -> list[str]:
    page = client.get(PATH)
    answer = client.post("/account/acts/recovery-codes", data=marks(page.text))
    assert answer.status_code == 200, answer.text
    codes = CODE.findall(answer.text)
    assert len(set(codes)) == len(codes) == 10
    return codes


@pytest.fixture
def owner(house: House) -> FlaskClient:
    house.person("p", Role.CENTRE, secret=SECRET)
    return signed_in(house)


def test_each_works_once_and_the_sign_in_says_how_many_are_left(house: House, owner: FlaskClient) -> None:
    codes = made(owner)
    client = house.client()
    page = client.get("/account/sign-in?next=/account/inbox")
    sent = {**marks(page.text), "username": "p", "password": PASSWORD, "code": f" {codes[3].lower()} "}
    answer = client.post("/account/acts/sign-in", data=sent)
    assert answer.location == PATH + "?used=yes&next=%2Faccount%2Finbox"
    shown = client.get(answer.location).text
    assert "还剩 9 个" in shown and 'href="/account/inbox"' in shown
    assert "9 are left" in client.get(answer.location + "&lang=en").text
    assert house.sign_in(house.client(), "p", codes[3]).status_code == 422, "used"
    assert house.sign_in(house.client(), "p", codes[4].replace("-", "")).status_code == 303
    assert house.sign_in(house.client(), "p", "").status_code == 422
    with house.office.view(PUBLIC) as view:
        told = [one.facts["left"] for one in view.session.scalars(select(Message).order_by(Message.id))]
    assert told == [9, 8]
    assert "用掉了一个恢复码" in owner.get("/account/inbox").text


def test_only_hashes_are_kept_and_they_are_shown_once(house: House, owner: FlaskClient) -> None:
    codes = made(owner)
    with house.office.view(PUBLIC) as view:
        for table in parties.Base.metadata.sorted_tables:
            rows = " ".join(str(tuple(row)) for row in view.session.execute(select(table)))
            assert not any(one in rows or one.replace("-", "") in rows for one in codes), table.name
        assert len(view.session.scalars(select(RecoveryCode.code_hash)).all()) == 10
    for path in (PATH, "/account"):
        assert not CODE.findall(owner.get(path).text)


def test_new_ones_void_the_old(house: House, owner: FlaskClient) -> None:
    old, new = made(owner), made(owner)
    assert house.sign_in(house.client(), "p", old[0]).status_code == 422
    assert house.sign_in(house.client(), "p", new[0]).status_code == 303


def test_the_same_form_twice_makes_no_second_set(house: House, owner: FlaskClient) -> None:
    page = owner.get(PATH)
    first = owner.post("/account/acts/recovery-codes", data=marks(page.text))
    again = owner.post("/account/acts/recovery-codes", data=marks(page.text))
    assert (again.status_code, again.location) == (303, PATH)
    assert house.sign_in(house.client(), "p", CODE.findall(first.text)[0]).status_code == 303


def test_nobody_elses_code_and_no_code_without_the_password(house: House, owner: FlaskClient) -> None:
    codes = made(owner)
    house.person("q", Role.CENTRE, secret=SECRET)
    assert house.sign_in(house.client(), "q", codes[0]).status_code == 422
    page = (client := house.client()).get("/account/sign-in")
    sent = {**marks(page.text), "username": "p", "password": "wrong", "code": codes[0]}
    assert client.post("/account/acts/sign-in", data=sent).status_code == 422
    assert house.sign_in(house.client(), "p", codes[0]).status_code == 303, "and it was not used up"


def test_it_does_for_a_fresh_sign_in_too(house: House, owner: FlaskClient) -> None:
    codes = made(owner)
    house.clock.advance(minutes=11)
    assert owner.get("/account/password").status_code == 303
    page = owner.get("/account/confirm")
    sent = {**marks(page.text), "password": PASSWORD, "code": codes[0]}
    assert owner.post("/account/acts/confirm", data=sent).status_code == 303
    assert owner.get("/account/password").status_code == 200
    with house.office.view(PUBLIC) as view:
        assert recovery_codes.left(view.session, 1) == 9


def test_making_them_wants_a_fresh_sign_in_and_a_second_factor(house: House, owner: FlaskClient) -> None:
    page = owner.get(PATH)
    house.clock.advance(minutes=11)
    assert owner.post("/account/acts/recovery-codes", data=marks(page.text)).status_code == 303
    house.person("plain", Role.CENTRE)
    client = house.client()
    house.sign_in(client, "plain")
    page = client.get(PATH)
    assert "acts/recovery-codes" not in page.text and "/account/second-factor" in page.text
    answer = client.post("/account/acts/recovery-codes", data=marks(client.get("/account/password").text))
    assert answer.status_code == 409 and "第二因子" in answer.text
