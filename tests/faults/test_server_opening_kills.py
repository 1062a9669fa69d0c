"""kill -9 to real servers (`bidhall serve`, its workers and clocks) from the closing to the published record, the people of the ceremony at
its pages; and two servers that open at once. The lot closes once and is opened exactly once, an officer who was told is not asked again
(promises R3, R11, R14)."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from bench.start import free_port
from tests.faults.ground import KILLS, audited, copied
from tests.faults.test_opening_kills import opened_once
from tests.faults.test_server_upload_kills import Tally, dead
from tests.kit import stages
from tests.kit.opening_steps import ALL
from tests.kit.real_server import SOUND_SECONDS, Answer, Died, House, Nest, Server, hatchery, house_of
from tests.kit.world import World
from tests.web.desks.hall import kit
from trading.bidding import closing
from trading.kernel import log
from trading.opening import ceremony as opening

CAME = ALL[:3]
"""Who countersigns."""
CLOSING = ["closing.written@1", "log.leaf@1", "log.sealed@1"]
WAY = [
    *CLOSING,
    "opening.listed@1",
    "work.commit@1",
    "share.stored@1",
    "share.stored@1",
    "share.stored@1",
    "share.stored@1",
    "work.committed@1",
    "share.stored@1",
    "decrypt.bid@1",
    "blob.linked@1",
    "blob.named@1",
    "decrypt.kept@2",
    "decrypt.bid@3",
    "opening.recorded@1",
    "work.committed@1",
    "blob.written@1",
    "blob.synced@1",
    "work.commit@1",
    "opening.closed@1",
]
"""A ceremony that dies at every step in turn: closing, set, each share (the third is the t-th), key and envelope i of n, list, papers,
publication. Each server is armed with the next."""


@dataclass
class Ceremony:
    """The people of an opening at their pages. ``play`` looks at what stands and goes on from there, as people do after a crash.
    ``told``: what they were told; ``shares``: each officer's signed answer, sent again as it is."""

    house: House
    ref: str
    told: set[str] = field(default_factory=set)
    shares: dict[str, Any] = field(default_factory=dict)
    listed: Any = None
    over: bool = False

    def play(self, server: Server) -> None:
        self.close_intake(server)
        if self.row() is None:
            self.post(server, "host", "list")
            self.told.add("listed")
        row = self.row()
        assert row is not None
        if row.state == "LISTED":
            self.release(server, row)
            self.decrypt(server)
            self.told.add("opened")
        row = self.row()
        if row.state == "OPENED":  # type: ignore[union-attr]
            self.sign(server)
        if self.row().state == "SIGNED":  # type: ignore[union-attr]
            self.post(server, "host", "close")
        self.told.add("closed")
        page = self.house.person(server, "host").get(f"/hall/{self.ref}/minutes")
        assert page.status == 200 and page.data.startswith(b"%PDF")
        self.over = True

    def close_intake(self, server: Server) -> None:
        """The servers' own clocks close the lot; the people only wait."""
        with self.house.world.view("clock") as view:
            deadline = self.house.world.lot_in(view, self.ref).deadline
        assert deadline is not None
        for seconds in (0, 60):
            if self.house.world.now < deadline + timedelta(seconds=seconds):
                self.house.at(deadline + timedelta(seconds=seconds))
                if not seconds:
                    self.until(server, lambda session: log.due_tick(session, self.house.world.now) is None)
        self.until(server, self.is_closed)

    def is_closed(self, session: Session) -> bool:
        with self.house.world.view("clock") as view:
            lot = self.house.world.lot_in(view, self.ref)
            row = closing.find(view.session, lot)
            return (
                lot.closed_at is not None and row is not None and log.tick_of(view.session, row.deadline_c) is not None
            )

    def release(self, server: Server, row: opening.Opening) -> None:
        if self.house.world.now < row.shares_from:
            self.house.at(max(row.shares_from, self.house.world.now + timedelta(seconds=70)))
        self.until(server, lambda session: log.tick_of(session, row.set_c) is not None)
        for username in ALL:
            if f"share {username}" in self.told:
                continue
            guest = self.house.person(server, username)
            if username not in self.shares:
                self.shares[username] = kit.shares_of(guest, self.ref)  # type: ignore[arg-type]
            self.press(partial(guest.post, f"/hall/{self.ref}/acts/release", shares=self.shares[username]))
            self.told.add(f"share {username}")

    def decrypt(self, server: Server) -> None:
        """The host presses and waits, and presses again: harmless while a decryption runs, and a new one where it died with its server."""
        while self.is_listed():
            self.post(server, "host", "open")
            end = time.monotonic() + 1.5
            while self.is_listed() and time.monotonic() < end:
                if not server.alive():
                    raise Died("nobody decrypts")
                time.sleep(0.02)

    def is_listed(self) -> bool:
        row = self.row()
        return row is not None and row.state == "LISTED"

    def sign(self, server: Server) -> None:
        for username in CAME:
            guest = self.house.person(server, username)
            paper = kit.countersigned(guest, self.ref)  # type: ignore[arg-type]
            self.press(partial(guest.post, f"/hall/{self.ref}/acts/countersign", opened=paper))
            self.told.add(f"signed {username}")
        row = self.row()
        assert row is not None and row.confirm_until is not None
        self.house.at(max(self.house.world.now, row.confirm_until + timedelta(minutes=1)))
        self.post(server, "host", "sign-minutes")
        self.told.add("minutes")

    def post(self, server: Server, username: str, act: str) -> None:
        self.press(partial(self.house.person(server, username).post, f"/hall/{self.ref}/acts/{act}"))

    def press(self, button: Callable[[], Answer]) -> None:
        """One act of somebody, that must succeed."""
        good(button())

    def row(self) -> opening.Opening | None:
        with self.house.world.view("clock") as view:
            return opening.find(view.session, self.house.world.lot_in(view, self.ref))

    def until(self, server: Server, there: Callable[[Session], bool], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while True:
            with self.house.world.view("clock") as view:
                if there(view.session):
                    return
            if not server.alive():
                raise Died("nobody turns the clock")
            assert time.monotonic() < end, (
                f"the servers' clocks do not take what is due: {server.log.read_text()[-2000:]}"
            )
            time.sleep(0.02)

    def check(self) -> None:
        """After every death: nothing told is lost, the list is the one of before."""
        opened_once(self.house.world, self.ref, whole=self.over)
        row = self.row()
        with self.house.world.view("clock") as view:
            kept = {share.j for share in opening.shares(view.session, row)} if row else set()
        assert {ALL.index(fact.partition(" ")[2]) + 1 for fact in self.told if fact.startswith("share ")} <= kept
        assert "listed" not in self.told or row is not None
        assert "opened" not in self.told or (row is not None and row.opened is not None)
        assert "minutes" not in self.told or (row is not None and row.state in ("SIGNED", "CLOSED"))
        assert "closed" not in self.told or (row is not None and row.state == "CLOSED")
        if self.listed is not None:
            assert row is not None and row.opened is not None and row.opened["payload"] == self.listed
        elif row is not None and row.opened is not None:
            self.listed = row.opened["payload"]


def good(answer: Answer) -> None:
    assert answer.status == 303, (answer.status, answer.text[:3000])


def run(nest: Nest, house: House, ref: str, orders: list[str], tally: Tally, chance: random.Random) -> None:
    """One ceremony, one server and one death for each order until it is over: a named step, or from outside at any moment."""
    ceremony, port = Ceremony(house, ref), 0
    for order in orders:
        if ceremony.over:
            break
        named = "@" in order
        port = port or free_port()
        try:
            server = nest.serve(house, fault=order.replace("@", ":down@") if named else "", port=port)
        except Died:
            assert named  # its clock came to the step before anybody asked for a page
            tally.kills[order.partition("@")[0]] += 1
            continue
        tally.boots.append(server.boot_seconds)
        assert server.boot_seconds < SOUND_SECONDS
        ceremony.check()
        hit = from_outside(ceremony, server, order, chance) if not named else broke(ceremony, server)
        assert not named or hit == dead(server, hit), "a line broke, and nobody had died"
        tally.kills[order.partition("@")[0]] += hit
        tally.late += not hit
        server.kill()
    while not ceremony.over:
        server = nest.serve(house, port=port)
        ceremony.check()
        ceremony.play(server)
        server.kill()
    ceremony.check()
    tally.acts += 1


def broke(ceremony: Ceremony, server: Server) -> bool:
    try:
        ceremony.play(server)
    except Died:
        return True
    return False


def from_outside(ceremony: Ceremony, server: Server, order: str, chance: random.Random) -> bool:
    """A kill at a random moment; the ceremony may go on meanwhile as far as it comes."""
    found: list[Any] = []

    def go_on() -> None:
        try:
            found.append(broke(ceremony, server))
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=go_on)
    thread.start()
    thread.join(chance.uniform(0.02, 2.5))
    there = not ceremony.over
    if order == "worker":
        server.kill_worker(chance.randrange(2))
    else:
        server.kill()
    thread.join(120)
    assert found and not isinstance(found[0], BaseException), found
    return there


