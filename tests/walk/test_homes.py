"""Everybody's first look: signing in, the desk it leads to, every entry of its rail; a stranger's of the band."""

from __future__ import annotations

import pytest

from tests.walk.guide import Guest, Walk

PEOPLE = (
    "bidder1", "buyer", "agent", "clerk", "host", "officer1", "expert01",
    "cashier", "controller", "supervisor", "sysadmin", "secadmin", "auditadmin",
)  # fmt: skip

RAIL = "() => [...document.querySelectorAll('nav.rail a[href]')].map(a => a.pathname + a.search)"
NAV = """() => [...document.querySelectorAll('header a[href], footer a[href]')]
  .filter(a => !/lang=|theme=/.test(a.search)).map(a => a.pathname + a.search)"""


@pytest.mark.parametrize("username", PEOPLE)
def test_every_entry_of_the_rail(walk: Walk, username: str) -> None:
    look_at_all(walk.person(username), RAIL)


@pytest.mark.short_walk
def test_every_entry_of_the_band(walk: Walk) -> None:
    look_at_all(walk.stranger(), NAV)


def look_at_all(guest: Guest, links: str) -> None:
    """Every page the links lead to, and all that is wrong with any of them."""
    wrong = []
    for path in dict.fromkeys(guest.page.evaluate(links)):
        try:
            guest.go(path)
        except AssertionError as error:
            wrong.append(str(error))
    assert not wrong, "\n".join(wrong)
