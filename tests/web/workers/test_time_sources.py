"""Clocks outside: most of them hold the closing where ours is wrong, and none of them sets it, closes anything or stops anything alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.kit import stages
from tests.kit.machine import SECOND, SetMachine
from tests.kit.sntp import TimeServer, served
from tests.kit.world import World
from tests.trading.bidding.test_clock_jumps import Scene, ready
from trading import timeline
from trading.bidding import closing
from trading.kernel import outside_time
from trading.kernel.clock import Span
from trading.kernel.errors import NotReady
from trading.kernel.outside_time import OUTSIDE_FILE, VALID_NS, Outside
from trading.kernel.system_clock import Kept, SystemClock
from web.settings import read_settings
from web.workers import time_sources

NOON = datetime(2026, 12, 1, 4, 0, tzinfo=UTC)


@contextmanager
def outside(
    machine: SetMachine, *how: tuple[float, str], path: Path | None = None
) -> Iterator[tuple[SystemClock, list[TimeServer]]]:
    """A clock with as many sources as ``how`` says: seconds off the truth, and the way each answers."""
    with ExitStack() as stack:
        servers = [stack.enter_context(served(lambda: machine.true, off=off, how=way)) for off, way in how]
        sources = tuple(server.source for server in servers)
        yield SystemClock(Kept(), machine, Outside(path, sources)), servers


def code(clock: SystemClock) -> str:
    doubt = clock.doubt()
    return doubt.code if doubt is not None else ""


@pytest.mark.promise("R7")
@pytest.mark.parametrize("wrong", [-7200, -2, 2, 7200])
def test_a_clock_that_was_wrong_at_boot_is_doubted_and_not_set(wrong: int) -> None:
    """Our two clocks agree with each other, and three outside do not."""
    machine = SetMachine(NOON)
    machine.jumps(wrong)
    with outside(machine, (0, "well"), (0.2, "well"), (-0.2, "well")) as (clock, _servers):
        assert code(clock) == "" and clock.span() == Span.at(machine.truth + timedelta(seconds=wrong))
        time_sources.ask(clock)
        assert code(clock) == "clock.outside"
        told, span = clock.by_outside(), clock.span()
        assert told is not None and (told.far, told.of) == (3, 3)
        assert span.moment == machine.truth + timedelta(seconds=wrong), "nobody outside sets it"
        assert span.first - timedelta(seconds=1) <= machine.truth <= span.last + timedelta(seconds=1)
        assert abs((span.last - span.first) - timedelta(seconds=abs(wrong))) < timedelta(seconds=1)
        doubt = clock.doubt()
        assert doubt is not None and doubt.facts["seconds"] in (abs(wrong), abs(wrong) + 1, abs(wrong) - 1)


def test_a_clock_within_a_second_is_confirmed() -> None:
    machine = SetMachine(NOON)
    machine.jumps(0.8)
    with outside(machine, (0, "well"), (0, "well"), (0.1, "well")) as (clock, _servers):
        time_sources.ask(clock)
        told = clock.by_outside()
        assert code(clock) == "" and told is not None and told.confirmed and told.near == 3


@pytest.mark.parametrize(
    ("how", "counted"),
    [
        (((3600, "well"), (0, "well"), (0, "well")), (2, 1, 0)),  # one liar
        (((3600, "well"), (0, "silent"), (0, "silent")), (0, 1, 2)),  # alone in what it says
        (((3600, "well"), (-3600, "well"), (0, "silent")), (0, 2, 1)),  # two that do not agree with each other
        (((3600, "well"), (3600, "well"), (0, "well"), (0, "well")), (2, 2, 0)),  # half is not most
        (((0, "silent"), (0, "silent")), (0, 0, 2)),
        (((3600, "unsynchronized"), (3600, "another"), (3600, "short")), (0, 0, 3)),  # no answers to what we asked
    ],
)
def test_fewer_than_most_hold_nothing(how: Sequence[tuple[float, str]], counted: tuple[int, int, int]) -> None:
    machine = SetMachine(NOON)
    with outside(machine, *how) as (clock, _servers):
        time_sources.ask(clock)
        told = clock.by_outside()
        assert told is not None and (told.near, told.far, told.silent) == counted
        assert code(clock) == "" and clock.span() == Span.at(machine.truth)


def test_a_forged_answer_does_not_keep_the_true_one_out() -> None:
    machine = SetMachine(NOON)
    with outside(machine, (0, "twice")) as (clock, _servers):
        asked = time_sources.ask(clock)
        assert asked is not None and [one.fault for one in asked.answers] == [""]
        assert code(clock) == ""


def test_a_slow_way_says_no_more_than_it_can() -> None:
    """What came back after 3 s leaves 1.5 s open: too little to say anything by."""
    machine = SetMachine(NOON)
    with outside(machine, (0, "well")) as (clock, servers):
        packet = servers[0].answers(bytes([35]) + bytes(39) + b"12345678")[0]
        sent = machine.steady
        machine.passes(1.8)
        found = time_sources.read(packet, "here", b"12345678", sent, machine.steady)
        assert found is not None and found.half == int(0.9 * SECOND) and not found.fault
        machine.passes(1.2)
        late = time_sources.read(packet, "here", b"12345678", sent, machine.steady)
        assert late is not None and late.fault == "too_slow"


def test_the_era_after_2036_is_read() -> None:
    machine = SetMachine(datetime(2040, 5, 1, tzinfo=UTC))
    with outside(machine, (0, "well"), (0, "well")) as (clock, _servers):
        time_sources.ask(clock)
        told = clock.by_outside()
        assert told is not None and told.near == 2


def test_all_processes_of_a_folder_go_by_one_round_until_it_is_old(tmp_path: Path) -> None:
    machine, path = SetMachine(NOON), tmp_path / OUTSIDE_FILE
    machine.jumps(60)
    with outside(machine, (0, "well"), path=path) as (clock, servers):
        other = SystemClock(Kept(), machine, Outside(path, clock.outside.sources))
        assert code(other) == ""
        time_sources.ask(clock)
        machine.passes(2)
        assert code(other) == code(clock) == "clock.outside"
        time_sources.ask(other)
        assert servers[0].asked == 1, "a young round is not asked anew"
        machine.passes(time_sources.EVERY_SECONDS)
        time_sources.ask(other)
        assert servers[0].asked == 2
        others = SystemClock(Kept(), machine, Outside(path, ("ntp.example",)))
        assert code(others) == "" and others.by_outside() is None, "of sources that are named no more"
        machine.passes(VALID_NS / SECOND + 1)
        assert code(clock) == code(other) == "" and other.by_outside() is None
        machine.restarts()
        again = SystemClock(Kept(), machine, Outside(path, clock.outside.sources))
        assert code(again) == "", "another boot"
        path.write_text("{")
        assert SystemClock(Kept(), machine, Outside(path, clock.outside.sources)).by_outside() is None


def test_a_clock_set_right_is_believed_at_once_by_the_same_round() -> None:
    machine = SetMachine(NOON)
    machine.jumps(-1.5)
    with outside(machine, (0, "well")) as (clock, _servers):
        time_sources.ask(clock)
        assert code(clock) == "clock.outside"
        machine.jumps(0.9)
        assert code(clock) == "" and clock.by_outside() is not None


# --- at a deadline ------------------------------------------------------------------------------------------------------


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return World(engine, tmp_path)


@pytest.mark.promise("R7")
def test_nothing_is_closed_early_by_a_clock_that_most_outside_call_wrong(world: World) -> None:
    """The machine runs an hour fast, its clock since boot with it; a bid in time by the clocks outside alone gets its signed proof."""
    ref, made = stages.reach(world, "ready", ready)
    scene = Scene(world, ref, made, before=1800)
    machine = SetMachine(world.now)
    machine.jumps(3600)
    with outside(machine, (0, "well"), (0, "well"), (0, "well")) as (clock, _servers):
        time_sources.ask(clock)
        world.office = replace(world.office, clock=clock)
        scene.clock = clock
        assert timeline.turn(world.office) == []
        outcome = scene.hands_in("bidder1")
        assert outcome.reason == "UNAVAILABLE"
        with world.view("clock") as view:
            assert not closing.is_closed(view.session, world.lot_in(view, ref))
        with world.work("clock") as work, pytest.raises(NotReady) as refusal:
            work.certain()
        assert refusal.value.code == "clock.outside"
        machine.is_set_right()
        clock = SystemClock(Kept(), machine, clock.outside)
        time_sources.ask(clock)
        world.office = replace(world.office, clock=clock)
        scene.clock = clock
        assert code(clock) == ""
        assert scene.hands_in("bidder1").accepted


# --- settings ---------------------------------------------------------------------------------------------------------------


def test_sources_are_named_with_or_without_a_port(tmp_path: Path) -> None:
    settings = read_settings(
        {"BIDHALL_DATA": str(tmp_path), "BIDHALL_TIME_SOURCES": "ntp.example, [2001:db8::1]:1123 ,ntp.example"}
    )
    assert settings.time_sources == ("ntp.example", "[2001:db8::1]:1123")
    parsed = [outside_time.parse(one) for one in settings.time_sources]
    assert [(one.host, one.port) for one in parsed] == [("ntp.example", 123), ("2001:db8::1", 1123)]
    for wrong in ("ntp.example:0", "https://ntp.example", "a b", ",".join(f"n{at}.example" for at in range(10))):
        with pytest.raises(NotReady) as refusal:
            read_settings({"BIDHALL_DATA": str(tmp_path), "BIDHALL_TIME_SOURCES": wrong})
        assert refusal.value.facts["name"] == "BIDHALL_TIME_SOURCES"
