"""A house of its own for each test: an office on a fresh database, a clock that stands, people of several roles."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from crypto import passwords
from trading.kernel.access import Actor, Role, fitting
from trading.kernel.audit import PlatformKeys
from trading.kernel.blobs import LocalBlobs
from trading.kernel.clock import SetClock
from trading.kernel.work import Office
from trading.parties import parties
from web.app import create_app, find_desks
from web.settings import Settings

find_desks()  # now, so that their tables stand in the template of the database

NOON = datetime(2026, 3, 18, 1, 52, 41, tzinfo=UTC)  # 09:52:41 in Beijing
PASSWORD = "a lantern over nine bridges"


@dataclass
class House:
    app: Flask
    office: Office
    clock: SetClock

    def client(self) -> FlaskClient:
        return self.app.test_client()

    def person(self, username: str, *roles: Role, party: str = "", secret: str | None = None) -> int:
        """A person who can sign in with PASSWORD."""
        with self.office.work(Actor(Role.SECURITY_ADMIN, name="root")) as work:
            code = party or f"P-{username}"
            kind = next((one for one in parties.KINDS if fitting(roles, one) == set(roles)), "platform")
            firm = parties.Party(code=code, name=f"单位 {username}", kind=kind)
            work.session.add(firm)
            work.session.flush()
            who = parties.Account(
                username=username,
                name=f"人 {username}",
                party_id=firm.id,
                password=_hashed(),
                totp_secret=secret,
                made_at=work.now,
            )
            work.session.add(who)
            work.session.flush()
            for role in roles:
                work.session.add(parties.RoleGrant(account_id=who.id, role=role, granted_at=work.now))
            work.session.flush()
            return who.id

    def sign_in(self, client: FlaskClient, username: str, code: str = "") -> Any:
        page = client.get("/account/sign-in")
        return client.post(
            "/account/acts/sign-in", data={**marks(page.text), "username": username, "password": PASSWORD, "code": code}
        )


_kept: list[str] = []


def _hashed() -> str:
    if not _kept:
        _kept.append(passwords.hash_password(PASSWORD))
    return _kept[0]


def marks(page: str) -> dict[str, str]:
    """The hidden fields of the last form on a page that carries a form id (else of any)."""

    def value(name: str) -> str | None:
        found = re.findall(rf'name="{name}" value="([^"]*)"', page)
        return found[-1] if found else None

    return {name: v for name in ("csrf_token", "form_id", "version", "next") if (v := value(name)) is not None}


@pytest.fixture
def make_house(engine: Engine, tmp_path: Path) -> Callable[..., House]:
    def make(**more: Any) -> House:
        clock = SetClock(NOON)
        keys = PlatformKeys(signing=bytes(range(32)), log=bytes(range(1, 33)))
        office = Office(engine, clock, LocalBlobs(tmp_path / "blobs"), "bidhall.test", keys)
        settings = Settings(
            data=tmp_path, database="", blobs="", place="云汀市公共资源交易", hotline="0000-12345", **more
        )
        app = create_app(settings, office)
        app.config["TESTING"] = False  # errors are answered, as in service
        return House(app, office, clock)

    return make


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    return make_house()


@pytest.fixture
def client(house: House) -> Iterator[FlaskClient]:
    yield house.client()
