"""Bundles of tenders whose first award did not stand: the panel reviewed again, and the winner then dropped out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from evaluation.reporting import reopened as reviewed
from tests.kit import evaluation_steps as steps
from tests.kit import sealing
from tests.kit.database import Databases
from tests.web.bundles import play
from tests.web.bundles.conftest import world_of
from tests.web.bundles.rewriting import Rewriter
from trading.awarding import awards, contracts, reopened
from trading.remedies import disputes
from web.verifier import verify_bundle


@pytest.fixture(scope="module")
def finished(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[play.Finished]:
    folder = tmp_path_factory.mktemp("reopened")
    with world_of(databases, folder, 3) as world:
        steps.library(world)
        world.tick()
        early = play.checkpoint(world)
        ref = steps.evaluated(world)

        def act(username: str, what: Any, **how: Any) -> Any:
            with world.work(username) as work:
                done = what(work, world.lot_in(work, ref), **how)
            play.turn(world)
            return done

        act("buyer", awards.decide)
        first = act("agent", awards.announce)
        order = [one["bidder"] for one in first.ranking]
        with world.work("bidder2", sealing.SIGNER) as work:
            lot = world.lot_in(work, ref)
            until = awards.object_until(awards.award(work.session, lot))
            filed = disputes.file(work, lot, stage="result", text="评分有误", until=until).ref
        with world.work("agent") as work:
            row = disputes.objection(work.session, filed)
            disputes.answer(work, row, text="经复核属实", upheld=True, effect=disputes.REVIEW)
        play.turn(world)
        act("agent", reviewed.review_again, reason="客观分计算错误")
        points = {(code, "plan"): text for code, text in zip(order, ("1.00", "15.00", "29.00"), strict=True)}
        steps.score(
            world, ref, dict.fromkeys(steps.usernames(world, ref, "seated").values(), points), reason="重新评审"
        )
        steps.report_and_conclude(world, ref)
        play.turn(world)
        act("buyer", awards.decide)
        act("agent", awards.announce)
        act("buyer", reopened.decide_again, ground="第一名放弃中标")
        last = act("agent", awards.announce)
        assert last.price_minor is not None
        act("agent", contracts.record, number="HT-1", amount_minor=last.price_minor, signed_at=world.now)
        yield play.bundled(world, ref, folder, early)


def test_every_claim_holds_in_both_profiles(finished: play.Finished) -> None:
    for path in (finished.audit, finished.public):
        answer = verify_bundle(path)
        assert play.broken(answer) == {} and answer["ok"], answer
        (award,) = [claim["detail"] for claim in answer["claims"] if claim["name"] == "award"]
        assert "rank 2 of the ranking, ground: 第一名放弃中标" in str(award)


def test_a_second_ranking_without_a_review_again_is_found(finished: play.Finished) -> None:
    forger = Rewriter(finished.world, finished.audit)
    name = forger.one("acts/", lambda value: value.get("act") == "lot.review_again")
    forger.change(name, lambda value: value.update(act="lot.look_again"), finished.world.office.keys.signing)
    forger.relog()
    assert "B_RANK" in forger.verdict()["ranking"]


def test_a_candidate_who_is_not_the_next_is_found(finished: play.Finished) -> None:
    forger = Rewriter(finished.world, finished.audit)
    ranking = forger.value(forger.below("ranking/ranking.")[0])["ranking"]
    name = forger.one("acts/", lambda value: value.get("act") == "lot.decide_again")

    def skip(value: dict[str, Any]) -> None:
        value["facts"]["winner"], value["facts"]["rank"] = ranking[-1]["bidder"], 3

    forger.change(name, skip, finished.world.office.keys.signing)
    forger.relog()
    assert "B_AWARD" in forger.verdict()["award"]


def test_a_contract_in_spite_of_what_was_upheld_is_found(finished: play.Finished) -> None:
    """The answer says that the tender is void; the contract was made all the same."""
    forger = Rewriter(finished.world, finished.audit)
    name = forger.one("acts/", lambda value: value.get("act") == "objection.answer")
    forger.change(name, lambda value: value["facts"].update(effect="void"), finished.world.office.keys.signing)
    forger.relog()
    assert "B_AWARD" in forger.verdict()["award"]
