"""The statistics rules: the worked vectors, what enters and what stays out, and malformed rows."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trading.vectors import agree, vectors
from trading.kernel.exact import BadValue
from trading.reports.statistics import METHODS, rate_of_sums_pct

fen = st.integers(1, 10**12)
pairs = st.lists(st.tuples(fen, st.integers(0, 10**12)), min_size=1, max_size=8)


def ask(method: str, inputs: dict[str, Any]) -> dict[str, Any]:
    return METHODS["stats." + method]({}, inputs)


def yuan(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"


def rows_of(held: list[tuple[int, int]]) -> list[dict[str, Any]]:
    return [
        {"id": f"R{n}", "status": "awarded", "price_form": "total", "budget": yuan(a), "award": yuan(b)}
        for n, (a, b) in enumerate(held)
    ]


@pytest.mark.parametrize("vector", vectors("stats"))
def test_vectors(vector: dict[str, Any]) -> None:
    assert agree(METHODS[vector["method"]](vector.get("params") or {}, vector["inputs"]), vector["expected"])


# --- one rate ---------------------------------------------------------------------------------------------------------


def test_exact_inputs_allow_one_printed_rate() -> None:
    inputs = {"budget": "30.18", "award": "29.46"}
    assert ask("saving_rate", inputs)["printed_is_possible"] is None
    answer = ask("saving_rate", inputs | {"printed_rate_pct": "2.39"})
    assert answer == {
        "saving": "0.72",
        "rate_pct": "2.39",
        "min_rate_pct": "2.3857",
        "max_rate_pct": "2.3857",
        "printed_is_possible": True,
    }
    for printed, possible in (
        ("2.4", True),
        ("2", True),
        (2, True),
        ("2.386", True),
        ("2.36", False),
        ("2.3857", True),
        ("2.385", False),
        (3, False),
    ):
        assert ask("saving_rate", inputs | {"printed_rate_pct": printed})["printed_is_possible"] is possible


def test_the_band_closes_at_its_rounded_ends() -> None:
    inputs = {"budget": "30.18", "award": "29.46", "input_half_unit": "0.005"}
    for printed, possible in (
        ("2.34", False),
        ("2.35", True),
        ("2.42", True),
        ("2.43", False),
        ("2.41843", False),
        ("2.41842", True),
    ):
        assert ask("saving_rate", inputs | {"printed_rate_pct": printed})["printed_is_possible"] is possible


def test_a_loss_is_a_negative_rate_and_rounds_away_from_zero() -> None:
    assert ask("saving_rate", {"budget": "100", "award": "130"})["rate_pct"] == "-30.00"
    assert ask("saving_rate", {"budget": "200", "award": "200.01"}) == {
        "saving": "-0.01",
        "rate_pct": "-0.01",
        "min_rate_pct": "-0.0050",
        "max_rate_pct": "-0.0050",
        "printed_is_possible": None,
    }
    assert ask("saving_rate", {"budget": "1", "award": "0", "input_half_unit": "0.5"})["max_rate_pct"] == "133.3333"


@pytest.mark.parametrize(
    "inputs",
    [
        {"budget": "0", "award": "0"},
        {"budget": "-1", "award": "0"},
        {"budget": "1"},
        {"award": "1"},
        {"budget": "1", "award": "-1"},
        {"budget": "1", "award": "1", "input_half_unit": "1"},
        {"budget": "1", "award": "1", "input_half_unit": "-0.1"},
        {"budget": "1", "award": "1", "printed_rate_pct": "2.39%"},
        {"budget": 1.5, "award": "1"},
    ],
)
def test_bad_rates_are_errors(inputs: dict[str, Any]) -> None:
    with pytest.raises(BadValue):
        ask("saving_rate", inputs)


# --- many rows --------------------------------------------------------------------------------------------------------


@given(pairs)
def test_the_rate_is_the_rate_of_sums_whatever_the_order(held: list[tuple[int, int]]) -> None:
    budget, award = sum(a for a, _ in held), sum(b for _, b in held)
    expected = str((Decimal(budget - award) * 100 / Decimal(budget)).quantize(Decimal("0.01"), ROUND_HALF_UP) + 0)
    answer = ask("saving_rate_aggregate", {"rows": rows_of(held)})
    assert Decimal(answer["rate_of_sums_pct"]) == Decimal(expected) and answer == ask(
        "saving_rate_aggregate", {"rows": rows_of(held)[::-1]}
    )
    assert (answer["sum_budget"], answer["sum_award"]) == (yuan(budget), yuan(award))
    assert rate_of_sums_pct((Fraction(a), Fraction(b)) for a, b in held) == Fraction(budget - award, budget) * 100


@given(pairs)
def test_dropping_rows_never_lowers_the_rate(held: list[tuple[int, int]]) -> None:
    answer = ask("saving_scope", {"rows": rows_of(held)})
    if answer["rate_pct"] is None:
        assert all(award == 0 for _, award in held)
        return
    kept = answer["rate_pct_if_negative_rows_are_dropped"]
    strict = answer["rate_pct_if_zero_and_negative_rows_are_dropped"]
    if kept is not None:
        assert Decimal(kept) >= Decimal(answer["rate_pct"])
    if strict is not None:
        assert kept is not None and Decimal(strict) >= Decimal(kept)
    assert sorted(answer["rate_rows"] + answer["missing_value_rows"]) == sorted(answer["transactions_counted"])


def test_what_enters_the_rate() -> None:
    rows = [
        {"id": "ok", "status": "awarded", "price_form": "total", "budget": "100", "award": "90"},
        {"id": "no award", "status": "awarded", "price_form": "total", "budget": "100"},
        {"id": "nought", "status": "awarded", "price_form": "total", "budget": "0", "award": "90"},
        {"id": "unit", "status": "awarded", "price_form": "unit_price", "budget": "0", "award": None},
        {"status": "failed", "price_form": "total", "budget": "100"},
        {"id": "t", "status": "terminated", "price_form": "fee_rate"},
    ]
    answer = ask("saving_scope", {"rows": rows})
    assert answer["transactions_counted"] == ["ok", "no award", "nought", "unit"] and answer["rate_rows"] == ["ok"]
    assert answer["missing_value_rows"] == ["no award", "nought"] and (
        answer["failed_count"],
        answer["terminated_count"],
    ) == (1, 1)
    assert (answer["sum_budget"], answer["sum_award"], answer["rate_pct"]) == ("100.00", "90.00", "10.00")


def test_nothing_gives_null_rates_and_noughts() -> None:
    answer = ask("saving_scope", {"rows": []})
    assert (
        answer["rate_pct"] is answer["rate_pct_if_negative_rows_are_dropped"] is None and answer["sum_budget"] == "0.00"
    )
    loss = ask("saving_scope", {"rows": rows_of([(100, 130)])})
    assert (loss["rate_pct"], loss["rate_pct_if_negative_rows_are_dropped"]) == ("-30.00", None)
    assert ask("saving_rate_published", {"rows": []}) == {"rate_pct": []}
    assert ask("unit_normalise", {"rows": []}) == {"sum_yuan": "0.00", "sum_wan": "0.00", "sum_yi": "0.00"}


@pytest.mark.parametrize(
    "row",
    [
        {"status": "awarded", "price_form": "total", "budget": "1", "award": "1"},
        {"id": "a", "price_form": "total"},
        {"id": "a", "status": "awarded"},
        {"id": "a", "status": "won", "price_form": "total"},
        {"id": "a", "status": "failed", "price_form": "lump"},
        {"id": 1, "status": "failed", "price_form": "total"},
        {"id": "a", "status": "failed", "price_form": "total", "budget": "-1"},
        {"id": "a", "status": "failed", "price_form": "total", "award": 0.5},
        None,
        "a",
    ],
)
def test_bad_scope_rows_are_errors(row: Any) -> None:
    with pytest.raises(BadValue):
        ask("saving_scope", {"rows": [row]})


def test_units_meet_in_one_exact_sum() -> None:
    rows = [
        {"amount": "0.005", "unit": "yuan"},
        {"amount": "0.00004999", "unit": "wan_yuan"},
        {"amount": "0.0000000001", "unit": "yi_yuan"},
    ]
    assert ask("unit_normalise", {"rows": rows})["sum_yuan"] == "0.51"  # 0.005 + 0.4999 + 0.01
    for bad in ({"amount": "1", "unit": "元"}, {"amount": "-1", "unit": "yuan"}, {"unit": "yuan"}, {"amount": "1"}):
        with pytest.raises(BadValue):
            ask("unit_normalise", {"rows": [bad]})


def test_aggregates_need_rows() -> None:
    for rows in ([], None, [{"budget": "0", "award": "1"}], [{"budget": "1"}]):
        with pytest.raises(BadValue):
            ask("saving_rate_aggregate", {"rows": rows})


# --- counts -----------------------------------------------------------------------------------------------------------


def test_counts_are_compared_by_their_sums() -> None:
    assert ask("count_check", {"by_regime": {"a": 0}, "by_method": {"b": 1}}) == {"total": 0, "equal": False}
    for bad in (
        {"by_regime": {}, "by_method": {"b": 1}},
        {"by_regime": {"a": "1"}, "by_method": {"b": 1}},
        {"by_regime": {"a": -1}, "by_method": {"b": 1}},
        {"by_regime": {"a": None}, "by_method": {"b": 1}},
        {"by_method": {"b": 1}},
    ):
        with pytest.raises(BadValue):
            ask("count_check", bad)


def nested(failures: int, last: str) -> dict[str, Any]:
    package: dict[str, Any] = {"result": last}
    for _ in range(failures):
        package = {"result": "failed", "retender": package}
    return package | {"id": "1"}


@given(st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["awarded", "failed"])), max_size=5))
def test_a_later_award_counts_once_and_every_round_is_counted(plan: list[tuple[int, str]]) -> None:
    answer = ask("transaction_count", {"project": "X", "packages": [nested(*one) for one in plan]})
    won = [last == "awarded" for _, last in plan]
    assert answer == {
        "count_by_project": int(any(won)),
        "count_by_package_awarded": sum(won),
        "rounds_held": sum(n + 1 for n, _ in plan),
        "failed_rounds": sum(n + (last == "failed") for n, last in plan),
    }


def test_rounds_may_nest_to_any_depth() -> None:
    answer = ask("transaction_count", {"project": "X", "packages": [nested(20_000, "awarded")]})
    assert answer["rounds_held"] == 20_001 and answer["count_by_project"] == 1


@pytest.mark.parametrize(
    "packages",
    [
        [{"id": "1", "result": "awarded", "retender": {"result": "failed"}}],
        [{"result": "awarded"}],
        [{"id": "1"}],
        [{"id": "1", "result": "won"}],
        [{"id": "1", "result": "failed", "retender": {"result": "awarded", "retender": {"result": "failed"}}}],
        [{"id": "1", "result": "failed", "retender": "awarded"}],
        [{"id": "1", "result": "failed", "retender": {}}],
        None,
    ],
)
def test_bad_packages_are_errors(packages: Any) -> None:
    with pytest.raises(BadValue):
        ask("transaction_count", {"project": "X", "packages": packages})
    with pytest.raises(BadValue):
        ask("transaction_count", {"packages": []})
