"""Bundles of methods that are not the open tender: the verifier names what the method asks for and did not happen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.kit import evaluation_steps as steps
from tests.kit.database import Databases
from tests.web.bundles import play
from tests.web.bundles.conftest import world_of
from tests.web.bundles.rewriting import Rewriter
from trading.awarding import awards
from web.verifier import verify_bundle


def played(databases: Databases, folder: Any, method: str) -> Iterator[play.Finished]:
    with world_of(databases, folder, 3) as world:
        steps.library(world)
        world.tick()
        early = play.checkpoint(world)
        ref = steps.evaluated(world, method)
        with world.work("agent") as work:
            if method == "M9":
                awards.publicise(work, world.lot_in(work, ref))
        world.clock.advance(days=10)
        with world.work("buyer") as work:
            awards.decide(work, world.lot_in(work, ref))
        with world.work("agent") as work:
            awards.announce(work, world.lot_in(work, ref))
        play.turn(world)
        yield play.bundled(world, ref, folder, early)


@pytest.fixture(scope="module")
def inquiry(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[play.Finished]:
    yield from played(databases, tmp_path_factory.mktemp("inquiry"), "M5")


@pytest.fixture(scope="module")
def invited(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[play.Finished]:
    yield from played(databases, tmp_path_factory.mktemp("invited"), "M9")


def detail(answer: dict[str, Any]) -> str:
    (claim,) = [one for one in answer["claims"] if one["name"] == "procedure"]
    assert claim["ok"] is True, claim
    return str(claim["detail"])


def test_an_inquiry_holds_with_its_ground_and_consent(inquiry: play.Finished) -> None:
    for path in (inquiry.audit, inquiry.public):
        answer = verify_bundle(path)
        assert play.broken(answer) == {} and answer["ok"], answer
        assert "M5 on the ground standard_goods (GPL art. 32), consent 开财采批〔2026〕3号 of 2026-02-02" in detail(
            answer
        )


def test_an_invited_tender_holds_and_names_nobody_to_the_public(invited: play.Finished) -> None:
    audit, public = verify_bundle(invited.audit), verify_bundle(invited.public)
    for answer in (audit, public):
        assert play.broken(answer) == {} and answer["ok"], answer
    assert "3 invited, and nobody else among 3 who bid" in detail(audit) and "invited" not in detail(public)
    files = play.contents(invited.public)
    assert not any(b"invitation.send" in data for data in files.values())


def forged(finished: play.Finished, how: Callable[[dict[str, Any]], object]) -> dict[str, list[str]]:
    """The verdict on a history in which the tender notice said something else."""
    forger = Rewriter(finished.world, finished.audit)
    path = forger.one("acts/notices/", lambda value: value["kind"] == "tender")
    before = path.rpartition("/")[2].removesuffix(".json")
    forger.change(path, how)
    after = next(
        name.rpartition("/")[2].removesuffix(".json")
        for name in forger.below("acts/notices/")
        if forger.value(name)["kind"] == "tender"
    )
    act = forger.one("acts/", lambda value: value.get("facts", {}).get("document") == before)
    forger.change(act, lambda value: value["facts"].update(document=after))
    return forger.rewritten()


@pytest.mark.parametrize(
    "change",
    [
        {"ground": ""},
        {"ground": "few_bidders"},
        {"consent_no": ""},
        {"consent_on": "2026-12-31"},
        {"method": "M1"},
    ],
    ids=str,
)
def test_a_method_without_what_it_needs_is_found(inquiry: play.Finished, change: dict[str, str]) -> None:
    found = forged(inquiry, lambda value: value["body"].update(change))
    assert found["procedure"] == ["B_METHOD"]


@pytest.mark.parametrize("left", [0, 2])
def test_a_bidder_who_was_not_invited_is_found(invited: play.Finished, left: int) -> None:
    forger = Rewriter(invited.world, invited.audit)
    act = forger.one("acts/", lambda value: value.get("act") == "invitation.send")
    forger.change(act, lambda value: value["facts"].update(invited=value["facts"]["invited"][:left]))
    assert forger.rewritten()["procedure"] == ["B_METHOD"]


def test_invitations_without_their_record_are_found(invited: play.Finished) -> None:
    forger = Rewriter(invited.world, invited.audit)
    act = forger.one("acts/", lambda value: value.get("act") == "invitation.send")
    forger.change(act, lambda value: value.update(act="invitation.look"))
    assert forger.rewritten()["procedure"] == ["B_METHOD"]
