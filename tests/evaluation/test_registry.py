"""Evaluation methods: a lot played through is ranked as ``bidhall recompute`` answers; the schema says all that a scheme may hold."""

from __future__ import annotations

import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any

import pytest

from evaluation import methods
from evaluation.methods import registry
from evaluation.methods.declared import BY_POINTS, BY_PRICE, CHOICE, DRAW, DRAWN, EvaluationMethod
from evaluation.methods.works_prices import DropRule
from evaluation.panels import panels
from evaluation.reporting import conclusion, report
from evaluation.scoring import schemes
from tests.kit import evaluation_steps
from tests.kit.schemes import SCHEMES
from tests.kit.world import World
from tests.web.bundles import play
from tests.web.bundles.rewriting import Rewriter
from trading import publication, rulebook
from trading.awarding import awards
from trading.kernel.exact import BadValue, number, written_exactly
from trading.procedures import PROCEDURES, Procedure
from web import words
from web.cli import vectors as recompute
from web.verifier import verify_bundle

every = pytest.mark.parametrize("method", registry.METHODS_OF_LOTS, ids=lambda one: one.id)
PAIRS = [(law, registry.method(name)) for law in PROCEDURES for name in law.evaluation]


def evaluated(world: World, law: Procedure, method: EvaluationMethod) -> str:
    """A lot played to its report by the scheme that `tests/kit/schemes.py` holds for the method; where the panel reviews prices, it
    corrects one and adjusts another, so that the order of the quotes is not that of the ranking."""
    scheme = next((one for one in SCHEMES.values() if one["method"] == method.id), None)
    assert scheme is not None, f"tests/kit/schemes.py holds no scheme of {method.id}"
    amounts = {"bidder1": (500_000_00, 100_000_00), "bidder2": (-20_000_00, 0)} if method.reviews_price else None
    return evaluation_steps.evaluated(world, law.regime, scheme=scheme, amounts=amounts)


