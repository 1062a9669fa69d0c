"""Bundles of tenders whose officers were replaced while bids lay sealed: every claim holds, and each bent line or verdict is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crypto.canonical import unb64u
from crypto.headers import parse_header
from crypto.policies import policy_id
from crypto.verdicts import DEAD
from tests.kit import opening_steps, replacing, sealing
from tests.kit.opening_steps import form
from tests.kit.replacing import Named
from tests.kit.world import World
from tests.trading.custody.test_replacements import statement_of
from tests.web.bundles import play
from tests.web.bundles.play import Finished, Forger
from tests.web.bundles.rewriting import Rewriter
from tests.web.bundles.test_verifier_verdicts import begun, detail, terminated
from web.verifier import verify_bundle


def played(world: World, folder: Any, named: Named, *, dies: bool) -> Finished:
    """Three bids, then other officers; bidder2 seals anew; all is opened, the tender ends."""
    ref, early = begun(world)
    opening_steps.bid(world, ref, {name: form(price=f"{2_700_000 + at}.00") for at, name in enumerate(world.bidders)})
    play.turn(world)
    replacing.replace_officers(world, ref, named, dies=dies)
    made = sealing.seal(
        world, ref, "bidder2", replaces=statement_of(world, ref, "bidder2"), form=form(price="2600000.00")
    )
    assert sealing.hand_in(world, ref, "bidder2", *made).accepted
    play.turn(world)
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    opening_steps.open_set(world, ref, came=tuple(username for username, _ in named))
    return terminated(world, ref, folder, early)


def test_every_claim_holds_in_both_profiles(alive: Finished, dead: Finished) -> None:
    for finished, number in ((alive, 0), (dead, 1)):
        words = f"replaced 1 times, {number} earlier generations dead"
        for path in (finished.audit, finished.public):
            answer = verify_bundle(path)
            assert play.broken(answer) == {} and answer["ok"], play.broken(answer) or answer
            assert words in detail(path, "sealed_bids")
        assert "5 of 5 officers gave shares" in detail(finished.audit, "opening")


def verdicts_of(forger: Forger) -> dict[str, str]:
    (name,) = forger.below("opening/opened.")
    return {row["header_hash"]: row["verdict"] for row in forger.value(name)["bids"]}


def test_what_the_bundles_hold(alive: Finished, dead: Finished) -> None:
    assert sorted(verdicts_of(Forger(alive.world, alive.audit)).values()) == ["opened"] * 3
    assert sorted(verdicts_of(Forger(dead.world, dead.audit)).values()) == [DEAD, DEAD, "opened"]
    forger = Forger(dead.world, dead.audit)
    gone = {name for name, verdict in verdicts_of(forger).items() if verdict == DEAD}
    assert not any(
        item["header_hash"] in gone for name in forger.below("opening/shares.") for item in forger.value(name)["items"]
    )


# --- the list says something else ---------------------------------------------------------------------------------------


def relisted(finished: Finished, path: Any, change: Callable[[dict[str, Any]], None]) -> dict[str, list[str]]:
    """The opening list changed by the platform together with every officer who came, logged anew."""
    rewriter = Rewriter(finished.world, path)
    (name,) = rewriter.below("opening/opened.")
    who = [one["name"] for one in newest(rewriter)["officers"]]
    office = finished.world.office.keys.signing
    rewriter.change(name, change, office, *(finished.world.keys[username].sign for username in who))
    return rewriter.rewritten()


def newest(forger: Forger) -> dict[str, Any]:
    found = [forger.value(name) for name in forger.below("policy/policy.")]
    return max((one for one in found if one["envelope"] == "bid"), key=lambda one: one["serial"])


def test_a_dead_bid_shown_as_opened(dead: Finished) -> None:
    def open_it(value: dict[str, Any]) -> None:
        row = next(row for row in value["bids"] if row["verdict"] == DEAD)
        row |= {"verdict": "opened", "cause": "", "announce": {"price": "1.00"}}

    found = relisted(dead, dead.audit, open_it)
    assert found["opening"] == ["B_REDERIVE"] and found["sealed_bids"] == ["B_SET"]
    assert relisted(dead, dead.public, open_it) == {"sealed_bids": ["B_SET"]}, "the public profile tells too"


def test_a_dead_verdict_for_a_living_bid(alive: Finished) -> None:
    def kill(value: dict[str, Any]) -> None:
        value["bids"][0] |= {"verdict": DEAD, "cause": "platform", "announce": {}, "files": []}

    found = relisted(alive, alive.audit, kill)
    assert found["opening"] == ["B_REDERIVE"] and found["sealed_bids"] == ["B_SET"]
    assert relisted(alive, alive.public, kill) == {"sealed_bids": ["B_SET"]}


def test_a_dead_bid_charged_to_another(dead: Finished) -> None:
    def blame(value: dict[str, Any]) -> None:
        next(row for row in value["bids"] if row["verdict"] == DEAD)["cause"] = "bidder"

    assert relisted(dead, dead.public, blame) == {"sealed_bids": ["B_SET"]}


# --- the line is bent ---------------------------------------------------------------------------------------------------


def bent(finished: Finished, **change: Any) -> dict[str, list[str]]:
    """The second policy changed and signed anew by everybody in it: its bids are then under none, but the line tells first."""
    rewriter = Rewriter(finished.world, finished.audit)
    second = newest(rewriter)
    name = rewriter.one("policy/policy.", lambda value: value == second)
    rewriter.change(
        name,
        lambda value: value.update(change),
        finished.world.office.keys.signing,
        *(finished.world.keys[one["name"]].sign for one in second["officers"]),
    )
    return rewriter.rewritten()


@pytest.mark.parametrize(
    "change",
    [{"serial": 1}, {"file_names": True}, {"co_opening": True}, {"deadline": "2026-03-23T01:30:00Z"}],
    ids=["serial not rising", "names shown", "co-opening", "deadline moved down"],
)
def test_a_successor_that_is_none(alive: Finished, change: dict[str, Any]) -> None:
    assert "B_POLICY" in bent(alive, **change)["sealed_bids"]


def test_a_successor_of_another_policy(alive: Finished) -> None:
    """It supersedes nothing here, so it stands beside the line that was published."""
    assert "B_POLICY" in bent(alive, supersedes="A" * 43)["sealed_bids"]


def test_new_officers_logged_after_the_deadline_then_in_force(alive: Finished) -> None:
    """The whole history rewritten: under its first policy the deadline was over before the second was logged."""
    rewriter, world = Rewriter(alive.world, alive.audit), alive.world
    second = newest(rewriter)
    path = rewriter.one("policy/policy.", lambda value: value["envelope"] == "bid" and value["serial"] == 1)
    first = rewriter.value(path)
    for value, change in ((first, {"deadline": "2026-02-01T01:30:00Z"}), (second, {})):
        before = policy_id(value)
        value |= change | ({"supersedes": policy_id(first)} if value is second else {})
        name = rewriter.one("policy/policy.", lambda one, before=before: policy_id(one) == before)  # type: ignore[misc]
        rewriter.change(
            name,
            lambda one, value=value: one.update(value),  # type: ignore[misc]
            world.office.keys.signing,
            *(world.keys[one["name"]].sign for one in value["officers"]),
        )
        if value is first:
            (published,) = rewriter.below("policy/published.")
            rewriter.change(
                published,
                lambda one, before=before: one.update(  # type: ignore[misc]
                    policies=[policy_id(first) if name == before else name for name in one["policies"]]
                ),
                world.office.keys.signing,
            )
    rewriter.relog()
    assert "a policy that came at or after the deadline then in force" in detail(rewriter.write(), "sealed_bids")


def test_a_drill_of_a_new_officer_is_missing(alive: Finished) -> None:
    forger = Forger(alive.world, alive.audit)
    second = newest(forger)
    drill = forger.one("policy/drill.", lambda value: value["policy"] == policy_id(second) and value["j"] == 5)
    del forger.files[drill]
    assert "B_BID" in forger.verdict()["sealed_bids"]


def test_shares_of_a_box_that_is_another_officers(alive: Finished) -> None:
    """Officer 1 sits third now; a part of somebody else's box under its name is not the committed one."""
    forger = Forger(alive.world, alive.audit)
    headers = {name: parse_header(forger.files[f"bids/{name}/header"]) for name in verdicts_of(forger)}
    old = next(name for name, header in headers.items() if header.ctx["policy"] != sealed_under(forger))
    paths = {forger.value(name)["j"]: name for name in forger.below("opening/shares.")}
    theirs = next(item for item in forger.value(paths[4])["items"] if item["header_hash"] == old)

    def swap(value: dict[str, Any]) -> None:
        value["items"] = [theirs if item["header_hash"] == old else item for item in value["items"]]

    rewriter = Rewriter(alive.world, alive.audit)
    rewriter.change(paths[3], swap, alive.world.keys["officer1"].sign)
    assert "B_SHARE" in rewriter.rewritten()["opening"] and unb64u(theirs["part"])


def sealed_under(forger: Forger) -> str:
    return policy_id(newest(forger))