@pytest.fixture
def taken(world: World) -> tuple[World, str]:
    if world.office.engine.dialect.name != "sqlite":
        pytest.skip("real servers run on files of their own")
    return world, stages.bid(world)


@pytest.mark.long
@pytest.mark.promise("R3")
@pytest.mark.promise("R14")
def test_a_ceremony_that_dies_at_every_step(taken: tuple[World, str], tmp_path: Path) -> None:
    world, ref = taken
    tally = Tally()
    with hatchery() as nest, copied(world, tmp_path / "killed") as mine:
        run(nest, house_of(mine, tmp_path / "killed"), ref, WAY, tally, random.Random(3))
        audited(mine, tmp_path / "killed")
    wanted = Counter(order.partition("@")[0] for order in WAY)
    assert tally.kills == wanted and not tally.late, str(tally)
    print(tally)


@pytest.mark.long
@pytest.mark.promise("R11")
@pytest.mark.promise("R14")
def test_two_servers_open_at_once(taken: tuple[World, str], tmp_path: Path) -> None:
    """Two `bidhall serve` over one folder. The host presses on one, then on the other and on both at once: one decryption, one record,
    and whoever came later is led to the one that runs or told that it is done."""
    world, ref = taken
    with hatchery() as nest, copied(world, tmp_path / "two") as mine:
        house = house_of(mine, tmp_path / "two")
        first = nest.serve(house, fault="decrypt.bid:sleep=0.5@1+")
        second = nest.serve(house, fault="decrypt.bid:sleep=0.5@1+")
        ceremony = Ceremony(house, ref)
        ceremony.close_intake(first)
        ceremony.post(first, "host", "list")
        row = ceremony.row()
        assert row is not None
        ceremony.release(second, row)
        answers: list[Answer] = []

        def press(server: Server) -> threading.Thread:
            guest = house.person(server, "host")
            thread = threading.Thread(target=lambda: answers.append(guest.post(f"/hall/{ref}/acts/open")))
            thread.start()
            return thread

        threads = [press(first)]
        time.sleep(0.3)
        threads.append(press(second))  # it runs already: this one leaves it alone
        threads[-1].join(60)
        assert ceremony.is_listed() and answers[0].status == 303
        threads += [press(first), press(second)]
        for thread in threads:
            thread.join(60)
        end = time.monotonic() + 20
        while ceremony.is_listed():
            assert time.monotonic() < end
            time.sleep(0.05)
        assert {one.status for one in answers} <= {303, 409}, [one.text[:300] for one in answers]
        ceremony.check()
        ceremony.play(second)
        ceremony.check()
        audited(mine, tmp_path / "two")


@pytest.mark.skipif(not KILLS, reason="the long loop: make faults")
@pytest.mark.promise("R3")
@pytest.mark.promise("R14")
def test_long_opening_path_of_real_servers(taken: tuple[World, str], tmp_path: Path) -> None:
    """Ceremonies that die at every step in turn, and such that die at any moment, until there were enough kills."""
    world, ref = taken
    seed, tally, start = 20260324, Tally(), time.monotonic()
    chance = random.Random(seed)
    with hatchery() as nest:
        while sum(tally.kills.values()) < KILLS:
            orders = WAY if tally.acts % 2 == 0 else chance.choices(("all", "worker"), (3, 1), k=30)
            with copied(world, tmp_path / "killed") as mine:
                run(nest, house_of(mine, tmp_path / "killed"), ref, orders, tally, chance)
                audited(mine, tmp_path / "killed")
            print(f"  opening path: {sum(tally.kills.values())} so far, {time.monotonic() - start:.0f} s", flush=True)
    assert {name.partition("@")[0] for name in WAY} <= set(tally.kills)
    print(
        f"opening path, real servers: {tally}; seed {seed}: opened exactly once each time; {time.monotonic() - start:.0f} s",
        flush=True,
    )