def asked(method: EvaluationMethod, scheme: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """The vector that asks for a lot's prices, in the words of ``bidhall recompute``."""
    quotes = {bid["bidder"]: bid["quote"] for bid in facts["bids"]}
    rates = {bid["bidder"]: scheme.get("small_firm") for bid in facts["bids"] if bid["small"]}
    if method.id == "GP_LOWEST":
        return {"params": {}, "inputs": {"quotes": quotes, "deduction_rates": rates}}
    if method.id == "WK_LOWEST":
        bids = {
            b["bidder"]: {"quote": b["quote"], "arith": b["arithmetic"], "adj": b["adjustment"]} for b in facts["bids"]
        }
        return {"params": {}, "inputs": {"bids": bids}}
    weight = next(one["max"] for one in scheme["criteria"] if one["kind"] == "price")
    params = {"points_places": scheme["rounding"]["points"], "rounding": scheme["rounding"]["mode"]}
    if method.id == "GP_SCORE":
        return {"params": params, "inputs": {"quotes": quotes, "weight_points": weight, "deduction_rates": rates}}
    benchmark = scheme["benchmark"]
    params |= {"drop_rule": benchmark["drop_rule"], "K": facts["price"]["coefficient"]}
    return {
        "params": params,
        "inputs": {
            "quotes": quotes,
            "full_points": weight,
            "E1_above": benchmark["above"],
            "E2_below": benchmark["below"],
        },
    }


def by_points(facts: dict[str, Any], found: dict[str, Any]) -> None:
    """Points of the price and their sum with the members' are those reckoned anew."""
    told = {
        bid["bidder"]: next(one["points"] for one in bid["criteria"] if one["kind"] == "price") for bid in facts["bids"]
    }
    points = found["prices"]["price_scores" if "price_scores" in found["prices"] else "scores"]
    assert {bidder: number(text, bidder) for bidder, text in points.items()} == {
        b: number(text, b) for b, text in told.items()
    }
    assert found["ranks"]["ranks"] == {bid["bidder"]: bid["rank"] for bid in facts["bids"]}
    for bid in facts["bids"]:
        total = sum((number(one["points"], one["id"]) for one in bid["criteria"]), start=number("0", ""))
        assert bid["total"] == written_exactly(total)


def by_price(facts: dict[str, Any], found: dict[str, Any]) -> None:
    """The price that ranks and the ranks are those reckoned anew; nobody has points."""
    prices = found["prices"].get("evaluated_prices") or found["prices"]["reviewed_prices"]
    assert {b: number(text, b) for b, text in prices.items()} == {
        bid["bidder"]: number(bid["total"], "total") for bid in facts["bids"]
    }
    assert found["prices"]["ranks"] == {bid["bidder"]: bid["rank"] for bid in facts["bids"]}
    assert facts["ranked_by"] == "price" and facts["criteria"] == facts["sheets"] == facts["outliers"] == []
    assert all(bid["criteria"] == [] for bid in facts["bids"])


@pytest.mark.rule("2.8", "E-02", "E-05", "E-07b")
@pytest.mark.parametrize(("law", "method"), PAIRS, ids=lambda one: one.id)
def test_the_live_outcome_is_what_recompute_answers(law: Procedure, method: EvaluationMethod, world: World) -> None:
    ref = evaluated(world, law, method)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        facts = report.report(view.session, panels.panel(view.session, lot)).facts
        scheme = dict(lot.scheme or {})
        assert conclusion.recompute(view.session, lot)["same"]
        ranking = awards.award(view.session, lot).ranking
    assert facts["method"] == method.id == scheme["method"] and len(facts["bids"]) > 2
    rows = {bid["bidder"]: {"score": bid["total"], "quote": bid["quote"]} for bid in facts["bids"]}
    vectors = [
        {"id": "prices", "method": method.recompute, **asked(method, scheme, facts)},
        {"id": "ranks", "method": "gp.rank", "params": {}, "inputs": {"bids": rows}},
    ]
    found = recompute.answers(json.dumps({"vectors": vectors}).encode())
    (by_price if method.ranks_by == BY_PRICE else by_points)(facts, found)
    contract = {bid["bidder"]: number(bid.get("corrected", bid["quote"]), "price") * 100 for bid in facts["bids"]}
    assert {row["bidder"]: row["price_minor"] for row in ranking} == contract
    if method.reviews_price:
        assert [bid["quote"] for bid in facts["bids"]] != sorted(bid["quote"] for bid in facts["bids"])


@pytest.mark.parametrize(("law", "method"), PAIRS, ids=lambda one: one.id)
def test_the_verifier_reckons_the_same(law: Procedure, method: EvaluationMethod, world: World, tmp_path: Path) -> None:
    """The verifier reads a scheme by itself (`web/verifier/score_claims.py`), so each method stands there once more; a rank that was
    changed is seen."""
    ref = evaluated(world, law, method)
    with world.work("buyer") as work:
        publication.terminate(work, world.lot_in(work, ref), reason="the bundle of a lot is made when it is over")
    play.turn(world)
    forger = Rewriter(world, play.export(world, ref, tmp_path, "audit"))
    found = {claim["name"]: claim for claim in verify_bundle(play.export(world, ref, tmp_path, "public"))["claims"]}
    names = ("score_sheets", "arithmetic", "ranking")
    assert [found[name]["detail"] for name in names if found[name]["ok"] is False] == []
    assert found["arithmetic"]["ok"] and found["ranking"]["ok"]

    def exchanged(ranking: Any) -> None:
        first, second = ranking["ranking"][:2]
        first["bidder"], second["bidder"] = second["bidder"], first["bidder"]

    forger.change(forger.one("ranking/ranking."), exchanged, world.office.keys.signing)
    assert "B_RANK" in forger.rewritten()["ranking"]


@pytest.mark.parametrize(("law", "method"), PAIRS, ids=lambda one: one.id)
def test_the_offered_scheme_is_lawful_as_it_stands(law: Procedure, method: EvaluationMethod) -> None:
    from tests.evaluation.scoring.test_schemes import DAY

    category = law.intake.categories[0] if not any(law.intake.kinds) else "works_construction"
    assert (
        schemes.validate(dict(method.offered), law=law, category=category, book=rulebook.select(law.regime, DAY)) == []
    )


def test_each_declaration_is_registered() -> None:
    modules = [
        importlib.import_module(f"{methods.__name__}.{one.name}") for one in pkgutil.iter_modules(methods.__path__)
    ]
    declared = {module.METHOD.id for module in modules if hasattr(module, "METHOD")}
    assert declared == {one.id for one in registry.METHODS_OF_LOTS}


@every
def test_a_method_belongs_to_a_procedure_and_has_a_name_on_paper(method: EvaluationMethod) -> None:
    assert [law.id for law in PROCEDURES if method.id in law.evaluation]
    assert ("scheme_method", method.id) in words.states(), "web/words/evaluation.toml"


@every
def test_the_schema_is_sound(method: EvaluationMethod) -> None:
    keys = [one.key for one in method.parameters]
    forms = [one.form for one in method.parameters if one.form]
    assert len(set(keys)) == len(keys) and len(set(forms)) == len(forms)
    assert set(method.offered) <= method.keys
    assert bool(method.offered["criteria"]) == (method.ranks_by == BY_POINTS)
    for one in method.parameters:
        assert one.label.zh and one.label.en
        assert bool(one.choices) == (one.kind == CHOICE)
        if one.kind == CHOICE:
            assert [value for value, _words in one.choices] == [rule.value for rule in DropRule]
        if one.kind == DRAW:
            assert DRAWN and one.form


def test_a_method_that_is_not_declared_is_refused() -> None:
    for name in ("LOWEST_QUOTE", "", None, 7):
        with pytest.raises(BadValue) as refusal:
            registry.method(name)
        assert refusal.value.code == "unknown_method"
