"""The machine's clock held against the one since boot: what it says, when it is in doubt, and how the anchor moves."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kit.machine import SECOND, SetMachine
from trading.kernel.clock import Machine, Span, steady_ns
from trading.kernel.system_clock import ANCHOR_FILE, Kept, SystemClock, of_folder

NOON = datetime(2026, 12, 1, 4, 0, tzinfo=UTC)
OFF = timedelta(seconds=1, milliseconds=500)
"""A wall clock may be a second from its anchor, and an anchor as far from the truth as the wall clock was when it was noted: 0.4 s here."""


def code(clock: SystemClock) -> str:
    doubt = clock.doubt()
    return doubt.code if doubt is not None else ""


@pytest.mark.promise("R7")
@pytest.mark.parametrize("jump", [-86_400, -3600, -720, -2, 2, 720, 3600, 86_400])
def test_a_jump_is_doubted_while_it_lasts_and_the_moment_goes_on(jump: int) -> None:
    machine = SetMachine(NOON)
    clock = SystemClock(Kept(), machine)
    before = machine.steady
    machine.passes(10)
    machine.jumps(jump)
    machine.passes(4)
    truth = machine.truth
    assert (clock.now(), code(clock)) == (truth, "clock.apart")
    assert clock.span() == Span.over(truth, truth + timedelta(seconds=jump))
    assert not clock.certain_since(before)
    machine.jumps(-jump)
    machine.passes(1)
    assert (clock.span(), code(clock)) == (Span.at(machine.truth), "")
    assert not clock.certain_since(before) and clock.certain_since(machine.steady)


@pytest.mark.parametrize("jump", [-1, -0.3, 0.3, 1])
def test_a_correction_of_a_second_is_no_jump_and_nothing_goes_backwards(jump: float) -> None:
    machine = SetMachine(NOON)
    clock = SystemClock(Kept(), machine)
    before = clock.now()
    machine.jumps(jump)
    assert code(clock) == "" and clock.now() == max(before, before + timedelta(seconds=jump))


def test_a_frozen_clock_is_in_doubt_after_a_second_and_the_moment_does_not_freeze() -> None:
    machine = SetMachine(NOON)
    clock = SystemClock(Kept(), machine)
    machine.frozen = True
    machine.passes(0.5)
    assert code(clock) == ""
    machine.passes(60)
    assert (code(clock), clock.now()) == ("clock.apart", machine.truth)


@pytest.mark.parametrize(("counts", "found"), [(True, ""), (False, "clock.apart")])
def test_a_machine_that_sleeps(counts: bool, found: str) -> None:
    """A clock that counts sleep wakes in certainty; one that does not, in doubt, however right the wall clock is."""
    machine = SetMachine(NOON, counts_sleep=counts)
    clock = SystemClock(Kept(), machine)
    machine.sleeps(3600)
    assert code(clock) == found and clock.span().last == machine.truth


def test_held_by_what_it_runs_on_it_wakes_in_doubt_until_the_clock_is_accepted() -> None:
    machine = SetMachine(NOON)
    clock = SystemClock(Kept(), machine)
    machine.is_paused(300)
    machine.is_set_right()
    assert code(clock) == "clock.apart" and clock.span().first <= machine.truth == clock.span().last
    assert clock.accept() == timedelta(minutes=5)
    assert (code(clock), clock.now()) == ("", machine.truth)


def test_all_processes_of_a_folder_have_one_anchor_and_a_restarted_one_keeps_it(tmp_path: Path) -> None:
    machine = SetMachine(NOON)
    first, second = (SystemClock(Kept(tmp_path / ANCHOR_FILE), machine) for _ in range(2))
    machine.jumps(720)
    started = SystemClock(Kept(tmp_path / ANCHOR_FILE), machine)  # while it is wrong
    assert {code(one) for one in (first, second, started)} == {"clock.apart"}
    assert {one.now() for one in (first, second, started)} == {machine.truth}
    first.accept()
    machine.passes(2)
    assert {code(one) for one in (first, second, started)} == {""}


def test_another_boot_begins_anew(tmp_path: Path) -> None:
    machine = SetMachine(NOON)
    SystemClock(Kept(tmp_path / ANCHOR_FILE), machine)
    machine.restarts(600)
    clock = SystemClock(Kept(tmp_path / ANCHOR_FILE), machine)
    assert (code(clock), clock.now()) == ("", machine.truth)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"v":1}', '{"boot":"boot 1","offset_ns":"x","steady_ns":1}'])
def test_an_anchor_that_cannot_be_read_is_made_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / ANCHOR_FILE).write_text(text)
    machine = SetMachine(NOON)
    clock = SystemClock(Kept(tmp_path / ANCHOR_FILE), machine)
    machine.jumps(60)
    assert code(clock) == "clock.apart" and code(SystemClock(Kept(tmp_path / ANCHOR_FILE), machine)) == "clock.apart"


def test_a_boot_with_a_bad_hour_is_mended_by_the_log(tmp_path: Path) -> None:
    """The battery of its clock was empty; NTP comes a minute after us. No moment lies before the log's newest tick meanwhile."""
    machine = SetMachine(NOON)
    newest = NOON - timedelta(minutes=2)
    machine.restarts()
    machine.jumps(-30 * 86_400)
    clock = SystemClock(Kept(tmp_path / ANCHOR_FILE), machine)
    clock.tend(newest)
    assert (code(clock), clock.now()) == ("clock.before_log", newest)
    machine.passes(60)
    machine.is_set_right()
    clock.tend(newest)
    assert (code(clock), clock.now()) == ("", machine.truth)


