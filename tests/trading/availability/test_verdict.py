"""The availability verdict against its golden vectors, worked out by hand, and what it may not know."""

from __future__ import annotations

import ast
import inspect
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from trading.availability import verdict
from trading.availability.verdict import Duty, Sample, Settled
from trading.kernel.calendar import BEIJING, packaged_calendar

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "availability.json").read_text(encoding="utf-8")
)
TERMS = verdict.terms_on(date(2026, 3, 1))
MINUTE = timedelta(minutes=1)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING).astimezone(UTC)


def minutes_of(ranges: list[str]) -> list[datetime]:
    found = []
    for one in ranges:
        first, _, count = one.rpartition("/")
        found += [moment(first) + n * MINUTE for n in range(int(count))]
    return found


def test_there_are_thirty_golden_vectors() -> None:
    assert len(VECTORS["verdicts"]) >= 30 and len({one["name"] for one in VECTORS["verdicts"]}) == len(
        VECTORS["verdicts"]
    )


@pytest.mark.parametrize("case", VECTORS["verdicts"], ids=lambda case: case["name"])
def test_a_verdict_is_the_one_worked_out_by_hand(case: dict[str, Any]) -> None:
    previous = [Settled(moment(one["counted_until"]), one["extended"]) for one in case["previous"]]
    bad, now, deadline = minutes_of(case["bad"]), moment(case["now"]), moment(case["deadline"])
    found = verdict.judge(bad, now, deadline, previous, terms=TERMS, calendar=packaged_calendar())
    assert (found.kind, found.until) == (case["kind"], moment(case["until"]) if case["until"] else None), case["why"]
    # and the same from samples: one point on duty, which succeeds just in the good minutes
    begins, ends = deadline - TERMS.span, verdict.judged_until(now, TERMS)
    samples = [
        Sample("inside", at, 200, True)
        for minute in every(begins, ends)
        if minute not in bad
        for at in (minute + timedelta(seconds=10 * n) for n in range(6))
    ]
    again = verdict.verdict(
        samples,
        now,
        deadline,
        previous,
        duties=[Duty("inside", begins - MINUTE)],
        terms=TERMS,
        calendar=packaged_calendar(),
    )
    assert again == found


def every(begins: datetime, ends: datetime) -> list[datetime]:
    return [begins + n * MINUTE for n in range(max(0, (ends - begins) // MINUTE))]


@pytest.mark.parametrize("case", VECTORS["minutes"], ids=lambda case: case["name"])
def test_a_minute_is_bad_when_more_than_half_of_its_probes_are(case: dict[str, Any]) -> None:
    minute = moment("2026-03-24 09:00")
    took = {"G": (150, True), "F": (150, False), "S": (30_001, True), "T": (30_000, True)}
    samples = [
        Sample(point, minute + timedelta(seconds=10 * at), *took[mark])
        for point, marks in case["points"].items()
        for at, mark in enumerate(marks)
        if mark != "."
    ]
    duties = [Duty(point, minute - MINUTE) for point in case["points"]]
    assert bool(verdict.bad_minutes(samples, duties, minute, minute + MINUTE, TERMS)) is case["bad"], case["why"]


def test_what_nobody_was_on_duty_for_is_unmeasured_and_not_bad() -> None:
    minute = moment("2026-03-24 09:00")
    late = [Duty("inside", minute + timedelta(seconds=1))]
    assert verdict.bad_minutes([], late, minute, minute + 2 * MINUTE, TERMS) == (minute + MINUTE,)
    assert verdict.unmeasured(late, minute, minute + 2 * MINUTE) == 1
    gone = [Duty("inside", minute - MINUTE, minute + MINUTE)]
    assert verdict.bad_minutes([], gone, minute, minute + 3 * MINUTE, TERMS) == (minute,)
    assert verdict.unmeasured(gone, minute, minute + 3 * MINUTE) == 2


def test_samples_of_strangers_and_second_samples_of_a_slot_heal_nothing() -> None:
    minute = moment("2026-03-24 09:00")
    duties = [Duty("inside", minute - MINUTE)]
    ours = [Sample("inside", minute + timedelta(seconds=n), 100, True) for n in range(10)]  # ten of one slot are one
    strangers = [Sample("elsewhere", minute + timedelta(seconds=10 * n), 100, True) for n in range(6)]
    assert verdict.bad_minutes(ours + strangers, duties, minute, minute + MINUTE, TERMS) == (minute,)


def test_the_verdict_can_know_nothing_of_bids() -> None:
    """Blind by construction: the module reaches for nothing but the calendar and the clock's small words."""
    tree = ast.parse(inspect.getsource(verdict))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name for name in imported if name and name.startswith("trading")} == {
        "trading.kernel.calendar",
        "trading.kernel.clock",
    }
    names = set(inspect.signature(verdict.verdict).parameters)
    assert names == {"samples", "now", "deadline", "previous", "duties", "terms", "calendar"}


def test_the_numbers_are_dated_and_those_of_the_promise() -> None:
    assert TERMS == verdict.terms_on(date(2019, 1, 1))  # before the first row, the first
    assert (TERMS.windows, TERMS.least, TERMS.factor, TERMS.ahead, TERMS.most) == (
        ((10, 1), (60, 5), (240, 15)),
        60,
        2,
        120,
        2,
    )
    assert TERMS.span == timedelta(hours=4) and TERMS.each == 6 and TERMS.follow == 120
