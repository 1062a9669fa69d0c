"""Bundles of tenders whose opening went wrong: late closing, rescue, findings, claims; and each of them tampered with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crypto.canonical import b64u, later
from crypto.ticks import tick_by
from tests.kit import opening_steps, sealing, verdict_steps
from tests.kit.database import Databases
from tests.kit.world import World
from tests.trading.opening.test_ceremony import FORGED, forged
from tests.web.bundles import play
from tests.web.bundles.conftest import world_of
from tests.web.bundles.play import Finished
from tests.web.bundles.rewriting import Rewriter
from trading import publication
from web.verifier import verify_bundle


def terminated(world: World, ref: str, folder: Path, early: str) -> Finished:
    """The purchaser ends the tender after its opening, so that it has a bundle."""
    with world.work("buyer") as work:
        publication.terminate(work, world.lot_in(work, ref), reason="采购任务取消")
    play.turn(world)
    return play.bundled(world, ref, folder, early)


def begun(world: World) -> tuple[str, str]:
    world.tick()
    early = play.checkpoint(world)
    ref = world.lot()
    world.take_part(ref)
    sealing.open_for_bids(world, ref)
    return ref, early


@pytest.fixture(scope="module")
def rescued(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    """Closed late, two officers came, one of three bids was rescued."""
    folder = tmp_path_factory.mktemp("rescued")
    with world_of(databases, folder, 3) as world:
        ref, early = begun(world)
        seeds = verdict_steps.bid(world, ref)
        verdict_steps.late_closing(world, ref)
        verdict_steps.confirm_late(world, ref)
        play.turn(world)
        sealing.list_set(world, ref)
        verdict_steps.fail(world, ref, came=("officer1", "officer3"))
        verdict_steps.post_rescue(world, ref, "bidder1", seeds["bidder1"])
        verdict_steps.pause_over(world, ref)
        verdict_steps.decrypt(world, ref)
        verdict_steps.finish(world, ref, "officer1", "officer3")
        yield terminated(world, ref, folder, early)


@pytest.fixture(scope="module")
def judged(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    """Three officers lie about every box; one bid has bad boxes indeed. The arbiter finds out about box 3 of each."""
    folder = tmp_path_factory.mktemp("judged")
    with world_of(databases, folder, 3) as world:
        ref, early = begun(world)
        verdict_steps.bid(world, ref, "bidder2", "bidder3")
        cheat = forged(world, ref, "bidder1", **FORGED["no box is the one committed to"][0])
        assert sealing.hand_in(world, ref, "bidder1", *cheat).accepted
        play.turn(world)
        sealing.close(world, ref)
        sealing.list_set(world, ref)
        verdict_steps.three_lie(world, ref)
        with world.view("clock") as view:
            names = [one.header_hash for one in verdict_steps.failures_of(world, view, ref)]
        for name in names:
            verdict_steps.sign_finding(world, ref, name, 3, verdict_steps.judge(world, ref, name, 3))
        verdict_steps.pause_over(world, ref)
        verdict_steps.decrypt(world, ref)
        verdict_steps.finish(world, ref, *opening_steps.ALL)
        yield terminated(world, ref, folder, early)


@pytest.fixture(scope="module")
def claimed(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    """The platform lost a bid it had signed for; the claim was upheld, the other three were opened."""
    folder = tmp_path_factory.mktemp("claimed")
    with world_of(databases, folder, 4) as world:
        ref, early = begun(world)
        verdict_steps.bid(world, ref, "bidder1", "bidder2", "bidder3")
        receipt = verdict_steps.lost_receipt(world, ref, "bidder4")
        sealing.close(world, ref)
        verdict_steps.file_claim(world, ref, "bidder4", receipt)
        verdict_steps.settle_claim(world, ref, "upheld")
        sealing.list_set(world, ref)
        opening_steps.open_set(world, ref)
        yield terminated(world, ref, folder, early)


def detail(path: Path, claim: str) -> str:
    return next(str(one["detail"]) for one in verify_bundle(path)["claims"] if one["name"] == claim)


# --- as they are --------------------------------------------------------------------------------------------------------


def test_a_rescued_opening_verifies_and_says_what_happened(rescued: Finished) -> None:
    for path in (rescued.audit, rescued.public):
        assert play.broken(verify_bundle(path)) == {}, path.name
    assert "1 rescued" in detail(rescued.audit, "opening") and "confirmed by the supervisory body" in detail(
        rescued.public, "deadline"
    )
    names = play.contents(rescued.public)
    assert any(name.startswith("opening/bid-failed.") for name in names)
    assert not any("rescue" in name or "shares" in name for name in names), "a seed opens a whole bid"


def test_a_judged_opening_verifies(judged: Finished) -> None:
    for path in (judged.audit, judged.public):
        assert play.broken(verify_bundle(path)) == {}, path.name
    assert "findings signed by the supervisory body" in detail(judged.audit, "opening")
    assert not any(name.startswith("opening/found/") for name in play.contents(judged.public))


def test_a_claim_that_counts_convicts_the_platform_in_every_bundle(claimed: Finished) -> None:
    for path in (claimed.audit, claimed.public):
        assert play.broken(verify_bundle(path)) == {"sealed_bids": ["B_SET"]}, path.name
        assert "LOG_OMISSION" in detail(path, "sealed_bids")


# --- tampered with ------------------------------------------------------------------------------------------------------


def forger(of: Finished) -> Rewriter:
    return Rewriter(of.world, of.audit)


def drop(one: Rewriter, event: str, start: str) -> None:
    """Leave an entry and its document out, with every tick secret that would tell."""
    del one.files[one.entry_of(event)], one.files[one.one(start)]
    for name in one.below("ticks/"):
        del one.files[name]


def test_a_late_closing_nobody_confirmed(rescued: Finished) -> None:
    one = forger(rescued)
    drop(one, "late-close", "policy/late-close.")
    assert one.verdict() == {"deadline": ["B_LATE"]}


def test_a_confirmation_of_another_closing_or_by_another_key(rescued: Finished) -> None:
    one = forger(rescued)
    one.change(
        one.one("policy/late-close."),
        lambda value: value.update(closing=value["closing"] - 1),
        one.world.keys["watch"].sign,
    )
    assert one.rewritten() == {"deadline": ["B_LATE"]}
    one = forger(rescued)
    one.change(one.one("policy/late-close."), lambda value: None, one.world.office.keys.signing)
    found = one.rewritten()
    assert found["manifest"] == ["B_SIG"] and found["deadline"] == ["B_LATE"]


def test_a_set_published_before_the_confirmation(rescued: Finished) -> None:
    one = forger(rescued)
    confirmed = one.entry(one.entry_of("late-close"))["at"]
    at = later(confirmed, -5)
    one.change_entry(one.entry_of("opening-set"), lambda entry: entry.update(at=at, tick_by=tick_by(at)))
    assert "B_LATE" in one.rewritten()["deadline"]


def test_a_failure_never_told(rescued: Finished) -> None:
    one = forger(rescued)
    drop(one, "bid-failed", "opening/bid-failed.")
    assert one.verdict()["opening"] == ["B_SHARE"]


def test_another_cause_told(rescued: Finished) -> None:
    one = forger(rescued)
    one.change(
        one.one("opening/bid-failed."), lambda value: value.update(cause="tenderee"), one.world.office.keys.signing
    )
    assert one.rewritten() == {"opening": ["B_REDERIVE"]}


def test_a_rescue_with_another_seed_or_a_strangers_signature(rescued: Finished) -> None:
    one = forger(rescued)
    one.change(
        one.one("opening/rescue."), lambda value: value.update(seed=b64u(bytes(32))), one.world.keys["bidder1"].sign
    )
    assert one.rewritten()["opening"] == ["B_REDERIVE"]
    one = forger(rescued)
    one.change(one.one("opening/rescue."), lambda value: None, one.world.keys["bidder2"].sign)
    assert one.rewritten()["manifest"] == ["B_SIG"]


def test_a_rescue_after_its_window(rescued: Finished) -> None:
    one = forger(rescued)
    failed = one.entry(one.entry_of("bid-failed"))["at"]
    at = later(failed, 3600)
    one.change_entry(one.entry_of("rescue"), lambda entry: entry.update(at=at, tick_by=tick_by(at)))
    assert "B_SHARE" in one.rewritten()["opening"]


def test_an_opening_list_read_out_while_repair_was_still_possible(rescued: Finished) -> None:
    one = forger(rescued)
    failed = one.entry(one.entry_of("bid-failed"))["at"]
    keys = [one.world.keys[name].sign for name in ("officer1", "officer3")]
    one.change(
        one.one("opening/opened."),
        lambda value: value.update(at=later(failed, 120)),
        one.world.office.keys.signing,
        *keys,
    )
    assert one.rewritten() == {"opening": ["B_SHARE"]}


def found_file(one: Rewriter) -> str:
    return one.below("opening/found/")[0]


def test_findings_tampered_with(judged: Finished) -> None:
    one = forger(judged)
    one.files[found_file(one)] = bytes(32)
    assert one.verdict()["opening"] == ["B_REDERIVE"], "not the part the header commits to"
    one = forger(judged)
    del one.files[found_file(one)]
    assert one.verdict()["opening"] == ["B_REDERIVE"], "a good box without its part"
    one = forger(judged)
    path = one.one("opening/finding.", lambda value: value["code"] == "SHARE_COMMIT")
    one.change(path, lambda value: value.update(j=1), one.world.keys["watch"].sign)
    assert "B_SHARE" in one.rewritten()["opening"], "officer 1 complained of nothing"
    one = forger(judged)
    one.change(one.one("opening/finding."), lambda value: None, one.world.office.keys.signing)
    assert one.rewritten()["manifest"] == ["B_SIG"], "signed by the platform itself"


def test_a_bad_box_blamed_on_somebody_else(judged: Finished) -> None:
    one = forger(judged)
    keys = [one.world.keys[name].sign for name in opening_steps.ALL]

    def blame(value: Any) -> None:
        bad = next(row for row in value["bids"] if row["verdict"] == "SHARE_COMMIT")
        bad.update(cause="platform")

    one.change(one.one("opening/opened."), blame, one.world.office.keys.signing, *keys)
    assert one.rewritten() == {"opening": ["B_REDERIVE"]}


def test_claims_tampered_with(claimed: Finished) -> None:
    receipt = Rewriter(claimed.world, claimed.audit).below("claims/")[0]
    one = forger(claimed)
    del one.files[receipt]
    assert one.verdict() == {"sealed_bids": ["B_SET"]}
    assert "claims/" in detail(one.write(), "sealed_bids")
    one = forger(claimed)
    other = one.entry_of("bid-received")
    one.edit(receipt, lambda value: value.update(entry=json.loads(one.files[other])["entry"]))
    assert "another entry than the one claimed" in detail(one.write(), "sealed_bids")
    one = forger(claimed)
    act = next(
        name for name in one.below("acts/") if "notices" not in name and one.value(name)["act"] == "claim.settle"
    )
    del one.files[act], one.files[act.replace("acts/", "entries/")]
    for name in one.below("ticks/"):
        del one.files[name]
    assert one.verdict() == {"sealed_bids": ["B_SET"], "deadline": ["B_LATE"]}, "opened while the claim waited"
