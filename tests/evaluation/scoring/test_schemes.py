"""Schemes: every fault at once, the weight of the price by the rulebook of the day, and what a sheet may say."""

from __future__ import annotations

import copy
from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from evaluation.scoring import schemes
from tests.kit.schemes import SCHEMES
from tests.kit.world import World
from trading import procedures, rulebook
from trading.kernel.errors import Invalid, NotAllowed, WrongStep
from trading.tendering import tenders

DAY = date(2026, 3, 2)
GP, WORKS = rulebook.select("GP", DAY), rulebook.select("WORKS", DAY)


def gp(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(SCHEMES["GP"]) | changes


def works(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(SCHEMES["WORKS"]) | changes


def faults(scheme: dict[str, Any], regime: str = "GP", **how: Any) -> set[tuple[str, str]]:
    """(where, code) of every fault."""
    law = procedures.of_regime(regime)[0]
    given = {
        "category": "GOODS" if regime == "GP" else "works_construction",
        "book": GP if regime == "GP" else WORKS,
        "coefficients": ["0.95", "0.97"],
        "ceiling": Fraction(2_900_000),
    } | how
    with pytest.raises(Invalid) as refusal:
        schemes.validate(scheme, law=law, **given)
    return {(fault.where, fault.code) for fault in refusal.value.faults}


def test_both_samples_are_valid_without_warnings() -> None:
    assert schemes.validate(gp(), law=procedures.procedure("M1"), category="GOODS", book=GP) == []
    assert (
        schemes.validate(
            works(), law=procedures.procedure("M7"), category="works_construction", book=WORKS, coefficients=["0.95"]
        )
        == []
    )


def test_all_faults_are_told_at_once() -> None:
    scheme = gp(tie="lot", small_firm="0.30", surprise=1)
    scheme["criteria"] = [
        {"id": "price", "title": "报价", "kind": "price", "max": "29.99"},
        {"id": "price", "title": " ", "kind": "magic", "max": 40},
        {
            "id": "9x",
            "title": "x",
            "kind": "subjective",
            "max": "20",
            "bands": [{"low": "15", "high": "30"}, {"low": "a", "high": "1"}],
        },
    ]
    assert faults(scheme) == {
        ("tie", "scheme.tie"),
        ("small_firm", "scheme.small_firm_rate"),
        ("scheme", "scheme.unknown_keys"),
        ("criteria.1.id", "scheme.id_twice"),
        ("criteria.1.title", "form.required"),
        ("criteria.1.kind", "scheme.kind"),
        ("criteria.1.max", "scheme.bad_max"),
        ("criteria.2.id", "scheme.bad_id"),
        ("criteria.2.bands.0", "scheme.band_limits"),
        ("criteria.2.bands.1.low", "scheme.bad_band"),
        ("criteria", "scheme.price_weight"),
    }


@pytest.mark.parametrize(
    ("category", "price", "lawful"),
    [
        ("GOODS", "30", True),
        ("GOODS", "29.99", False),
        ("SERVICES", "10", True),
        ("SERVICES", "9.999", False),
        ("GOODS", "95", True),
    ],
)
def test_the_price_weighs_at_least_what_the_rulebook_says(category: str, price: str, lawful: bool) -> None:
    rest = 100 - Fraction(price)
    scheme = gp(
        criteria=[
            {"id": "price", "title": "报价", "kind": "price", "max": price},
            {"id": "plan", "title": "方案", "kind": "subjective", "max": schemes.written_exactly(rest, 0)},
        ]
    )
    if lawful:
        assert schemes.validate(scheme, law=procedures.procedure("M1"), category=category, book=GP) == []
    else:
        assert faults(scheme, category=category) == {("criteria", "scheme.price_weight")}


def test_parts_sum_to_a_hundred_and_the_price_stands_once() -> None:
    scheme = gp()
    scheme["criteria"][1]["max"] = "40.01"
    assert faults(scheme) == {("criteria", "scheme.sum")}
    scheme = gp()
    scheme["criteria"][0]["kind"] = "objective"
    assert faults(scheme) == {("criteria", "scheme.one_price")}


def test_government_procurement_knows_no_benchmark_and_works_no_deduction() -> None:
    assert faults(gp(benchmark={"above": "1", "below": "1"})) == {("scheme", "scheme.unknown_keys")}  # E-04
    assert ("scheme", "scheme.unknown_keys") in faults(works(small_firm="0.10"), "WORKS")
    assert ("method", "scheme.method") in faults(gp(method="WK_SCORE"))


@pytest.mark.parametrize(
    ("benchmark", "where", "code"),
    [
        ({"coefficient": "guess"}, "benchmark.coefficient", "scheme.coefficient_word"),
        ({"k": "0.9"}, "benchmark.k", "scheme.coefficient_twice"),
        ({"drop_rule": "highest"}, "benchmark.drop_rule", "scheme.drop_rule"),
        ({"above": None}, "benchmark.E1_above", "scheme.benchmark"),
        ({"mix": "warning_line"}, "benchmark.params", "scheme.benchmark"),
        ({"secret": "1"}, "benchmark", "scheme.unknown_keys"),
    ],
)
def test_a_works_formula_is_tried_before_it_is_published(benchmark: dict[str, Any], where: str, code: str) -> None:
    scheme = works()
    scheme["benchmark"] |= benchmark
    found = faults(scheme, "WORKS")
    assert (where, code) in found


def test_a_drawn_coefficient_needs_values_to_draw_from() -> None:
    assert faults(works(), "WORKS", coefficients=[]) == {("benchmark.coefficient", "scheme.no_coefficients")}
    assert faults(works(), "WORKS", coefficients=["0.95", "-1"]) == {("benchmark.K", "scheme.benchmark")}


def test_numbers_of_the_machine_are_refused() -> None:
    scheme = gp()
    scheme["criteria"][1]["max"] = 40.0
    assert ("criteria.1.max", "scheme.bad_max") in faults(scheme)
    assert ("scheme", "scheme.not_canonical") in faults(gp(outlier=None))


def test_a_prompt_at_a_share_that_flags_everybody_is_refused() -> None:
    """0.30 typed where percent are asked once became a share of 0.003."""
    assert ("outlier", "scheme.outlier_range") in faults(gp(outlier="0.003")) & faults(gp(outlier="1.5"))
    least = {code for _where, code in faults(gp(outlier="0.05", tie="lot"))}
    assert least == {"scheme.tie"}


def test_hints_are_warnings() -> None:
    scheme = gp()
    scheme["criteria"][1]["title"] = "本市同类业绩"
    scheme["criteria"][2]["bands"][0]["label"] = "注册资本 500 万元以下"
    found = schemes.validate(scheme, law=procedures.procedure("M1"), category="GOODS", book=GP)
    assert [(one.where, one.code, one.facts["rule"]) for one in found] == [
        ("criteria.1.title", "scheme.hint_region", "E-01d"),
        ("criteria.2.title", "scheme.hint_scale", "E-01b"),
    ]


@pytest.mark.rule("E-01b", "E-01d")
def test_who_sets_a_criterion_of_region_or_size_is_warned(world: World) -> None:
    ref, scheme = world.lot("DRAFTED"), gp()
    scheme["criteria"][1]["title"], scheme["criteria"][2]["title"] = "本市同类业绩", "注册资本"
    with world.work("agent") as work:
        found = schemes.set_scheme(work, world.lot_in(work, ref), scheme)
    assert [(one.where, one.facts["rule"]) for one in found] == [
        ("criteria.1.title", "E-01d"),
        ("criteria.2.title", "E-01b"),
    ]


def test_a_sheet_is_checked_item_by_item() -> None:
    scheme = schemes.read(gp())

    def sheet(*items: dict[str, str], bidder: str = "A") -> dict[str, Any]:
        return {"bids": [{"bidder": bidder, "items": list(items)}]}

    plan, warranty = {"id": "plan", "score": "39.5", "reason": "好"}, {"id": "warranty", "score": "20"}
    assert schemes.sheet_faults(scheme, ["A"], sheet(plan, warranty)) == []
    for items, codes in [
        ([plan | {"score": "40.01"}, warranty], ["sheet.out_of_range"]),
        ([plan | {"score": "-1"}, warranty], ["sheet.bad_score"]),
        ([plan | {"score": "1e1"}, warranty], ["sheet.bad_score"]),
        (
            [plan | {"reason": " "}, warranty | {"score": "15"}],
            ["sheet.no_reason", "sheet.out_of_range"],
        ),  # 15 lies in no band
        ([warranty, plan], ["sheet.other_items"]),
        ([plan], ["sheet.other_items"]),
    ]:
        assert [fault.code for fault in schemes.sheet_faults(scheme, ["A"], sheet(*items))] == codes
    assert [f.code for f in schemes.sheet_faults(scheme, ["A", "B"], sheet(plan, warranty))] == ["sheet.other_bids"]


def test_the_agency_sets_it_before_publication_only(world: World) -> None:
    ref = world.lot("READY")
    with world.work("agent") as work:
        lot = world.lot_in(work, ref)
        schemes.set_scheme(work, lot, gp())
        assert lot.scheme == gp()
    with world.work("agent") as work, pytest.raises(Invalid, match="scheme.faults"):
        schemes.set_scheme(work, world.lot_in(work, ref), gp(tie=""))
    with world.work("agent2") as work, pytest.raises(NotAllowed):
        schemes.set_scheme(work, world.lot_in(work, ref), gp())
    with world.view("agent") as view:
        assert schemes.rules_hash(tenders.lot(view.session, ref).scheme or {}) == schemes.rules_hash(gp())
    world.publish(ref)
    with world.work("agent") as work, pytest.raises(WrongStep):
        schemes.set_scheme(work, world.lot_in(work, ref), gp())


def test_a_lot_without_a_validated_scheme_cannot_be_scored(world: World) -> None:
    ref = world.lot("DRAFTED")
    with world.work("agent") as work:
        tenders.set_scheme(work, world.lot_in(work, ref), {"method": "comprehensive", "criteria": []})
    with world.view("agent") as view, pytest.raises(Invalid, match="scheme.unusable"):
        schemes.of_lot(world.lot_in(view, ref))
