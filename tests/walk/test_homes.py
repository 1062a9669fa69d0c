"""Everybody's first look: signing in, the desk it leads to, and every entry of its rail."""

from __future__ import annotations

import pytest

from tests.walk.guide import Walk

PEOPLE = (
    "bidder1", "buyer", "agent", "clerk", "host", "officer1", "expert01",
    "cashier", "controller", "supervisor", "sysadmin", "secadmin", "auditadmin",
)  # fmt: skip

RAIL = "() => [...document.querySelectorAll('aside a[href], nav a[href]')].map(a => a.pathname + a.search)"


@pytest.mark.parametrize("username", PEOPLE)
def test_every_entry_of_the_rail(walk: Walk, username: str) -> None:
    guest = walk.person(username)
    wrong = []
    for path in dict.fromkeys(guest.page.evaluate(RAIL)):
        try:
            guest.go(path)
        except AssertionError as error:
            wrong.append(str(error))
    assert not wrong, "\n".join(wrong)
