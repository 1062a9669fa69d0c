"""A bid handed in after the backup: the platform is lost, brought back, its gap declared; the receipt of that time is taken still."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.faults.ground import copied
from tests.kit import opening_steps, sealing, verdict_steps
from tests.kit import restored as kit
from tests.kit.world import World
from tests.web.bundles import play
from tests.web.desks.public.test_check import check
from tests.web.desks.rooms import open_rooms
from trading import publication
from trading.hall import legal_effects
from trading.kernel import log
from trading.kernel.clock import SetClock
from trading.kernel.errors import Conflict
from web.verifier import verify_bundle

NAMES = ("bidder1", "bidder2", "bidder3", "bidder4")


def file_of(world: World, username: str, outcome: Any, submission: Any) -> dict[str, Any]:
    """The receipt as its page saves it."""
    return sealing.receipt_of(world, username, outcome) | {"statement": submission}


@pytest.mark.promise("R16")
def test_a_receipt_of_a_declared_gap_from_the_restoration_to_the_bundle(engine: Engine, tmp_path: Path) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("a copy of a database in one file")
    world = World(engine, tmp_path / "office", bidders=4)
    ref = world.lot("BIDDING")
    world.take_part(ref, *NAMES[:3])
    sealing.open_for_bids(world, ref)
    with copied(world, tmp_path / "backup") as mine:  # the night's backup
        world.take_part(ref, "bidder4")  # in the gap: one joins, all hand in, and each holds a receipt with its proof
        made = {name: sealing.seal(world, ref, name, data=name.encode()) for name in NAMES}
        outcomes = {name: sealing.hand_in(world, ref, name, *made[name]) for name in NAMES}
        for _ in range(3):
            world.tick()
        kept = {name: file_of(world, name, outcomes[name], made[name][1]) for name in NAMES}
        assert all("proof" in one for one in kept.values())
        with world.view("clock") as view:
            told = log.checkpoint(view.session)
        assert told is not None and isinstance(mine.clock, SetClock)
        mine.clock.set(world.now)
        kit.declare(mine, tmp_path, kit.size(world) - kit.size(mine), told)
        _before_the_deadline(mine, ref, tmp_path, kept, made)
        _after_it(mine, ref, tmp_path, kept)


def _before_the_deadline(mine: World, ref: str, folder: Path, kept: dict[str, Any], made: dict[str, Any]) -> None:
    rooms = open_rooms(mine, folder)
    guest = rooms.app.test_client()
    answer = check(guest, kept["bidder1"]).text
    verdict = answer.partition("data-check-result")[2]
    assert "随平台较新的数据一起缺失" in verdict and "再次递交" in verdict
    assert "&#34;gaps&#34;: [{" in answer, "the page's script knows them, too"
    bare = {name: kept["bidder1"][name] for name in ("entry", "statement")}
    assert "再次递交" in check(guest, bare).text, "without its proof, by its moment"
    for name in ("bidder1", "bidder4"):  # who took part in the copy, and who joined in the gap
        page = rooms.person(name, "bidder-signer").get(f"/bidder/lots/{ref}").text
        assert "平台缺失" in page and "同一份加密文件即可" in page
    for name in NAMES[:3]:  # the very file and submission that were handed in before
        assert sealing.hand_in(mine, ref, name, *made[name]).accepted
    mine.tick()


def _after_it(mine: World, ref: str, folder: Path, kept: dict[str, Any]) -> None:
    sealing.close(mine, ref)
    rooms = open_rooms(mine, folder)
    person = rooms.person("bidder4", "bidder-signer")
    for where in (f"/bidder/lots/{ref}", f"/bidder/lots/{ref}/claim"):
        assert f"/bidder/lots/{ref}/claim" in person.get(where).text, where
    with pytest.raises(Conflict, match=r"claim\.unfounded"):
        verdict_steps.file_claim(mine, ref, "bidder1", kept["bidder1"])
    claim = verdict_steps.file_claim(mine, ref, "bidder4", kept["bidder4"])
    assert claim.code == "LOG_OMISSION" and claim.entry in person.get(f"/bidder/lots/{ref}/claim").text
    with pytest.raises(Conflict, match=r"claim\.open"):
        sealing.list_set(mine, ref)
    verdict_steps.settle_claim(mine, ref, "upheld")
    sealing.list_set(mine, ref)
    opening_steps.open_set(mine, ref)
    with mine.view("clock") as view:
        found = legal_effects.of_party(view.session, mine.lot_in(view, ref), mine.party_ids["bidder4"])
        assert found is not None and (found.code, found.cause) == ("LOG_OMISSION", "platform")
    with mine.work("buyer") as work:
        publication.terminate(work, mine.lot_in(work, ref), reason="采购任务取消")
    opening_steps.turn(mine)
    answer = verify_bundle(play.export(mine, ref, folder, "audit"))
    told = {f"{one['claim']}.{one['what']}": one["of"] for one in answer["told"]}
    assert told["sealed_bids.claim_lost"] == [claim.entry] and told["log.lost"]
    assert play.broken(answer) == {"sealed_bids": ["B_SET"]}, "a declaration excuses checkpoints, and no bid"
