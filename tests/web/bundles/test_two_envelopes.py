"""Bundles of two-envelope tenders: the price envelope of a bid rejected technically is proved to have stayed sealed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crypto.opening import LEFT_SEALED
from tests.deposits.money_room import MoneyRoom
from tests.kit import evaluation_steps as steps
from tests.kit import opening_steps
from tests.kit.database import Databases
from tests.kit.opening_steps import form
from tests.web.bundles import play
from tests.web.bundles.conftest import world_of
from trading.custody import officers
from web.verifier import verify_bundle


@pytest.fixture(scope="module")
def finished(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[play.Finished]:
    """Five bidders: one hands in its technical envelope alone, one is rejected technically; three prices are opened, one wins."""
    folder = tmp_path_factory.mktemp("two-envelopes")
    with world_of(databases, folder, 5) as world:
        steps.library(world)
        world.tick()
        early = play.checkpoint(world)
        forms = {name: form(price=f"{2_700_000 - 10_000 * at}.00") for at, name in enumerate(world.bidders)}
        ref = opening_steps.open_lot(
            world, ref=steps.published(world, two_envelopes=True), forms=forms, only={"bidder5": (officers.BID,)}
        )
        steps.qualify(world, ref)
        steps.seated(world, ref)
        steps.conform(world, ref, reject=("bidder4",))
        steps.score(world, ref)
        steps.fix_technical(world, ref)
        play.turn(world)
        steps.open_prices(world, ref)
        steps.conform_prices(world, ref)
        steps.report_and_conclude(world, ref)
        play.turn(world)
        MoneyRoom(world, folder / "bank.db").award(ref)
        play.turn(world)
        yield play.bundled(world, ref, folder, early)


def test_every_claim_holds_in_both_profiles(finished: play.Finished) -> None:
    for path in (finished.audit, finished.public):
        answer = verify_bundle(path)
        assert play.broken(answer) == {} and answer["ok"], answer
        (sealed,) = [claim["detail"] for claim in answer["claims"] if claim["name"] == "sealed_bids"]
        assert "stay sealed" in str(sealed)


def test_nothing_that_would_open_a_sealed_price_is_in_the_archive(finished: play.Finished) -> None:
    forger = play.Forger(finished.world, finished.audit)
    left = {forger.value(name)["header_hash"] for name in forger.below("opening/bid-failed.")}
    assert len(left) == 2
    for name in left:
        assert f"bids/{name}/header" in forger.files and f"bids/{name}/sealed" not in forger.files
    given = [
        item
        for name in forger.below("opening/shares.")
        for item in forger.value(name)["items"]
        if item["header_hash"] in left
    ]
    assert given and all(item["error"] == LEFT_SEALED and not item["part"] for item in given)


def test_a_price_left_out_of_the_technical_result_convicts_the_platform(finished: play.Finished) -> None:
    """The record of the technical result says one thing, the bids that stayed sealed another."""
    forger = play.Forger(finished.world, finished.audit)
    name = forger.one("opening/bid-failed.", lambda value: value["cause"] == "bidder")
    del forger.files[name]
    assert "B_SET" in forger.verdict()["sealed_bids"]


def test_a_verdict_list_that_hides_an_opened_price_is_found(finished: play.Finished) -> None:
    forger = play.Forger(finished.world, finished.audit)
    names = [name for name in forger.below("opening/opened.") if len(forger.value(name)["bids"]) == 4]
    assert len(names) == 1

    def hide(value: dict) -> None:
        row = next(row for row in value["bids"] if row["verdict"] == "opened")
        row |= {"verdict": LEFT_SEALED, "cause": "bidder", "announce": {}, "files": []}

    forger.resign(names[0], "opened", hide)
    assert forger.verdict()


def test_sealed_bytes_slipped_into_the_archive_are_found(finished: play.Finished) -> None:
    forger = play.Forger(finished.world, finished.audit)
    left = forger.value(forger.below("opening/bid-failed.")[0])["header_hash"]
    forger.files[f"bids/{left}/sealed"] = b"BIDSEAL1"
    assert forger.verdict()
