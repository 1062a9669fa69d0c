"""No page asks the database once per bid: every page of a lot is looked at in a world of three bidders and in one of nine, by everybody
who may, and asks as often in both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from tests.kit import opening_steps, stages
from tests.kit.database import Databases
from tests.kit.world import World
from tests.web.desks.hall import kit
from trading.kernel.access import Role
from trading.kernel.db import open_engine
from web.app import find_desks
from web.http.page_rules import ANYONE, PAGES

find_desks()  # now, so that all tables stand in the template of the database

PEOPLE = {
    "": Role.PUBLIC,
    "host": Role.HOST,
    "officer1": Role.OFFICER,
    "bidder1": Role.BIDDER_SIGNER,
    "watch": Role.SUPERVISOR,
    "agent": Role.AGENCY,
    "clerk": Role.CENTRE,
}
FEW, MANY = 3, 9
SLACK = 2
"""A page may look up a thing more in the larger world (whether there is a second page of a list), but not one for each bid."""


def opened(world: World) -> str:
    def build(world: World) -> str:
        ref = stages.listed(world)
        opening_steps.open_set(world, ref)
        return ref

    return str(stages.reach(world, "opened", build))


class Counted:
    """A world with its application; ``asked``: statements since the last look."""

    def __init__(self, engine: Engine, folder: Path, bidders: int, stage: Callable[[World], str]) -> None:
        self.world = World(engine, folder, bidders=bidders)
        self.ref = stage(self.world)
        self.app = kit.app_of(self.world, folder)
        self.asked: list[str] = []
        event.listen(engine, "before_cursor_execute", lambda _c, _cu, statement, *_rest: self.asked.append(statement))

    def pages(self) -> dict[str, tuple[int, list[str]]]:
        """``who path`` → (status, statements) of every page of the lot."""
        found = {}
        for username, role in PEOPLE.items():
            seat = kit.Seat(self.world, self.app, username, role.value if username.startswith("bidder") else "")
            for page in PAGES.values():
                path = page.path.replace("<ref>", self.ref)
                if page.method != "GET" or "<" in path or not (page.needs is ANYONE or page.open_to(role)):
                    continue
                if path.startswith("/live") or path in ("/time", "/savings"):
                    continue
                self.asked.clear()
                answer = seat.get(path)
                found[f"{username or 'anybody'} {page.path}"] = (answer.status_code, list(self.asked))
        return found


@pytest.mark.long
@pytest.mark.parametrize("stage", [stages.listed, opened, stages.proposed], ids=lambda stage: stage.__name__)
def test_no_page_asks_once_per_bid(databases: Databases, tmp_path: Path, stage: Callable[[World], str]) -> None:
    seen = []
    for bidders in (FEW, MANY):
        with databases.fresh() as url:
            engine = open_engine(url)
            seen.append(Counted(engine, tmp_path / str(bidders), bidders, stage).pages())
            engine.dispose()
    few, many = seen
    assert [name for name in few if few[name][0] != many[name][0]] == []
    assert len([name for name, (status, _asked) in few.items() if status == 200]) > 50
    more = {
        name: (len(few[name][1]), len(many[name][1])) for name in few if len(many[name][1]) > len(few[name][1]) + SLACK
    }
    assert more == {}, sorted({line for name in more for line in _often(few[name][1], many[name][1])})


def _often(few: list[str], many: list[str]) -> list[str]:
    """What was asked more often: its tables and condition."""
    return [
        " ".join(one.split()).partition(" FROM ")[2][:300]
        for one in dict.fromkeys(many)
        if many.count(one) > few.count(one) + SLACK
    ]
