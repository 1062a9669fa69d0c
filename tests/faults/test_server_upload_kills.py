"""kill -9 to real servers (`bidhall serve` and its workers and clocks) while a bid comes over HTTP: announced, sent in pieces, submitted,
replaced, withdrawn. Nothing acknowledged is lost, nothing is half visible, the client that comes back gets its first answer, and the
platform stands again in seconds (promises R3, R13)."""

from __future__ import annotations

import base64
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bench.start import free_port
from crypto.canonical import format_time
from crypto.documents import sign_document
from crypto.signatures import document_hash, payload_of
from tests.faults.ground import KILLS, audited, copied, log_holds, points
from tests.faults.test_upload_kills import nothing_half_there
from tests.kit import sealing, stages
from tests.kit.real_server import SOUND_SECONDS, Died, Guest, House, Nest, Server, hatchery, house_of
from tests.kit.sealing import SIGNER
from tests.kit.world import World
from trading.bidding import bids
from trading.bidding.bids import BidReceipt, StandingBid

WHO = "bidder1"
TUS = {"Tus_Resumable": "1.0.0"}
STEP = 150_000
ON_THE_WAY = sorted(
    {
        *points(
            "trading/bidding/uploads.py", "trading/bidding/bids.py", "trading/kernel/spool.py", "trading/kernel/work.py"
        ),
        "blob.linked",
        "blob.named",
        "log.leaf",
        "log.sealed",
    }
)
"""Every named step of upload, submission, replacement and withdrawal, and of the clock that seals the log meanwhile."""


# --- acts of a bidder's client, each of which may be begun again after a death ----------------------------------------


@dataclass
class Handing:
    """Upload and submit. ``told``: the receipts this client was given; ``before``: the statement that stood when it began."""

    ref: str
    sealed: bytes
    submission: Any
    before: str
    token: str = ""
    told: list[str] = field(default_factory=list)

    @property
    def statement(self) -> str:
        return document_hash(payload_of(self.submission))

    def __call__(self, guest: Guest) -> None:
        if not self.token:
            meta = f"lot {base64.b64encode(self.ref.encode()).decode()}"
            begun = guest.ask("POST", "/uploads/acts", **TUS, Upload_Length=str(len(self.sealed)), Upload_Metadata=meta)
            assert begun.status == 201, begun.text
            self.token = begun.headers["location"].rpartition("/")[2]
        where = f"/uploads/acts/{self.token}"
        while True:
            at = guest.ask("HEAD", where, **TUS)
            assert at.status == 200, (at.status, self.token)  # an upload that was acknowledged is known for ever
            if at.headers["upload-whole"] == "yes":
                break
            begin = int(at.headers["upload-offset"])
            sent = guest.ask(
                "PATCH",
                where,
                self.sealed[begin : begin + STEP],
                **TUS,
                Upload_Offset=str(begin),
                Content_Type="application/offset+octet-stream",
            )
            assert sent.status in (204, 423), sent.text  # 423: the thread of the line that broke still holds it
        answer = guest.post(f"/bidder/lots/{self.ref}/acts/submit", upload=self.token, submission=self.submission)
        assert answer.status == 200 and answer.json["accepted"], answer.text[:2000]
        self.told.append(answer.json["c"])
        assert guest.get(f"/bidder/receipts/{self.told[-1]}").status == 200
        assert len(set(self.told)) == 1  # the first answer, however often it is asked

    def check(self, world: World) -> None:
        nothing_half_there(world, self, self.told[:1], standing=self.before)  # type: ignore[arg-type]


@dataclass
class Withdrawing:
    ref: str
    paper: Any
    before: str
    told: list[str] = field(default_factory=list)

    def __call__(self, guest: Guest) -> None:
        answer = guest.post(f"/bidder/lots/{self.ref}/acts/withdraw", withdrawal=self.paper)
        assert answer.status == 200 and answer.json["accepted"], answer.text[:2000]
        self.told.append(answer.json["c"])
        assert len(set(self.told)) == 1

    def check(self, world: World) -> None:
        with world.view("clock") as view:
            stands = view.session.scalars(select(StandingBid)).all()
            given = [
                row.c
                for row in view.session.scalars(
                    select(BidReceipt).where(
                        BidReceipt.kind == "withdrawn", BidReceipt.statement == document_hash(payload_of(self.paper))
                    )
                )
            ]
            assert [row.bid.statement for row in stands] == ([] if given else [self.before])
            assert given == self.told[:1] or (not self.told and len(given) <= 1)
        log_holds(world)


def handing(world: World, ref: str, standing: str) -> Handing:
    return Handing(ref, *sealing.seal(world, ref, WHO, replaces=standing, data=b"offer " * 50_000), standing)


