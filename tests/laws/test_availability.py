"""The laws of the availability verdict on random histories: the same samples, the same verdict; never shorter; one more bad minute, never
less; order and company of the samples do not matter. ``make deadline`` runs 100 000 of each."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from trading.availability import verdict as availability
from trading.availability.verdict import KINDS, Duty, Sample, Settled, Verdict
from trading.kernel.calendar import BEIJING, packaged_calendar

TERMS = availability.terms_on(date(2026, 3, 1))
CALENDAR = packaged_calendar()
MINUTE = timedelta(minutes=1)
FIRST = datetime(2026, 1, 5, tzinfo=UTC)
EXAMPLES = 300 if __name__ != "__main__" else int(sys.argv[1])

deadlines = st.integers(0, 350 * 24 * 2).map(lambda n: FIRST + n * timedelta(minutes=30))
offsets = st.integers(-250, 90)
"""A minute by its distance from the deadline."""
runs = st.lists(st.tuples(offsets, st.integers(1, 40)), max_size=6)


@st.composite
def histories(draw: st.DrawFn) -> tuple[set[datetime], datetime, datetime, list[Settled]]:
    """(bad minutes, now, deadline, what was settled before)."""
    deadline = draw(deadlines)
    bad = {deadline + (first + n) * MINUTE for first, count in draw(runs) for n in range(count)}
    now = deadline + timedelta(seconds=draw(st.integers(-250 * 60, 200 * 60)))
    previous = [
        Settled(deadline + at * MINUTE, extended)
        for at, extended in draw(st.lists(st.tuples(offsets, st.booleans()), max_size=3))
    ]
    return bad, now, deadline, previous


def judge(bad: set[datetime], now: datetime, deadline: datetime, previous: list[Settled]) -> Verdict:
    return availability.judge(bad, now, deadline, previous, terms=TERMS, calendar=CALENDAR)


@settings(max_examples=EXAMPLES, deadline=None)
@given(histories(), offsets)
def test_never_shorter_and_one_more_bad_minute_never_gives_less(
    history: tuple[set[datetime], datetime, datetime, list[Settled]],
    more: int,
) -> None:
    bad, now, deadline, previous = history
    found = judge(bad, now, deadline, previous)
    assert found == availability.judge(
        sorted(bad, reverse=True), now, deadline, previous[::-1], terms=TERMS, calendar=CALENDAR
    )
    if found.kind == "none":
        assert found.until is None
    else:
        assert found.until is not None and found.ended is not None
        assert found.until >= deadline + timedelta(minutes=TERMS.least) and found.until >= now + timedelta(
            minutes=TERMS.ahead
        )
        assert found.until >= max(deadline, found.ended) + TERMS.factor * len(found.bad) * MINUTE
        local = found.until.astimezone(BEIJING)
        assert (
            local.minute % 30 == 0
            and TERMS.hours[0] <= local.time() <= TERMS.hours[1]
            and CALENDAR.is_working_day(local.date())
        )
        if found.kind == "extend":
            assert not found.lasting and sum(one.extended for one in previous) < TERMS.most
    worse = judge(bad | {deadline + more * MINUTE}, now, deadline, previous)
    assert KINDS.index(worse.kind) >= KINDS.index(found.kind)
    assert found.until is None or (worse.until is not None and worse.until >= found.until)


points = st.lists(st.sampled_from(["inside", "north", "south"]), min_size=1, max_size=3, unique=True)


@settings(max_examples=EXAMPLES // 3 if EXAMPLES < 1000 else EXAMPLES, deadline=None)
@given(
    points,
    st.lists(
        st.tuples(
            st.integers(0, 71),
            st.sampled_from(["inside", "north", "south", "stranger"]),
            st.booleans(),
            st.sampled_from([90, 29_999, 30_000, 30_001]),
        ),
        max_size=120,
    ),
    st.randoms(use_true_random=False),
)
def test_samples_give_the_same_whatever_their_order_and_a_good_one_taken_away_never_gives_less(
    on_duty: list[str],
    told: list[tuple[int, str, bool, int]],
    random: object,
) -> None:
    deadline = FIRST + timedelta(hours=2)
    begins = deadline - 12 * MINUTE
    samples = [Sample(point, begins + timedelta(seconds=10 * slot), ms, ok) for slot, point, ok, ms in told]
    duties = [Duty(point, begins - timedelta(hours=9)) for point in on_duty]

    def verdict(some: list[Sample]) -> Verdict:
        return availability.verdict(
            some, deadline + 2 * MINUTE, deadline, duties=duties, terms=TERMS, calendar=CALENDAR
        )

    found = verdict(samples)
    mixed = list(samples)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert verdict(mixed + mixed) == found
    if samples:
        fewer = verdict(samples[:-1])
        assert set(found.bad) <= set(fewer.bad)
        assert KINDS.index(fewer.kind) >= KINDS.index(found.kind)


if __name__ == "__main__":
    for law in (
        test_never_shorter_and_one_more_bad_minute_never_gives_less,
        test_samples_give_the_same_whatever_their_order_and_a_good_one_taken_away_never_gives_less,
    ):
        law()
        sys.stdout.write(f"{EXAMPLES} histories: {law.__name__}\n")
