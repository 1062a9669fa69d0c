"""Bundles of a co-opened lot: the bidders' own parts are proved to have come before any officer's share, and whoever stayed away to have
stayed away; what is changed in it is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crypto.ticks import tick_by
from tests.kit import opening_steps
from tests.kit.database import Databases
from tests.kit.world import World
from tests.trading.opening.test_co_opening import listed, on, part_of, post, verdicts
from tests.web.bundles import play
from tests.web.bundles.conftest import world_of
from tests.web.bundles.rewriting import Rewriter
from trading import publication
from web.verifier import verify_bundle


@pytest.fixture(scope="module")
def finished(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[play.Finished]:
    """Three bids; two bidders give their part, the third stays away. The purchaser ends the tender after the opening."""
    folder = tmp_path_factory.mktemp("co-opening")
    with world_of(databases, folder, 3) as world:
        yield played(world, folder, ticking=True, blamed="bidder")


def played(world: World, folder: Path, *, ticking: bool, blamed: str) -> play.Finished:
    """``ticking``: whether the log goes on while the bidders' parts are taken."""
    world.tick()
    early = play.checkpoint(world)
    ref = listed(world)
    for username in world.bidders[:2]:
        post(world, ref, username, part_of(world, ref, username))
    on(world, ref, ticking=ticking)
    opening_steps.open_set(world, ref)
    assert verdicts(world, ref) == {
        "bidder1": ("opened", ""),
        "bidder2": ("opened", ""),
        "bidder3": ("BIDDER_PART_MISSING", blamed),
    }
    with world.work("buyer") as work:
        publication.terminate(work, world.lot_in(work, ref), reason="采购任务取消")
    play.turn(world)
    return play.bundled(world, ref, folder, early)


def test_every_claim_holds_in_both_profiles(finished: play.Finished) -> None:
    for path in (finished.audit, finished.public):
        answer = verify_bundle(path)
        assert play.broken(answer) == {} and answer["ok"], answer
    (opening,) = [claim["detail"] for claim in verify_bundle(finished.audit)["claims"] if claim["name"] == "opening"]
    assert "2 bidders gave their own part before the shares" in str(opening)
    assert not [name for name in play.contents(finished.public) if name.startswith("opening/bidder-part.")]


def test_an_outage_in_the_time_of_the_parts_is_charged_to_the_platform_and_holds(
    databases: Databases, tmp_path: Path
) -> None:
    """Nobody could give a part while the log stood still: whoever stayed away is not to blame, and the verifier reckons the same."""
    with world_of(databases, tmp_path, 3) as world:
        found = played(world, tmp_path, ticking=False, blamed="platform")
        assert play.broken(verify_bundle(found.audit)) == {}


def test_a_part_left_out_of_the_archive_is_found(finished: play.Finished) -> None:
    """Without it the bid that was opened could not have been."""
    forger = play.Forger(finished.world, finished.audit)
    del forger.files[forger.below("opening/bidder-part.")[0]]
    assert "opening" in forger.verdict()


def test_a_bidder_said_to_have_stayed_away_who_did_not_is_found(finished: play.Finished) -> None:
    forger = play.Forger(finished.world, finished.audit)
    given = {forger.value(name)["header_hash"] for name in forger.below("opening/bidder-part.")}

    def drop(value: dict) -> None:
        row = next(row for row in value["bids"] if row["header_hash"] in given)
        row |= {"verdict": "BIDDER_PART_MISSING", "cause": "bidder", "announce": {}, "files": []}

    forger.resign(forger.one("opening/opened."), "opened", drop)
    assert "opening" in forger.verdict() or "opening_list" in forger.verdict()


def test_the_absence_of_a_bidder_charged_to_the_platform_is_found(finished: play.Finished) -> None:
    """The log shows no outage in the time of the parts. Everything signed and logged anew by the platform's keys."""
    forger = Rewriter(finished.world, finished.audit)
    officers = [finished.world.keys[username].sign for username in opening_steps.ALL]

    def charge(value: dict) -> None:
        row = next(row for row in value["bids"] if row["verdict"] == "BIDDER_PART_MISSING")
        row["cause"] = "platform"

    forger.change(forger.one("opening/opened."), charge, finished.world.office.keys.signing, *officers)
    found = forger.rewritten()
    assert found.get("opening") or found.get("opening_list"), found


def test_a_part_that_came_after_the_shares_is_found(finished: play.Finished) -> None:
    """Who has seen a price may not decide any more whether to open: the entry is dated after the window, and the log rewritten."""
    forger = Rewriter(finished.world, finished.audit)
    path = forger.entry_of("bidder-part")
    shares = forger.entry(forger.entry_of("shares"))["at"]
    forger.change_entry(path, lambda entry: entry.update(at=shares, tick_by=tick_by(shares)))
    assert "B_SHARE" in forger.rewritten()["opening"]


def test_a_share_inside_the_bidders_window_is_found(finished: play.Finished) -> None:
    forger = Rewriter(finished.world, finished.audit)
    part = forger.entry(forger.entry_of("bidder-part"))["at"]
    forger.change_entry(forger.entry_of("shares"), lambda entry: entry.update(at=part, tick_by=tick_by(part)))
    assert "B_SHARE" in forger.rewritten()["opening"]