def withdrawing(world: World, ref: str, standing: str) -> Withdrawing:
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        bid = next(one for one in bids.standing_bids(view.session, lot) if one.statement == standing)
        document = {
            "v": 1,
            "platform": world.office.platform,
            "tender": lot.tender.ref,
            "lot": lot.no_text,
            "envelope": "bid",
            "bidder": sealing.code_of(world, WHO),
            "statement": bid.statement,
            "at": format_time(world.now),
        }
    return Withdrawing(ref, sign_document("withdrawal", document, world.keys[WHO].sign), standing)


# --- trials -----------------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """``kills`` that came while an act was under way, by where; ``late``: those that came between two acts."""

    kills: Counter[str] = field(default_factory=Counter)
    late: int = 0
    acts: int = 0
    boots: list[float] = field(default_factory=list)
    seconds: float = 1.0

    def __str__(self) -> str:
        named = sum(n for name, n in self.kills.items() if "." in name)
        rest = {name: n for name, n in self.kills.items() if "." not in name}
        return (
            f"{sum(self.kills.values())} kills in the middle of {self.acts} acts ({named} at named steps, {rest}), {self.late} between"
            f" two; sound again after {sum(self.boots) / len(self.boots):.2f} s, at most {max(self.boots):.2f} s"
        )


class Bidder:
    """A bidder who hands in, replaces and withdraws without end, on whatever server stands."""

    def __init__(self, house: House, ref: str, tally: Tally) -> None:
        self.house, self.ref, self.tally = house, ref, tally
        self.standing, self.act, self.count = "", None, 0  # type: str, Handing | Withdrawing | None, int

    def next(self) -> Handing | Withdrawing:
        if self.act is None:
            self.house.advance(seconds=61)  # a tick of the log for the servers' own clocks
            self.count += 1
            world = self.house.world
            self.act = (
                withdrawing(world, self.ref, self.standing)
                if self.count % 4 == 0
                else handing(world, self.ref, self.standing)
            )
        return self.act

    def until_death(self, server: Server, guest: Guest, most: int) -> bool:
        """Go on from act to act until the line breaks (True), or ``most`` acts were done."""
        for _ in range(most):
            act = self.next()
            try:
                self.timed(act, guest)
                act(guest)  # and once more: the first answer
            except Died:
                return True
            self.done(act)
        return False

    def timed(self, act: Handing | Withdrawing, guest: Guest) -> None:
        """Do it, and learn how long one takes: a kill at a random moment is to come in the middle, on a quick machine too."""
        start = time.monotonic()
        act(guest)
        self.tally.seconds = 0.5 * self.tally.seconds + 0.5 * (time.monotonic() - start)

    def done(self, act: Handing | Withdrawing) -> None:
        act.check(self.house.world)
        self.standing = act.statement if isinstance(act, Handing) else ""
        self.act = None
        self.tally.acts += 1


def run(
    nest: Nest, house: House, ref: str, orders: list[str], tally: Tally, chance: random.Random, *, cold: bool = False
) -> None:
    """For each order one server and one death. An order is a named step (``bid.stored@1``), or from outside at any moment: ``all``, the
    server with its workers, or ``worker``, one of them."""
    bidder = Bidder(house, ref, tally)
    port = 0
    for order in orders:
        named = "@" in order
        port = port or free_port()
        try:
            server = nest.serve(house, fault=order.replace("@", ":down@") if named else "", port=port, cold=cold)
        except Died:
            assert named  # its clock came to the step before anybody asked for a page
            tally.kills[order.partition("@")[0]] += 1
            continue
        tally.boots.append(server.boot_seconds)
        assert server.boot_seconds < SOUND_SECONDS
        if bidder.act is not None:
            bidder.act.check(house.world)  # what the dead one left, now that another stands over it
        bidder.next()
        guest = house.person(server, WHO, SIGNER)
        if named:
            hit = bidder.until_death(server, guest, 40)  # a step of the clock's comes only with the clock
            assert hit == dead(server, hit), "a line broke, and nobody had died"
        else:
            hit = from_outside(bidder, server, guest, order, chance)
        tally.kills[order.partition("@")[0]] += hit
        tally.late += not hit
        server.kill()
    last = nest.serve(house, port=port)
    act = bidder.next()
    act.check(house.world)
    act(house.person(last, WHO, SIGNER))
    bidder.done(act)
    last.kill()


def dead(server: Server, wait: bool) -> bool:
    """Whether the server has died; with ``wait`` it is given a moment to."""
    end = time.monotonic() + (5 if wait else 0)
    while server.alive() and time.monotonic() < end:
        time.sleep(0.01)
    return not server.alive()


