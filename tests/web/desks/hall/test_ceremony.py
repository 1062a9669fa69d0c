"""Several lots in one ceremony, and reading out: every screen on the host's line."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine

from tests.kit import sealing
from tests.kit.ceremony import bid_for, lots_together
from tests.kit.opening_steps import ALL, share
from tests.kit.world import World
from tests.web.desks.hall.kit import Seat, app_of
from trading import timeline
from trading.kernel.money import Money
from trading.opening import decryption


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return World(engine, tmp_path)


@pytest.fixture
def app(world: World, tmp_path: Path) -> Flask:
    return app_of(world, tmp_path)


def rows_of(page: str) -> list[tuple[str, str]]:
    """The rows on the wall: (how they stand, whose they are)."""
    return re.findall(
        r'<li class="([a-z ]+)"[^>]*>\s*<span class="n">\d+</span>\s*<div>\s*<p class="who">([^<]+)</p>', page
    )


def later(world: World, **by: int) -> None:
    world.clock.advance(**by)
    timeline.turn(world.office)


def test_three_lots_one_of_which_failed_are_led_together_and_read_out(world: World, app: Flask) -> None:
    first, second, few = refs = lots_together(world, "第一包", "第二包", "第三包")
    tender = first.rpartition("-")[0]
    ceremony = f"/hall/sessions/{tender}"
    for ref in refs:
        bid_for(world, ref, *(world.bidders if ref != few else world.bidders[:2]))
    world.tick()
    public = Seat(world, app)
    assert (
        public.get(ceremony).text.count("封存待开") == 3 and "投标单位" not in public.get(ceremony + "/projector").text
    )
    assert public.get("/hall/sessions/NONE-1").status_code == 404
    with world.view("clock") as view:
        deadline = world.lot_in(view, first).deadline
    assert deadline is not None
    world.clock.set(deadline - timedelta(minutes=30))
    assert ceremony in public.get("/hall").text and ceremony in public.get(f"/hall/{first}").text
    host, bidder = Seat(world, app, "host"), Seat(world, app, "bidder1", "bidder-signer")
    bidder.act(ceremony + "/acts/sign-in")
    assert bidder.get(ceremony).text.count("您已于") == 3
    assert host.post(ceremony + "/acts/list").status_code == 409
    early = Seat(world, app, "host")
    world.clock.set(deadline - timedelta(minutes=61))
    assert "acts/sign-in" not in early.get(ceremony).text  # no button that could only be refused
    assert early.post(ceremony + "/acts/sign-in").status_code == 409
    world.clock.set(deadline - timedelta(minutes=30))
    sealing.close(world, first)
    for _ in (second, few):
        timeline.turn(world.office)
    host = Seat(world, app, "host")
    host.act(ceremony + "/acts/list")
    assert [host.json(f"/hall/{ref}/data")["state"] for ref in refs] == ["LISTED", "LISTED", "FAILED"]
    assert public.post(ceremony + "/acts/list").status_code == 403
    assert "签到（2 个标段）" in host.get(ceremony).text  # the sheet of a lot that failed is shut
    host.act(ceremony + "/acts/sign-in")
    assert host.get(ceremony).text.count("您已于") == 2
    later(world, seconds=70)
    later(world, seconds=70)
    for username in ALL:
        share(world, first, username)
    stopped = host.post(
        ceremony + "/acts/open"
    )  # officers of the second lot may still come: it is said, and the first is opened
    assert stopped.status_code == 422 and second in stopped.text and "其他标段不受影响" in stopped.text
    assert [host.json(f"/hall/{ref}/data")["state"] for ref in (first, second)] == ["OPENED", "LISTED"]

    bids = public.json(f"/hall/{first}/data")["bids"]
    assert host.post(f"/hall/{first}/acts/read", place="5").status_code == 422
    assert host.post(f"/hall/{second}/acts/read", place="1").status_code == 409
    assert public.post(f"/hall/{first}/acts/read", place="1").status_code == 403
    mark = public.json(f"/hall/{first}/data")["last"]
    wall = public.get(f"/hall/{first}/projector").text
    assert (
        wall.count('class="wait"') == 3 and ".00</b><small" not in wall
    )  # nothing read yet: names in the order of the list, no amount
    for place in (1, 2, 2):
        host.act(f"/hall/{first}/acts/read", place=str(place))
    told = public.json(f"/hall/{first}/data")
    assert (
        told["reading"] == 2
        and sorted(told["read_at"]) == ["1", "2"]
        and told["last"] != mark
        and told["against_ceiling"] == []
    )
    for page in (f"/hall/{first}/projector", ceremony + "/projector"):
        shown = public.get(page).text
        assert "第 2 家" in shown and rows_of(shown) == [
            ("read", bids[0]["name"]),
            ("reading", bids[1]["name"]),
            ("wait", bids[2]["name"]),
        ]
        assert (
            shown.count("元整") == 3 and shown.count("</b><small") == 2
        )  # ceiling and the two lines read, in figures and in words
    assert rows_of(public.get(f"/hall/{first}/projector?line=1").text)[0] == ("reading", bids[0]["name"])
    for odd in ("0", "3", "4", "-1", "9999999999", "x", "³"):  # a line still to come stands large on no screen
        assert rows_of(public.get(f"/hall/{first}/projector?line={odd}").text)[1][0] == "reading"
    assert "报价与最高限价" not in public.get(f"/hall/{first}").text
    for place in (3, 4):
        host.act(f"/hall/{first}/acts/read", place=str(place))
    over = public.get(f"/hall/{first}/projector").text
    assert [kind for kind, _name in rows_of(over)] == ["read"] * 3 and "唱标完毕" in over
    bars = public.get(f"/hall/{first}").text
    assert (
        "报价与最高限价" in bars and bars.count("低于最高限价（元）") == 4
    )  # the heading, and each row of the table on a narrow screen
    facts = public.json(f"/hall/{first}/data")["against_ceiling"]
    ceiling = Decimal(public.json(f"/hall/{first}/data")["ceiling"])
    assert [one["no"] for one in facts] == [1, 2, 3]
    assert all(Decimal(one["price"]) + Decimal(one["below_ceiling"]) == ceiling for one in facts)
    assert public.client.get(f"/live/hall-session/{tender}", buffered=False).status_code == 200
    assert "投标单位" not in public.get(f"/hall/{few}/projector").text


def test_a_deposit_nobody_asked_for_has_not_arrived(world: World, app: Flask) -> None:
    ref = world.lot("BIDDING", deposit=Money.parse("0"))
    bid_for(world, ref, *world.bidders)
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    public = Seat(world, app)
    shown = public.get(f"/hall/{ref}").text
    assert shown.count("不收") == 3 and "已到账" not in shown and "未到账" not in shown
    for username in ALL:
        share(world, ref, username)
    decryption.open_bids(world.office, world.actor("host"), ref)
    Seat(world, app, "host").act(f"/hall/{ref}/acts/read", place="1")
    assert "不收" in public.get(f"/hall/{ref}/projector").text
