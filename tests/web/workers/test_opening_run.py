"""A long decryption: the host presses once, everybody sees the bids counted, and nobody sees what was found before all are done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine

from tests.kit import sealing
from tests.kit.opening_steps import ALL, bid, form, share
from tests.kit.world import World
from tests.web.desks.hall.kit import Seat, app_of
from trading.kernel import faults
from trading.opening import ceremony, runs
from web.desks.hall import marks
from web.workers import opening_run


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return World(engine, tmp_path)


@pytest.fixture
def app(world: World, tmp_path: Path) -> Flask:
    return app_of(world, tmp_path)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Answers wait a tenth of a second; the second bid takes four."""
    monkeypatch.setattr(opening_run, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(opening_run, "BEAT_SECONDS", 0.05)
    faults.arm("decrypt.bid:sleep=4@2")
    yield
    faults.arm("")


def listed(world: World) -> str:
    ref = world.lot("BIDDING")
    bid(world, ref, {name: form(price=f"{2_700_000 + 10_000 * at}.00") for at, name in enumerate(world.bidders)})
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    for username in ALL:
        share(world, ref, username)
    return ref


def until(world: World, ref: str, state: str) -> None:
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        with world.view("clock") as view:
            if ceremony.opening(view.session, world.lot_in(view, ref)).state == state:
                return
        time.sleep(0.05)
    raise AssertionError(f"never {state}")


def counted(world: World, ref: str) -> tuple[int, int]:
    with world.view("clock") as view:
        row = runs.find(view.session, ceremony.opening(view.session, world.lot_in(view, ref)))
        assert row is not None
        return row.done, row.total


def marked(world: World, ref: str) -> str:
    with world.view("clock") as view:
        return marks.mark(view, ref)


@pytest.mark.usefixtures("impatient")
def test_bids_are_counted_while_they_are_decrypted_and_shown_together(world: World, app: Flask) -> None:
    ref = listed(world)
    public, host = Seat(world, app), Seat(world, app, "host")
    before = marked(world, ref)
    host.act(f"/hall/{ref}/acts/open")
    give_up = time.monotonic() + 10
    while counted(world, ref)[0] < 1:
        assert time.monotonic() < give_up
        time.sleep(0.02)
    seen = public.get(f"/hall/{ref}").text
    assert "正在解密：共 3 份投标" in seen and "2,700,000.00" not in seen
    assert marked(world, ref) != before  # whoever watches is told
    chair = host.get(f"/hall/{ref}/host").text
    assert "正在解密" in chair and "/acts/open" not in chair
    host.act(f"/hall/{ref}/acts/open")  # pressed again: leads back, begins nothing
    until(world, ref, "OPENED")
    after = public.get(f"/hall/{ref}").text
    assert "2,700,000.00" in after and "正在解密" not in after


def test_a_run_that_died_says_so_and_is_begun_again_at_once(world: World, app: Flask) -> None:
    ref = listed(world)
    host = Seat(world, app, "host")
    with world.work("host") as work:
        row = ceremony.opening(work.session, world.lot_in(work, ref))
        runs.begin(work, row)
        work.session.flush()
        runs.beat(work, row.id, 2)
    with opening_run.hold(world.office, row.id) as mine:
        assert mine
        assert "正在解密：共 3 份投标，已完成 2 份" in host.get(f"/hall/{ref}/host").text
        host.act(f"/hall/{ref}/acts/open")  # another process decrypts: led back, nothing begun
        until(world, ref, "LISTED")
    assert "解密中断：共 3 份投标，已完成 2 份" in host.get(f"/hall/{ref}/host").text
    host.act(f"/hall/{ref}/acts/open")
    until(world, ref, "OPENED")
    assert counted(world, ref) == (3, 3)


def test_what_can_be_known_beforehand_is_refused_at_once(world: World, app: Flask) -> None:
    ref = world.lot("BIDDING")
    bid(world, ref, {name: form() for name in world.bidders})
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    share(world, ref, ALL[0])
    host = Seat(world, app, "host")
    answer = host.post(f"/hall/{ref}/acts/open")
    assert answer.status_code == 409 and "密钥持有人还可以交份额" in answer.text
    assert "正在解密" not in host.get(f"/hall/{ref}/host").text