def from_outside(bidder: Bidder, server: Server, guest: Guest, order: str, chance: random.Random) -> bool:
    """A kill at a random moment of an act. With ``worker`` the server itself stands, and the same client goes on with it. Whether a line
    broke."""
    act, broke, failed = bidder.next(), threading.Event(), []

    def go_on() -> None:
        try:
            bidder.timed(act, guest)
        except Died:
            broke.set()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=go_on)
    thread.start()
    time.sleep(chance.uniform(0, 1.1 * bidder.tally.seconds))
    if order == "worker":
        for at in (0, 1):  # one after the other: which of them serves the line is not known
            server.kill_worker(at)
            if broke.wait(0.05):
                break
    else:
        server.kill()
    thread.join(90)
    assert not failed, failed
    if order == "worker" and broke.is_set():
        server.ready()
        act.check(bidder.house.world)
        act(guest)
    if order == "worker" or not broke.is_set():
        bidder.done(act)
    return broke.is_set()


@pytest.fixture
def ready(world: World) -> tuple[World, str]:
    if world.office.engine.dialect.name != "sqlite":
        pytest.skip(
            "real servers run on files of their own; the forked workers of test_upload_kills.py run on PostgreSQL too"
        )
    return world, stages.bidding(world)


@pytest.mark.long
@pytest.mark.promise("R3")
@pytest.mark.promise("R13")
def test_a_dozen_deaths_of_real_servers(ready: tuple[World, str], tmp_path: Path) -> None:
    world, ref = ready
    orders = [
        "upload.arrived@1",
        "spool.synced@2",
        "bid.signed@1",
        "bid.stored@1",
        "bid.receipt@1",
        "bid.withdrawn@1",
        "log.sealed@1",
        "all",
        "all",
        "worker",
        "worker",
        "all",
    ]
    tally = Tally()
    with hatchery() as nest, copied(world, tmp_path / "killed") as mine:
        run(nest, house_of(mine, tmp_path / "killed"), ref, orders, tally, random.Random(7))
        audited(mine, tmp_path / "killed")
    assert all(
        tally.kills[name] for name in ("bid.signed", "bid.stored", "bid.receipt", "bid.withdrawn", "log.sealed")
    ), tally
    assert sum(tally.kills.values()) >= 9, str(tally)
    print(tally)


@pytest.mark.long
@pytest.mark.promise("R3")
def test_a_server_started_from_nothing_stands_in_ten_seconds(ready: tuple[World, str], tmp_path: Path) -> None:
    """The installed command, not one forked from a warm process."""
    world, ref = ready
    tally = Tally()
    with hatchery() as nest, copied(world, tmp_path / "killed") as mine:
        run(nest, house_of(mine, tmp_path / "killed"), ref, ["bid.stored@1", "all"], tally, random.Random(8), cold=True)
    assert max(tally.boots) < SOUND_SECONDS, str(tally)


def test_a_receipt_that_is_lost_would_be_noticed(ready: tuple[World, str], tmp_path: Path) -> None:
    """The checks of this file are checked: each of these claims to have been told what the platform never said."""
    world, ref = ready
    with hatchery() as nest, copied(world, tmp_path / "checked") as mine:
        house = house_of(mine, tmp_path / "checked")
        server = nest.serve(house)
        act = handing(mine, ref, "")
        act(house.person(server, WHO, SIGNER))
        act.check(mine)
        with pytest.raises(AssertionError):
            Handing(ref, act.sealed, act.submission, "", told=["A" * 43]).check(mine)
        with pytest.raises(AssertionError):
            lost = handing(mine, ref, act.statement)
            lost.told.append("A" * 43)
            lost.check(mine)
        with pytest.raises(AssertionError):
            gone = withdrawing(mine, ref, act.statement)
            gone.told.append("A" * 43)
            gone.check(mine)


@pytest.mark.skipif(not KILLS, reason="the long loop: make faults")
@pytest.mark.promise("R3")
@pytest.mark.promise("R13")
def test_long_upload_path_of_real_servers(ready: tuple[World, str], tmp_path: Path) -> None:
    """Every named step again and again, and any moment, until there were enough kills in the middle of an act."""
    world, ref = ready
    seed, tally, start = 20260324, Tally(), time.monotonic()
    chance = random.Random(seed)
    steps = [
        f"{name}@{chance.randint(1, 6) if name in ('spool.piece', 'work.commit', 'work.committed') else 1}"
        for name in ON_THE_WAY
    ]
    with hatchery() as nest:
        while sum(tally.kills.values()) < KILLS:
            orders = [*steps, *chance.choices(("all", "worker"), (3, 1), k=len(steps))]
            chance.shuffle(orders)
            with copied(world, tmp_path / "killed") as mine:
                run(nest, house_of(mine, tmp_path / "killed"), ref, orders[:24], tally, chance)
                audited(mine, tmp_path / "killed")
            print(f"  upload path: {sum(tally.kills.values())} so far, {time.monotonic() - start:.0f} s", flush=True)
    assert {name for name in ON_THE_WAY if not tally.kills[name]} == set()
    print(
        f"upload path, real servers: {tally}; seed {seed}: 0 lost, 0 half there; {time.monotonic() - start:.0f} s",
        flush=True,
    )
