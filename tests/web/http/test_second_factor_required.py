"""Whoever holds a role of weight sets up a second factor before anything else, where the centre requires one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pyotp
import pytest

from tests.web.conftest import NOON, PASSWORD, House, marks
from trading.kernel.access import Role
from trading.kernel.errors import NotReady
from web import wiring
from web.settings import read_settings

SETUP = "/account/second-factor"


def test_without_one_nothing_else_can_be_done(make_house: Callable[..., House]) -> None:
    house = make_house(second_factor="required")
    house.person("p", Role.CENTRE, Role.CONTROLLER)
    client = house.client()
    assert house.sign_in(client, "p").location == SETUP
    for path in ("/centre", "/cashier", "/account", "/account/password", "/account/inbox"):
        assert client.get(path).location == SETUP, path
    assert client.get("/account", headers={"Accept": "application/json"}).get_json()["code"] == (
        "account.second_factor_first"
    )
    page = client.get(SETUP)
    assert page.status_code == 200 and "请先设置第二因子" in page.text
    assert "Set up a second factor first" in client.get(SETUP + "?lang=en").text
    assert client.post("/account/acts/password", data={**marks(page.text), "old": PASSWORD}).location == SETUP
    secret = re.sub(r"\s", "", re.findall(r"<code>([A-Z2-7 ]+)</code>", page.text)[0])
    sent = {**marks(page.text), "code": pyotp.TOTP(secret).at(NOON)}
    assert client.post("/account/acts/second-factor", data=sent).location == "/account/recovery-codes"
    assert client.get("/account").status_code == 200 and client.get("/centre").status_code == 200


def test_signing_out_and_public_pages_stay_open(make_house: Callable[..., House]) -> None:
    house = make_house(second_factor="required")
    house.person("p", Role.CONTROLLER)
    client = house.client()
    house.sign_in(client, "p")
    assert client.get("/notices").status_code == 200
    page = client.get(SETUP)
    assert client.post("/account/acts/sign-out", data=marks(page.text)).location == "/account/signed-out"


@pytest.mark.parametrize(("setting", "role"), [("required", Role.CENTRE), ("optional", Role.CONTROLLER)])
def test_light_roles_and_a_centre_that_does_not_require_one(
    make_house: Callable[..., House], setting: str, role: Role
) -> None:
    house = make_house(second_factor=setting)
    house.person("p", role)
    client = house.client()
    house.sign_in(client, "p")
    assert client.get("/account").status_code == 200


def test_it_is_required_unless_this_is_a_rehearsal_or_the_setting_says_otherwise(tmp_path: Path) -> None:
    named = {"BIDHALL_DATA": str(tmp_path)}
    assert read_settings(named).second_factor_required
    assert not read_settings({**named, "BIDHALL_SECOND_FACTOR": "optional"}).second_factor_required
    (tmp_path / wiring.REHEARSAL).touch()
    assert not read_settings(named).second_factor_required
    assert read_settings({**named, "BIDHALL_SECOND_FACTOR": "required"}).second_factor_required
    with pytest.raises(NotReady, match=r"settings\.value"):
        read_settings({**named, "BIDHALL_SECOND_FACTOR": "yes"})
