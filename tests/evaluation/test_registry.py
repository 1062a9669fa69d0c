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
from evaluation.methods.declared import CHOICE, DRAW, DRAWN, EvaluationMethod
from evaluation.methods.works_prices import DropRule
from evaluation.panels import panels
from evaluation.reporting import report
from evaluation.scoring import schemes
from tests.kit import evaluation_steps
from tests.kit.schemes import SCHEMES
from tests.kit.world import World
from tests.web.bundles import play
from trading import publication, rulebook
from trading.kernel.exact import BadValue, number, written_exactly
from trading.procedures import PROCEDURES, Procedure
from web import words
from web.cli import vectors as recompute
from web.verifier import verify_bundle

every = pytest.mark.parametrize("method", registry.METHODS_OF_LOTS, ids=lambda one: one.id)
PAIRS = [(law, registry.method(name)) for law in PROCEDURES for name in law.evaluation]


def evaluated(world: World, law: Procedure, method: EvaluationMethod) -> str:
    """A lot played to its report by the scheme that `tests/kit/schemes.py` holds for the method."""
    scheme = next((one for one in SCHEMES.values() if one["method"] == method.id), None)
    assert scheme is not None, f"tests/kit/schemes.py holds no scheme of {method.id}"
    return evaluation_steps.evaluated(world, law.regime, scheme=scheme)


def asked(method: EvaluationMethod, scheme: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """The vector that asks for a lot's price points, in the words of ``bidhall recompute``."""
    weight = next(one["max"] for one in scheme["criteria"] if one["kind"] == "price")
    quotes = {bid["bidder"]: bid["quote"] for bid in facts["bids"]}
    params = {"points_places": scheme["rounding"]["points"], "rounding": scheme["rounding"]["mode"]}
    if method.id == "GP_SCORE":
        rates = {bid["bidder"]: scheme["small_firm"] for bid in facts["bids"] if bid["small"]}
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


@pytest.mark.parametrize(("law", "method"), PAIRS, ids=lambda one: one.id)
def test_the_live_outcome_is_what_recompute_answers(law: Procedure, method: EvaluationMethod, world: World) -> None:
    ref = evaluated(world, law, method)
    with world.look("clock") as look:
        lot = world.lot_in(look, ref)
        facts = report.report(look.session, panels.panel(look.session, lot)).facts
        scheme = dict(lot.scheme or {})
    assert facts["method"] == method.id == scheme["method"] and len(facts["bids"]) > 2
    vectors = [
        {"id": "prices", "method": method.recompute, **asked(method, scheme, facts)},
        {
            "id": "ranks",
            "method": "gp.rank",
            "params": {},
            "inputs": {
                "bids": {bid["bidder"]: {"score": bid["total"], "quote": bid["quote"]} for bid in facts["bids"]}
            },
        },
    ]
    found = recompute.answers(json.dumps({"vectors": vectors}).encode())
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


@pytest.mark.parametrize(("law", "method"), PAIRS, ids=lambda one: one.id)
def test_the_verifier_reckons_the_same(law: Procedure, method: EvaluationMethod, world: World, tmp_path: Path) -> None:
    """The verifier reads a scheme by itself (`web/verifier/score_claims.py`), so each method stands there once more."""
    ref = evaluated(world, law, method)
    with world.work("buyer") as work:
        publication.terminate(work, world.lot_in(work, ref), reason="the bundle of a lot is made when it is over")
    play.turn(world)
    found = {claim["name"]: claim for claim in verify_bundle(play.export(world, ref, tmp_path, "public"))["claims"]}
    assert [found[name]["detail"] for name in ("arithmetic", "ranking") if not found[name]["ok"]] == []


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
    assert set(method.offered) <= method.keys | {"v", "method", "criteria", "rounding", "outlier", "tie", "blind"}
    for one in method.parameters:
        assert one.label.zh and one.label.en
        assert bool(one.choices) == (one.kind == CHOICE)
        if one.kind == CHOICE:
            assert [value for value, _words in one.choices] == [rule.value for rule in DropRule]
        if one.kind == DRAW:
            assert DRAWN and one.form


def test_a_method_that_is_not_declared_is_refused() -> None:
    for name in ("GP_LOWEST", "", None, 7):
        with pytest.raises(BadValue) as refusal:
            registry.method(name)
        assert refusal.value.code == "unknown_method"
