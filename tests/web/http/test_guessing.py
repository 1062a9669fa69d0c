"""Who guesses waits longer and longer; who has signed in on a device before, and an office full of people who sign in, wait for nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.kit.world import SETUP
from tests.web.conftest import PASSWORD, House, marks
from trading.kernel.access import PUBLIC, Role
from trading.kernel.errors import TooEarly
from trading.kernel.rates import RateCount
from trading.parties import password_links
from web.http.known_devices import COOKIE
from web.http.rate_limits import OF_ACCOUNT, OF_DEVICE, OF_NETWORK, OF_SIGN_IN, Guessing, RateLimits

NEW = "seven herons cross a slow river"


def guess(house: House, client: FlaskClient, username: str, password: str = "wrong", at: str = "127.0.0.1") -> int:
    page = client.get("/account/sign-in")
    sent = {**marks(page.text), "username": username, "password": password}
    return client.post("/account/acts/sign-in", data=sent, environ_base={"REMOTE_ADDR": at}).status_code


def shut(house: House, username: str) -> None:
    """Wrong tries from many networks until the account waits as long as it ever does."""
    n = 0
    while (status := guess(house, house.client(), username, at=f"10.9.{n}.1")) != 429 or n < 14:
        n += 1
        if status == 429:
            house.clock.advance(minutes=15)
            assert guess(house, house.client(), username, at=f"10.9.{n}.2") == 422


def test_each_wrong_try_makes_the_next_wait_longer() -> None:
    waits = [int(OF_ACCOUNT.wait(n).total_seconds()) for n in range(16)]
    assert waits == [0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    assert OF_ACCOUNT.wait(10**9) == timedelta(minutes=15) and OF_DEVICE.wait(10**9) == timedelta(minutes=1)


@pytest.mark.parametrize("door", [OF_ACCOUNT, OF_NETWORK, OF_SIGN_IN])
def test_the_database_waits_as_the_rule_says(house: House, door: Guessing) -> None:
    limits = RateLimits(house.office.engine, house.clock, "s")
    for wrong in range(1, door.free + 12):
        limits.try_once(door, "x")
        wait = door.wait(wrong)
        if wait:
            house.clock.advance(seconds=wait.total_seconds() - 1)
            with pytest.raises(TooEarly) as refused:
                limits.try_once(door, "x")
            assert refused.value.facts["until"] == house.clock.now() + timedelta(seconds=1)
            house.clock.advance(seconds=1)
    house.clock.advance(seconds=door.remembered.total_seconds() + 1)
    for _ in range(door.free):
        limits.try_once(door, "x")
    with pytest.raises(TooEarly):
        limits.try_once(door, "x")


def test_workers_and_restarts_count_together(house: House, make_house: Callable[..., House]) -> None:
    for n in range(5):
        assert guess(house, house.client(), "p", at=f"10.0.0.{n}") == 422
    again = make_house()  # another process over the same database and secrets
    assert guess(again, again.client(), "P ", at="10.0.1.1") == 429


def test_many_tries_at_once_are_no_way_round_the_wait(house: House) -> None:
    """Each counts before its password is checked."""
    house.person("p", Role.CENTRE)
    told: list[int] = []
    clients = [house.client() for _ in range(12)]
    pages = [marks(client.get("/account/sign-in").text) for client in clients]
    go = threading.Barrier(12)

    def send(n: int) -> None:
        go.wait(timeout=20)
        sent = {**pages[n], "username": "p", "password": "wrong"}
        told.append(
            clients[n].post("/account/acts/sign-in", data=sent, environ_base={"REMOTE_ADDR": f"10.1.0.{n}"}).status_code
        )

    threads = [threading.Thread(target=send, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [422] * 5 + [429] * 7


@pytest.mark.promise("N2")
def test_the_owner_on_a_known_device_always_gets_in(house: House) -> None:
    house.person("p", Role.CENTRE)
    owner = house.client()
    assert house.sign_in(owner, "p").status_code == 303
    page = owner.get("/account")
    owner.post("/account/acts/sign-out", data=marks(page.text))
    shut(house, "p")
    assert house.sign_in(house.client(), "p").status_code == 429, "elsewhere the right password waits too"
    assert house.sign_in(owner, "p").status_code == 303
    assert house.sign_in(house.client(), "p").status_code == 429, "and the guesser gains nothing by it"


def test_a_known_device_that_guesses_waits_by_itself(house: House) -> None:
    house.person("p", Role.CENTRE)
    thief, other = house.client(), house.client()
    for client in (thief, other):
        assert house.sign_in(client, "p").status_code == 303
        client.delete_cookie("__Host-bidhall")
    copied = house.client()
    cookie = thief.get_cookie(COOKIE)
    assert cookie is not None
    copied.set_cookie(COOKIE, cookie.value)
    told = [guess(house, one, "p") for one in (thief, copied, thief, copied, thief, copied)]
    assert told == [422] * 5 + [429], "a copied cookie is the same device"
    assert house.sign_in(other, "p").status_code == 303
    house.clock.advance(minutes=1)
    assert house.sign_in(thief, "p").status_code == 303


def test_a_device_is_known_to_its_own_accounts_only(house: House) -> None:
    for name in ("p", "q"):
        house.person(name, Role.CENTRE)
    client = house.client()
    assert house.sign_in(client, "q").status_code == 303
    client.delete_cookie("__Host-bidhall")
    for n in range(5):
        guess(house, house.client(), "p", at=f"10.0.0.{n}")
    assert house.sign_in(client, "p").status_code == 429
    house.clock.advance(seconds=2)
    assert house.sign_in(client, "p").status_code == 303
    client.delete_cookie("__Host-bidhall")
    for name in ("p", "q"):
        for n in range(5):
            guess(house, house.client(), name, at=f"10.0.1.{n}")
        assert house.sign_in(client, name).status_code == 303, "one device may be known to several"
        client.delete_cookie("__Host-bidhall")


@pytest.mark.parametrize("forged", ["x", "", "eyJkZXZpY2UiOiJ4IiwiYWNjb3VudHMiOltdfQ.aaaa.bbbb"])
def test_a_forged_or_old_cookie_is_none(house: House, forged: str) -> None:
    house.person("p", Role.CENTRE)
    client = house.client()
    client.set_cookie(COOKIE, forged)
    for n in range(5):
        guess(house, house.client(), "p", at=f"10.0.0.{n}")
    assert house.sign_in(client, "p").status_code == 429


def test_the_device_of_before_a_changed_password_is_unknown(house: House) -> None:
    """Also that of whoever had learned the old one."""
    house.person("p", Role.CENTRE)
    thief, owner = house.client(), house.client()
    house.sign_in(thief, "p")
    house.sign_in(owner, "p")
    page = owner.get("/account/password")
    sent = {**marks(page.text), "old": PASSWORD, "new": NEW}
    assert owner.post("/account/acts/password", data=sent).location == "/account"
    for n in range(5):
        guess(house, house.client(), "p", at=f"10.0.0.{n}")
    assert guess(house, thief, "p") == 429
    assert guess(house, owner, "p", NEW) == 303


def test_an_office_behind_one_address_is_not_shut_out_by_right_sign_ins(house: House) -> None:
    house.person("p", Role.CENTRE)
    for _ in range(22):
        assert house.sign_in(house.client(), "p").status_code == 303
    for n in range(19):
        assert guess(house, house.client(), f"nobody{n}") == 422
    assert house.sign_in(house.client(), "p").status_code == 303


def test_one_network_that_tries_many_accounts_waits_and_known_devices_in_it_do_not(house: House) -> None:
    house.person("p", Role.CENTRE)
    owner = house.client()
    house.sign_in(owner, "p")
    owner.delete_cookie("__Host-bidhall")
    assert [guess(house, house.client(), f"a{n}", at="127.0.0.1") for n in range(21)] == [422] * 20 + [429]
    assert house.sign_in(house.client(), "p").status_code == 429
    assert guess(house, house.client(), "p", PASSWORD, at="192.0.2.7") == 303, "another network"
    assert house.sign_in(owner, "p").status_code == 303
    house.clock.advance(minutes=1)
    assert house.sign_in(house.client(), "p").status_code == 303


def test_the_addresses_of_one_line_are_one_network(house: House) -> None:
    for n in range(20):
        assert guess(house, house.client(), f"a{n}", at=f"2001:db8:1:2::{n:x}") == 422
    assert guess(house, house.client(), "b", at="2001:db8:1:2:ffff::1") == 429
    assert guess(house, house.client(), "b", at="2001:db8:1:3::1") == 422


def test_the_present_password_cannot_be_guessed_where_it_is_changed_or_confirmed(house: House) -> None:
    house.person("p", Role.CENTRE)
    found, owner = house.client(), house.client()
    house.sign_in(found, "p")
    house.sign_in(owner, "p")

    def change(client: FlaskClient, old: str) -> int:
        page = client.get("/account/password")
        return client.post("/account/acts/password", data={**marks(page.text), "old": old, "new": NEW}).status_code

    def confirm(client: FlaskClient, password: str) -> int:
        page = client.get("/account/confirm")
        return client.post("/account/acts/confirm", data={**marks(page.text), "password": password}).status_code

    told = [change(found, "wrong"), confirm(found, "wrong"), change(found, "wrong"), confirm(found, "x")]
    assert [*told, change(found, "y")] == [422] * 5
    assert change(found, PASSWORD) == 429 and confirm(found, PASSWORD) == 429
    assert confirm(owner, PASSWORD) == 303, "the owner's own sign-in is another one"
    house.clock.advance(seconds=2)
    assert change(found, PASSWORD) == 303


def test_the_link_by_mail_makes_its_device_a_known_one(house: House) -> None:
    """The way out for an owner who has no known device left while somebody guesses."""
    who = house.person("p", Role.CENTRE)
    shut(house, "p")
    with house.office.work(SETUP) as work:
        work.session.add(
            password_links.PasswordLink(
                account_id=who, token_hash=password_links._hash("t" * 43), until=work.now + timedelta(minutes=30)
            )
        )
    client = house.client()
    page = client.get("/account/new-password/" + "t" * 43)
    sent = {**marks(page.text), "new": NEW}
    assert client.post("/account/new-password/" + "t" * 43 + "/acts/set", data=sent).status_code == 303
    assert guess(house, client, "p", NEW) == 303
    assert guess(house, house.client(), "p", NEW) == 429


def test_the_counts_hold_nothing_that_was_typed(house: House) -> None:
    guess(house, house.client(), "my secret typed into the wrong field")
    with house.office.view(PUBLIC) as view:
        keys = list(view.session.scalars(select(RateCount.key)))
    assert len(keys) == 2 and not any("secret" in key or "127.0" in key for key in keys)