def test_a_log_of_the_future_is_waited_for_and_never_gone_behind() -> None:
    machine = SetMachine(NOON)
    clock = SystemClock(Kept(), machine)
    newest = NOON + timedelta(minutes=12)
    clock.tend(newest)
    assert clock.span() == Span.over(newest, NOON) and code(clock) == "clock.before_log"
    machine.passes(12 * 60)
    clock.tend(newest)
    assert (clock.span(), code(clock)) == (Span.at(machine.truth), "")


def test_small_corrections_move_the_anchor_as_slowly_as_a_clock_is_slewed() -> None:
    """Half a second once an hour is followed for ever; the same each minute is a jump in steps, and seen as one."""
    machine = SetMachine(NOON)
    clock = SystemClock(Kept(), machine)

    def hour(step: float, every: int) -> None:
        for minute in range(60):
            if minute % every == 0:
                machine.jumps(step)
            machine.passes(60)
            clock.tend(None)

    for _ in range(30):
        hour(0.5, 60)
        assert code(clock) == ""
    hour(0.5, 1)
    assert code(clock) == "clock.apart"


def test_the_real_machine_agrees_with_itself(tmp_path: Path) -> None:
    clock, machine = of_folder(tmp_path), Machine()
    wall, steady = machine.read()
    assert abs(steady_ns() - steady) < 60 * SECOND and abs(wall - machine.wall_ns()) < 60 * SECOND
    first = clock.now()
    assert code(clock) == "" and first <= clock.now() < first + timedelta(seconds=60)


def test_a_process_that_was_stopped_between_two_readings_reads_again() -> None:
    class Stopped(SetMachine):
        calls = itertools.count()

        def wall_ns(self) -> int:
            if next(self.calls) == 3:
                self.passes(30)
            return super().wall_ns()

    machine = Stopped(NOON)
    clock = SystemClock(Kept(), machine)
    assert [code(clock) for _ in range(8)] == [""] * 8


# --- histories --------------------------------------------------------------------------------------------------------

# Jumps that together are less than two seconds are left out: those are followed, as slowly as a clock is slewed (above).
EVENTS = st.one_of(
    st.tuples(st.just("passes"), st.sampled_from([0.01, 1, 4, 30, 600, 7200])),
    st.tuples(st.just("jumps"), st.sampled_from([-86_400, -3600, -720, -3, 3, 720, 3600, 86_400])),
    st.tuples(st.just("is_set_right"), st.sampled_from([-0.4, 0, 0.4])),
    st.tuples(st.just("sleeps"), st.sampled_from([5, 3600])),
    st.tuples(st.just("freezes"), st.just(0)),
    st.tuples(st.just("starts"), st.just(0)),
)


def history(folder: Path, events: list[tuple[str, Any]], deadline_in: float) -> None:
    """What is certain is right, what is not lies within the span, and no moment comes before an earlier one."""
    machine = SetMachine(NOON)
    path = folder / ANCHOR_FILE
    path.unlink(missing_ok=True)
    clock, deadline = SystemClock(Kept(path), machine), NOON + timedelta(seconds=deadline_in)
    before, newest = clock.now(), None
    for what, by in [*events, ("is_set_right", 0), ("passes", 2)]:
        if what == "freezes":
            machine.frozen = True
        elif what == "starts":
            clock = SystemClock(Kept(path), machine)
            before = clock.now()
        else:
            getattr(machine, what)(by)
        clock.tend(newest)
        span, truth = clock.span(), machine.truth
        assert span.moment >= before and span.first <= span.moment <= span.last
        assert span.first - OFF <= truth <= span.last + OFF
        assert abs(span.moment - truth) <= OFF
        if clock.doubt() is None:
            newest = span.moment  # what a tick would be sealed at
        if span.last < deadline:
            assert truth < deadline + OFF
        if span.first >= deadline:
            assert truth >= deadline - OFF
        before = span.moment
    assert clock.doubt() is None


HISTORIES = given(events=st.lists(EVENTS, min_size=4, max_size=20), deadline_in=st.sampled_from([5, 300, 5000, 90_000]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("anchor")


@pytest.mark.promise("R7")
def test_whatever_the_wall_clock_does(folder: Path) -> None:
    settings(max_examples=300)(HISTORIES(lambda events, deadline_in: history(folder, events, deadline_in)))()


@pytest.mark.long
@pytest.mark.promise("R7")
def test_whatever_the_wall_clock_does_at_length(folder: Path) -> None:
    settings(max_examples=6000)(HISTORIES(lambda events, deadline_in: history(folder, events, deadline_in)))()
