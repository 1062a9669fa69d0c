"""Bundles of openings in which a bid was copied from another: the verdict recomputed by whoever verifies them (protocol §5.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit import opening_steps, sealing, verdict_steps
from tests.kit.database import Databases
from tests.kit.world import World
from tests.trading.opening.test_malicious_bids import copied, offer
from tests.web.bundles import play
from tests.web.bundles.conftest import world_of
from tests.web.bundles.play import Finished
from tests.web.bundles.rewriting import Rewriter
from tests.web.bundles.test_verifier_verdicts import begun, detail, terminated
from trading.opening import ceremony
from web.verifier import verify_bundle

COPY, ORIGIN = "bidder1", "bidder2"


def set_listed(world: World, ref: str) -> dict[str, bytes]:
    """bidder1's bid is bidder2's, copied whole; the set is published. The seeds of the honest ones."""
    seeds = verdict_steps.bid(world, ref, ORIGIN, "bidder3")
    assert offer(world, ref, COPY, *copied(world, ref)).accepted
    play.turn(world)
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    return seeds


def names_of(world: World, ref: str) -> dict[str, str]:
    """bidder -> header hash."""
    with world.view("clock") as view:
        row = verdict_steps.row_of(world, view, ref)
        found = {header.ctx["bidder"]: name for name, header in ceremony.headers(view.session, row).items()}
    return {username: found[sealing.code_of(world, username)] for username in world.bidders}


@pytest.fixture(scope="module")
def at_once(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    """Everybody came: the copy stops nobody, and there is no window for repair."""
    folder = tmp_path_factory.mktemp("copied")
    with world_of(databases, folder, 3) as world:
        ref, early = begun(world)
        set_listed(world, ref)
        opening_steps.open_set(world, ref)
        yield terminated(world, ref, folder, early)


@pytest.fixture(scope="module")
def by_rescue(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    """Three officers lie about every box; the rescue of the origin shows who copied, a finding opens the third bid."""
    folder = tmp_path_factory.mktemp("copied-rescued")
    with world_of(databases, folder, 3) as world:
        ref, early = begun(world)
        seeds = set_listed(world, ref)
        names = names_of(world, ref)
        verdict_steps.three_lie(world, ref)
        verdict_steps.post_rescue(world, ref, ORIGIN, seeds[ORIGIN])
        verdict_steps.sign_finding(
            world, ref, names["bidder3"], 3, verdict_steps.judge(world, ref, names["bidder3"], 3)
        )
        verdict_steps.pause_over(world, ref)
        verdict_steps.decrypt(world, ref)
        verdict_steps.finish(world, ref, *opening_steps.ALL)
        yield terminated(world, ref, folder, early)


def told(of: Finished) -> dict[str, tuple[str, str]]:
    with of.world.view("clock") as view:
        row = verdict_steps.row_of(of.world, view, of.ref)
        named = {of.world.party_ids[username]: username for username in of.world.bidders}
        return {named[one.party_id]: (one.verdict, one.cause) for one in ceremony.opened_bids(view.session, row)}


VERDICTS = {COPY: ("SHARE_COMMIT", "bidder"), ORIGIN: ("opened", ""), "bidder3": ("opened", "")}


def test_a_copy_is_read_out_as_one_and_the_bundle_verifies(at_once: Finished) -> None:
    assert told(at_once) == VERDICTS
    for path in (at_once.audit, at_once.public):
        assert play.broken(verify_bundle(path)) == {}, path.name
        assert not [name for name in play.contents(path) if name.startswith("opening/bid-failed.")]
    assert "window for repair" not in detail(at_once.audit, "opening")


def test_a_rescue_shows_who_copied(by_rescue: Finished) -> None:
    assert told(by_rescue) == VERDICTS
    for path in (by_rescue.audit, by_rescue.public):
        assert play.broken(verify_bundle(path)) == {}, path.name
    assert "1 rescued" in detail(by_rescue.audit, "opening")


@pytest.mark.parametrize(
    ("code", "cause"), [("UNRESOLVED", "unknown"), ("SHARE_COMMIT", "platform"), ("TOO_FEW_SHARES", "platform")]
)
def test_a_copy_listed_as_something_else_is_named(at_once: Finished, code: str, cause: str) -> None:
    one = Rewriter(at_once.world, at_once.audit)
    relist(one, names_of(at_once.world, at_once.ref)[COPY], verdict=code, cause=cause)
    assert one.rewritten() == {"opening": ["B_REDERIVE"]}


def test_an_honest_bid_listed_as_a_copy_is_named(at_once: Finished) -> None:
    one = Rewriter(at_once.world, at_once.audit)
    name = names_of(at_once.world, at_once.ref)[ORIGIN]
    relist(one, name, verdict="SHARE_COMMIT", cause="bidder", announce={}, files=[])
    assert one.rewritten() == {"opening": ["B_REDERIVE"]}


def relist(one: Rewriter, name: str, **changes: Any) -> None:
    keys = [one.world.keys[officer].sign for officer in opening_steps.ALL]

    def change(value: Any) -> None:
        next(row for row in value["bids"] if row["header_hash"] == name).update(changes)

    one.change(one.one("opening/opened."), change, one.world.office.keys.signing, *keys)
