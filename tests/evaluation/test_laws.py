"""Laws of scoring: order does not matter, money units do not matter, and every result equals a second, plainer reckoning."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise, permutations
from typing import TypeVar

from hypothesis import assume, given
from hypothesis import strategies as st

from evaluation.collusion.devices import CLUE, DEEMED, shared_devices
from evaluation.collusion.payers import shared_payers
from evaluation.collusion.prices import price_pattern
from evaluation.methods import corrections, expert_scores, ranking, works_prices, works_reviews
from evaluation.methods.abnormal_prices import abnormally_low
from evaluation.methods.price_scores import RoundPlace, comprehensive_score, domestic_rates, low_price_first
from evaluation.methods.works_prices import (
    BenchmarkScheme,
    ControlPrice,
    DropRule,
    Factor,
    Mix,
    TwoWeights,
    WarningLine,
)
from trading.kernel.exact import BadValue, Rounding, rounded

T = TypeVar("T")

fen = st.integers(1, 10**11).map(lambda n: Fraction(n, 100))
points = st.integers(0, 10_000).map(lambda n: Fraction(n, 100))
rates = st.integers(0, 99).map(lambda n: Fraction(n, 100))
ids = st.text("ABCDEFGHJK", min_size=1, max_size=3)
quotes = st.dictionaries(ids, fen, min_size=1, max_size=12)
close_quotes = st.dictionaries(ids, st.integers(1, 12).map(Fraction), min_size=1, max_size=14)
weights = st.integers(0, 100).map(Fraction)
scales = st.fractions(Fraction(1, 1000), 1000).filter(lambda k: k > 0)
modes = st.sampled_from(Rounding)


def turned(mapping: Mapping[str, T]) -> dict[str, T]:
    """The same mapping, told in the opposite order."""
    return dict(reversed(list(mapping.items())))


# --- low price first --------------------------------------------------------------------------------------------------


@given(quotes, weights, st.data(), modes, st.sampled_from(RoundPlace))
def test_low_price_first_does_not_depend_on_order(
    prices: dict[str, Fraction], weight: Fraction, data: st.DataObject, mode: Rounding, place: RoundPlace
) -> None:
    deducted = data.draw(st.dictionaries(st.sampled_from(sorted(prices)), rates))
    invalid = data.draw(st.sets(st.sampled_from(sorted(prices))))
    first = low_price_first(prices, weight, deduction_rates=deducted, invalid=invalid, mode=mode, round_place=place)
    again = low_price_first(
        turned(prices),
        weight,
        deduction_rates=turned(deducted),
        invalid=sorted(invalid),
        mode=mode,
        round_place=place,
    )
    assert first == again
    assert set(first.points) == set(prices) - invalid
    if first.points:
        best = min(first.evaluated, key=lambda bidder: first.evaluated[bidder])
        assert first.points[best] == rounded(weight, 2, mode)
        assert all(0 <= value <= weight for value in first.points.values())


@given(quotes, weights, scales)
def test_low_price_first_does_not_depend_on_the_unit_of_money(
    prices: dict[str, Fraction], weight: Fraction, scale: Fraction
) -> None:
    scaled = {bidder: quote * scale for bidder, quote in prices.items()}
    assert low_price_first(scaled, weight).points == low_price_first(prices, weight).points


@given(quotes, weights)
def test_low_price_first_against_whole_numbers(prices: dict[str, Fraction], weight: Fraction) -> None:
    """points = round_half_up(lowest x weight / quote, 2), reckoned in integers only."""
    in_fen = {bidder: int(quote * 100) for bidder, quote in prices.items()}
    lowest = min(in_fen.values())
    expected = {bidder: (2 * lowest * int(weight) * 100 + quote) // (2 * quote) for bidder, quote in in_fen.items()}
    assert {bidder: value * 100 for bidder, value in low_price_first(prices, weight).points.items()} == expected


@given(quotes, weights)
def test_a_cheaper_bid_never_gets_fewer_points(prices: dict[str, Fraction], weight: Fraction) -> None:
    found = low_price_first(prices, weight).points
    ordered = sorted(prices, key=lambda bidder: prices[bidder])
    assert all(found[low] >= found[high] for low, high in pairwise(ordered))


@given(st.dictionaries(ids, rates, max_size=6), st.sets(ids, max_size=6))
def test_domestic_rates_need_both_kinds(given_rates: dict[str, Fraction], bidders: set[str]) -> None:
    from datetime import date

    found = domestic_rates(bidders, given_rates, date(2026, 1, 1))
    with_one = {bidder for bidder in bidders if given_rates.get(bidder)}
    assert set(found) == (with_one if with_one and bidders - with_one else set())
    assert domestic_rates(bidders, given_rates, date(2025, 12, 31)) == {}


# --- comprehensive score and ranking ------------------------------------------------------------------------------------


@given(quotes, st.integers(1, 9), st.data())
def test_the_comprehensive_score_does_not_depend_on_the_order_of_bids_or_experts(
    prices: dict[str, Fraction], members: int, data: st.DataObject
) -> None:
    given_points = {bidder: data.draw(st.lists(points, min_size=members, max_size=members)) for bidder in prices}
    objective = {bidder: data.draw(points) for bidder in prices}
    first = comprehensive_score(prices, Fraction(40), given_points, objective)
    again = comprehensive_score(
        turned(prices), Fraction(40), {b: p[::-1] for b, p in turned(given_points).items()}, turned(objective)
    )
    assert first == again
    for bidder in prices:
        assert first.totals[bidder] == first.subjective[bidder] + objective[bidder] + first.price.points[bidder]
        assert first.totals[bidder] * 100 == int(first.totals[bidder] * 100)  # a sum of what people see


keys = st.dictionaries(ids, st.tuples(st.integers(0, 3).map(Fraction), st.integers(0, 3).map(Fraction)), max_size=9)


@given(keys)
def test_a_rank_is_one_more_than_the_number_of_better_bids(given_keys: dict[str, tuple[Fraction, ...]]) -> None:
    found = ranking.rank(given_keys)
    assert found == ranking.rank(turned(given_keys))
    assert found.ranks == {
        bidder: 1 + sum(other < key for other in given_keys.values()) for bidder, key in given_keys.items()
    }
    assert sorted(bidder for group in found.order for bidder in group) == sorted(given_keys)
    first = [bidder for bidder, place in found.ranks.items() if place == 1]
    assert found.winner == (first[0] if len(first) == 1 else None)


@given(
    st.dictionaries(ids, st.tuples(st.sampled_from("XYZ"), st.integers(1, 4).map(Fraction)), min_size=1, max_size=10)
)
def test_a_brand_is_one_bidder_at_most(bids: dict[str, tuple[str, Fraction]]) -> None:
    found = ranking.one_per_brand(
        {b: brand for b, (brand, _) in bids.items()}, {b: price for b, (_, price) in bids.items()}
    )
    brand_of = {bidder: brand for bidder, (brand, _) in bids.items()}
    assert sorted([*found.heads, *found.others, *(bidder for group in found.draws for bidder in group)]) == sorted(bids)
    assert len(found.heads) + len(found.draws) == found.brand_count == len(set(brand_of.values()))
    assert len({brand_of[bidder] for bidder in found.heads}) == len(found.heads)


# --- works ----------------------------------------------------------------------------------------------------------------


def scheme(data: st.DataObject, scale: Fraction = Fraction(1)) -> BenchmarkScheme:
    share = data.draw(st.integers(0, 100).map(lambda n: Fraction(n, 100)), "share")
    near_one = Fraction(data.draw(st.integers(80, 120), "k"), 100)
    control = data.draw(st.integers(1, 12).map(Fraction), "control") * scale
    mix = data.draw(st.integers(0, 3), "mix")
    low, high = sorted(data.draw(st.tuples(st.integers(0, 12), st.integers(0, 12)), "range"))
    mixes: list[Mix] = [
        Factor(near_one),
        WarningLine(control, share),
        TwoWeights(control, near_one, near_one, share),
        ControlPrice(control, near_one, share),
    ]
    return BenchmarkScheme(
        full_points=Fraction(60),
        above=Fraction(2),
        below=Fraction(1),
        drop_rule=data.draw(st.sampled_from(DropRule), "drop"),
        mix=mixes[mix],
        price_range=data.draw(st.sampled_from([None, (low * scale, high * scale)]), "limited"),
        deviation_places=data.draw(st.sampled_from([None, 2]), "places"),
    )


@given(close_quotes, st.data())
def test_the_benchmark_does_not_depend_on_order(prices: dict[str, Fraction], data: st.DataObject) -> None:
    how = scheme(data)
    try:
        first = works_prices.benchmark_deviation(prices, how)
    except BadValue as refused:
        assert refused.code == "no_quote_in_mean"
        assert how.price_range is not None and not isinstance(how.mix, ControlPrice)
        return
    assert first == works_prices.benchmark_deviation(turned(prices), how)
    assert set(first.points) == set(prices)
    assert all(0 <= value <= 60 for value in first.points.values())
    inside = sorted(
        p for p in prices.values() if how.price_range is None or how.price_range[0] <= p <= how.price_range[1]
    )
    assert inside[first.dropped_low : len(inside) - first.dropped_high] == first.mean_members
    assert not inside or first.mean_members  # no rule drops everything


@given(close_quotes, st.data(), scales)
def test_the_benchmark_does_not_depend_on_the_unit_of_money(
    prices: dict[str, Fraction], data: st.DataObject, scale: Fraction
) -> None:
    factor = Fraction(data.draw(st.integers(80, 120)), 100)
    control = Fraction(data.draw(st.integers(1, 12)))
    rule = data.draw(st.sampled_from(DropRule))

    def found(by: Fraction) -> works_prices.BenchmarkScores:
        how = BenchmarkScheme(Fraction(60), Fraction(2), Fraction(1), rule, ControlPrice(control * by, factor, Fraction(1, 3)),
                              price_range=(control * by / 2, control * by * 2))  # fmt: skip
        return works_prices.benchmark_deviation({bidder: quote * by for bidder, quote in prices.items()}, how)

    one, other = found(Fraction(1)), found(scale)
    assert (one.points, one.deviation_pct) == (other.points, other.deviation_pct)
    assert one.benchmark is not None and other.benchmark == one.benchmark * scale


@given(st.lists(st.integers(1, 6).map(Fraction), min_size=7, max_size=30))
def test_kept_edge_ties_leave_no_equal_quote_on_both_sides(prices: list[Fraction]) -> None:
    ordered = sorted(prices)
    high, low = works_prices.drops(ordered, DropRule.FIFTH_KEEP_EDGE_TIES)
    most = (2 * len(ordered) + 5) // 10  # 0.2 n, half up, in whole numbers
    assert 0 <= high <= most and 0 <= low <= most
    if high:
        assert ordered[-high] > ordered[-high - 1]
    if low:
        assert ordered[low - 1] < ordered[low]
    # No more could be dropped: every larger number up to `most` cuts through equal quotes.
    assert all(ordered[-k] == ordered[-k - 1] for k in range(high + 1, most + 1))
    assert all(ordered[k - 1] == ordered[k] for k in range(low + 1, most + 1))


@given(st.dictionaries(ids, rates, min_size=1, max_size=9))
def test_discount_rates(given_rates: dict[str, Fraction]) -> None:
    found = works_reviews.down_rate(given_rates, Fraction(40), Fraction(4, 10))
    assert found == works_reviews.down_rate(turned(given_rates), Fraction(40), Fraction(4, 10))
    above = sorted(value for value in given_rates.values() if value > found.benchmark)
    assert [given_rates[b] for b in found.full_mark_bidders] == [v for v in above if v == above[0]]
    assert all(0 <= value <= 40 for value in found.points.values())


@given(st.dictionaries(ids, st.tuples(fen, st.integers(0, 100), st.integers(-100, 100)), min_size=1, max_size=8))
def test_the_lowest_reviewed_price_wins(rows: dict[str, tuple[Fraction, int, int]]) -> None:
    bids = {bidder: works_reviews.WorksBid(quote, Fraction(a), Fraction(b)) for bidder, (quote, a, b) in rows.items()}
    found = works_reviews.lowest_reviewed_price(bids)
    assert {bids[bidder].reviewed for bidder in found.order[0]} == {min(bid.reviewed for bid in bids.values())}


# --- experts ----------------------------------------------------------------------------------------------------------------


@given(st.lists(points, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_trimming_does_not_depend_on_the_order_of_members(scores: list[Fraction], shuffle: object) -> None:
    other = scores[:]
    shuffle.shuffle(other)  # type: ignore[attr-defined]
    assert expert_scores.trimmed(scores) == expert_scores.trimmed(other)
    left, dropped = expert_scores.trimmed(scores)
    assert sorted(left + dropped) == sorted(scores)
    assert len(dropped) == (2 if len(scores) >= 7 else 0)
    assert all(min(dropped) <= score <= max(dropped) for score in left if dropped)


@given(st.lists(st.lists(st.integers(0, 9).map(Fraction), min_size=3, max_size=3), min_size=9, max_size=9))
def test_nine_members(rows: list[list[Fraction]]) -> None:
    members = {f"E{position}": row for position, row in enumerate(rows)}
    found = expert_scores.trimmed_mean_of_nine(members)
    assert found == expert_scores.trimmed_mean_of_nine(turned(members))
    widest = max(found.spread.values())
    assert (found.dropped_member is None) == bool(found.draw_required) == (found.means is None)
    named = found.draw_required or [found.dropped_member or "nobody"]
    assert all(found.spread[member] == widest for member in named)
    if found.means is not None:
        left = [row for member, row in members.items() if member != found.dropped_member]
        for column, average in enumerate(found.means):
            scores = [row[column] for row in left]
            assert average * 6 == sum(scores) - min(scores) - max(scores)


@given(st.dictionaries(ids, points, min_size=2, max_size=9), rates.filter(bool), scales)
def test_outliers_do_not_depend_on_order_or_scale(
    scores: dict[str, Fraction], threshold: Fraction, scale: Fraction
) -> None:
    found = expert_scores.outliers(scores, threshold)
    scaled = expert_scores.outliers({m: s * scale for m, s in turned(scores).items()}, threshold)
    assert (found.flagged, found.deviation_pct) == (scaled.flagged, scaled.deviation_pct)
    assert set(found.flagged) <= set(expert_scores.outliers(scores, threshold, or_equal=True).flagged)


# --- abnormal prices, corrections, clues ----------------------------------------------------------------------------------


@given(quotes, fen, scales)
def test_abnormal_prices(prices: dict[str, Fraction], ceiling: Fraction, scale: Fraction) -> None:
    found = abnormally_low(prices, ceiling)
    scaled = abnormally_low({bidder: quote * scale for bidder, quote in turned(prices).items()}, ceiling * scale)
    assert found.triggers == scaled.triggers
    lines = {"mean": found.mean_line, "second_lowest": found.second_lowest_line, "ceiling": found.ceiling_line}
    for bidder, quote in prices.items():
        assert found.triggers[bidder] == [name for name, line in lines.items() if line is not None and quote < line]
    assert (found.second_lowest_line is None) == (len(prices) == 1)


@given(st.integers(0, 10**18 - 1) | st.integers(0, 10**7))
def test_words_are_read_back(amount_in_fen: int) -> None:
    value = Fraction(amount_in_fen, 100)
    words = corrections.amount_in_words(value)
    assert corrections.words_value(words) == value
    assert corrections.words_value(words.replace("元", "圆").replace("整", "正")) == value
    assert corrections.words_value(words.removesuffix("整")) == value
    if value:
        assert corrections.words_value(words.replace("零", "")) == value
        assert corrections.words_value("零".join(words)) == value


def by_the_rule(n: int) -> str:
    """The whole yuan as the rule's own recursion says them, written down a second time."""
    for unit, word in ((10**8, "亿"), (10**4, "万")):
        if n >= unit:
            rest = n % unit
            return (
                by_the_rule(n // unit)
                + word
                + (("零" if rest < unit // 10 else "") + by_the_rule(rest) if rest else "")
            )
    digits = [("零壹贰叁肆伍陆柒捌玖"[int(d)], unit) for d, unit in zip(f"{n:04}", "仟佰拾 ", strict=True)]
    text = "".join("零" if digit == "零" else digit + unit for digit, unit in digits).replace(" ", "")
    while "零零" in text:
        text = text.replace("零零", "零")
    return text.strip("零")


@given(st.integers(1, 10**16 - 1) | st.integers(1, 10**9).map(lambda n: n * 10**6) | st.integers(1, 20_000))
def test_words_against_the_rule(yuan: int) -> None:
    assert corrections.amount_in_words(Fraction(yuan)) == by_the_rule(yuan) + "元整"


@given(st.text("壹贰拾佰仟万亿元角分整零", max_size=12))
def test_words_that_are_taken_are_the_words_of_their_value(words: str) -> None:
    try:
        value = corrections.words_value(words)
    except BadValue as refused:
        assert refused.code == "bad_words"
        return
    canonical = corrections.amount_in_words(value)
    assert words.removesuffix("整").replace("零", "") == canonical.removesuffix("整").replace("零", "")


@given(st.integers(1, 10**6), st.integers(0, 1000), st.integers(4, 9), st.randoms(use_true_random=False))
def test_equal_steps_are_found(start: int, step: int, n: int, shuffle: object) -> None:
    row = [Fraction(start + step * k) for k in range(n)]
    shuffle.shuffle(row)  # type: ignore[attr-defined]
    found = price_pattern(row)
    assert found.equal_difference
    assert found.equal_ratio == (step == 0)


@given(fen, st.fractions(1, 3).filter(lambda q: q > 1), st.integers(4, 9))
def test_equal_quotients_are_found_exactly(start: Fraction, quotient: Fraction, n: int) -> None:
    row = [start * quotient**k for k in range(n)]
    assert price_pattern(row).equal_ratio
    row[0] += Fraction(1, 10**30)
    assert not price_pattern(row).equal_ratio


marks = st.fixed_dictionaries({name: st.sampled_from([None, "-", "x", "y"]) for name in ("mac", "cpu", "disk")})


@given(st.dictionaries(ids, marks, min_size=1, max_size=7))
def test_devices_pair_by_pair(bids: dict[str, dict[str, str | None]]) -> None:
    found = shared_devices(bids)
    assert found == shared_devices(turned(bids))
    expected = {}
    for first, second in permutations(sorted(bids), 2):
        shared = sum(bids[first][name] == bids[second][name] not in (None, "-") for name in ("mac", "cpu", "disk"))
        if first < second and shared:
            expected[first, second] = DEEMED if shared == 3 else CLUE
    assert found.severity == expected
    for name, group in found.single_field_only:
        assert len({bids[bidder][name] for bidder in group}) == 1
        assert any(found.severity[a, b] == CLUE for a, b in permutations(group, 2) if a < b)


@given(st.lists(st.tuples(ids, st.sampled_from(["", None, "1", "2", "3"])), max_size=12))
def test_payers(rows: list[tuple[str, str | None]]) -> None:
    found = shared_payers(rows)
    assert found == shared_payers(reversed(rows))
    assume(found)
    for group in found:
        assert len(group) >= 2
        assert any({b for b, a in rows if a == account} == set(group) for account in ("1", "2", "3"))
