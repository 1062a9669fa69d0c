"""Prompts to look again: what five who agree are spared, what one far off gets, and whether the ranking hangs on it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from evaluation.methods.expert_scores import outliers
from evaluation.scoring import flags, outcome
from tests.evaluation.scoring.test_outcome import example, points

THIRD = Fraction(30, 100)
members = st.dictionaries(st.integers(1, 9).map(str), points, min_size=2, max_size=9)
shares = st.integers(1, 100).map(lambda percent: Fraction(percent, 1000))


def seats(scores: dict[str, Fraction], share: Fraction = THIRD) -> list[str]:
    return flags.far_off(scores, Fraction(40), share).flagged


def test_five_who_agree_are_not_flagged_however_small_the_share() -> None:
    """A share of 0.3 percent once flagged all five of five at 28.5 to 31.5 of 40."""
    given_ = {str(no): Fraction(text) for no, text in enumerate(("28.5", "29.5", "30.5", "31.5", "28.5"), start=1)}
    assert len(outliers(given_, Fraction(3, 1000)).flagged) == 5
    assert seats(given_, Fraction(3, 1000)) == []


def test_a_single_point_where_the_others_gave_none_is_no_prompt() -> None:
    scores = {"1": Fraction(1), "2": Fraction(0), "3": Fraction(0)}
    assert "1" in outliers(scores).flagged and seats(scores) == []


def test_one_far_off_does_not_flag_those_who_agree() -> None:
    """The mean of the others, drawn down by the one, is more than 30 percent off for two who agree with the rest."""
    scores = {str(no): Fraction(text) for no, text in enumerate(("31.5", "32.5", "30.5", "5", "32.5"), start=1)}
    assert outliers(scores).flagged == ["2", "4", "5"] and seats(scores) == ["4"]


@given(members, points, shares)
def test_only_the_one_far_off_is_flagged_among_three_or_more(
    scores: dict[str, Fraction], far: Fraction, share: Fraction
) -> None:
    within = {member: 30 + score / 10 for member, score in scores.items()}
    assert set(seats(within | {"far": far}, share)) <= {"far"} or len(within) < 2


def test_the_example_of_the_rulebook_is_flagged_as_before() -> None:
    scores = {f"E{no}": Fraction(value) for no, value in enumerate((30, 31, 29, 12, 32), start=1)}  # EX-OUT-01
    assert seats(scores) == outliers(scores).flagged == ["E4"]


@given(members, shares)
def test_nobody_is_flagged_where_all_lie_within_a_step(scores: dict[str, Fraction], share: Fraction) -> None:
    low = min(scores.values())
    within = {member: low + (score - low) / 10 for member, score in scores.items()}  # of 40 points: a step is 4
    assert seats(within, share) == []


@given(members, shares)
def test_a_flag_is_an_outlier_more_than_a_step_away_and_order_does_not_matter(
    scores: dict[str, Fraction], share: Fraction
) -> None:
    found = seats(scores, share)
    assert set(found) <= set(outliers(scores, share).flagged)
    assert found == seats(dict(reversed(scores.items())), share)
    for member in found:
        others = [score for other, score in scores.items() if other != member]
        assert abs(scores[member] - sum(others, Fraction(0)) / len(others)) > 4


@given(members)
def test_a_higher_share_never_flags_more(scores: dict[str, Fraction]) -> None:
    assert set(seats(scores, Fraction(1, 2))) <= set(seats(scores, THIRD))


def test_a_flag_tells_how_far_and_whether_the_rank_changes() -> None:
    inputs = example()
    inputs.scores[4]["A"]["plan"] = Fraction(12)  # type: ignore[index]
    (found,) = flags.flags(inputs)
    assert found.key == ("A", "plan", 4)
    assert [str(one) for one in (found.others, found.far, found.of_most, found.deviation)] == [
        "25",
        "-13",
        "65/2",
        "52",
    ]
    effect = found.effect
    assert effect is not None
    # A: 40 + (25 + 26 + 24 + 12 + 25) / 5 + 20 = 82.40 behind B's 84.80; with the others' mean 85.00 and first.
    assert (effect.total, effect.total_then) == (Fraction("82.4"), Fraction(85)) and (
        effect.rank,
        effect.rank_then,
    ) == (2, 1)
    assert effect.moved == ("A", "B")


def test_a_flag_that_moves_nobody_says_so() -> None:
    inputs = example()
    inputs.scores[4]["C"]["plan"] = Fraction(9)  # type: ignore[index]
    (found,) = flags.flags(inputs)
    assert found.effect is not None and found.effect.moved == () and found.effect.total < found.effect.total_then


def test_without_prices_the_effect_is_left_open() -> None:
    inputs = example(bids=[replace(bid, quote=None) for bid in example().bids])
    inputs.scores[4]["A"]["plan"] = Fraction(12)  # type: ignore[index]
    assert [one.effect for one in flags.flags(inputs)] == [None]
    assert [one.effect for one in flags.flags(inputs, priced=False)] == [None]


def test_standing_is_the_outcome_without_its_lines() -> None:
    found, told = outcome.outcome(example()), outcome.standing(example())
    assert {one["bidder"]: (Fraction(one["total"]), one["rank"]) for one in found["bids"]} == {
        code: (told.totals[code], told.ranks[code]) for code in told.totals
    }


def test_how_often_is_counted_from_a_reports_own_facts() -> None:
    inputs = example()
    inputs.scores[4]["A"]["plan"] = Fraction(12)  # type: ignore[index]
    facts = outcome.outcome(inputs)
    assert flags.counted(facts, inputs.scheme.outlier) == (1, 15)  # three bids, five members, one subjective item
    assert flags.counted(facts, Fraction(99, 100)) == (0, 15)
