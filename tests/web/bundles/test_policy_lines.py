"""Which policies bind (claim A3): those published, and what supersedes them in time; each line bent by a platform with everybody's keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from crypto.canonical import format_time, parse_time
from crypto.policies import policy_id
from crypto.signatures import document_hash, sign
from tests.kit import evaluation_steps as steps
from tests.kit import opening_steps
from tests.kit.database import Databases
from tests.web.bundles import play
from tests.web.bundles.conftest import world_of
from tests.web.bundles.play import Finished
from tests.web.bundles.rewriting import Rewriter
from tests.web.bundles.test_officers_replaced import newest
from tests.web.bundles.test_verifier_verdicts import detail, terminated
from trading.custody import policies
from web.verifier import verify_bundle


@pytest.fixture(scope="module")
def redrafted(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    """Before publication the agency allowed larger bids: policies signed and logged by then were dropped, new ones published."""
    folder = tmp_path_factory.mktemp("redrafted")
    with world_of(databases, folder, 3) as world:
        steps.library(world)
        world.tick()
        early = play.checkpoint(world)
        ref = world.lot("READY")
        with world.work("agent") as work:
            policies.draft_policies(work, world.lot_in(work, ref), max_plen=8 << 30)
        world.sign_policies(ref)
        world.open_drills(ref)
        world.tick()
        world.publish(ref)
        world.issue(ref)
        opening_steps.open_lot(world, ref=ref)
        yield terminated(world, ref, folder, early)


def bid_policies(forger: Rewriter) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the dropped one, the published one)."""
    found = [forger.value(name) for name in forger.below("policy/policy.")]
    small, large = sorted((one for one in found if one["envelope"] == "bid"), key=lambda one: int(one["max_plen"]))
    return small, large


def sign_policy(forger: Rewriter, old: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """A policy changed and signed anew by the platform and every officer in it; entry and log to match. The new value."""
    new = json.loads(json.dumps(old))
    change(new)
    path = forger.one("policy/policy.", lambda value: bool(value == old))
    keys = forger.world.keys
    secrets = [keys[one["name"]].sign for one in old["officers"]]
    forger.change(path, lambda value: value.update(new), forger.world.office.keys.signing, *secrets)
    return dict(new)


def told(forger: Rewriter, words: str) -> bool:
    forger.relog()
    answer = verify_bundle(forger.write())
    claim = next(one for one in answer["claims"] if one["name"] == "sealed_bids")
    return "B_POLICY" in claim["codes"] and words in str(claim["detail"])


def forged(of: Finished) -> Rewriter:
    return Rewriter(of.world, of.audit)


# --- before the publication -----------------------------------------------------------------------------------------------------------


def test_what_was_dropped_before_the_publication_binds_nobody(redrafted: Finished) -> None:
    for path in (redrafted.audit, redrafted.public):
        assert play.broken(verify_bundle(path)) == {}
    assert (
        len(
            [
                name
                for name in forged(redrafted).below("policy/policy.")
                if forged(redrafted).value(name)["envelope"] == "bid"
            ]
        )
        == 2
    )


def test_a_publication_that_names_the_dropped_policy(redrafted: Finished) -> None:
    """Then the bids lie under a policy that nobody was told of."""
    forger = forged(redrafted)
    small, large = bid_policies(forger)
    names = {policy_id(large): policy_id(small)}
    forger.change(
        forger.one("policy/published."),
        lambda value: value.update(policies=[names.get(one, one) for one in value["policies"]]),
        forger.world.office.keys.signing,
    )
    assert "B_BID" in forger.rewritten()["sealed_bids"]


def test_a_publication_that_leaves_an_envelope_out(redrafted: Finished) -> None:
    """The policy of the draw stands in the log, signed by all, but the publication says nothing of it."""
    forger = forged(redrafted)
    drawn = {
        policy_id(value) for value in map(forger.value, forger.below("policy/policy.")) if value["envelope"] != "bid"
    }
    assert drawn
    forger.change(
        forger.one("policy/published."),
        lambda value: value.update(policies=[one for one in value["policies"] if one not in drawn]),
        forger.world.office.keys.signing,
    )
    assert told(forger, "another policy than the one published")


def test_a_policy_superseded_before_the_publication_that_names_it(redrafted: Finished) -> None:
    """The dropped policy made to supersede the published one, in the log before it: bidders would read one id while another is in force."""
    forger = forged(redrafted)
    small, large = bid_policies(forger)
    sign_policy(
        forger, small, lambda value: value.update(supersedes=policy_id(large), max_plen=large["max_plen"], serial=9)
    )
    assert told(forger, "superseded before the publication")


# --- lines --------------------------------------------------------------------------------------------------------------------------------


def test_a_line_that_branches(alive: Finished) -> None:
    """A second policy that supersedes the published one, in place of an act's entry after the publication."""
    forger = forged(alive)
    second = newest(forger)
    published = forger.entry(forger.entry_of("published"))["at"]
    act = forger.one("acts/", lambda value: value.get("act", "").startswith("lot.") and value["at"] > published)
    branch = second | {"max_plen": second["max_plen"] + 1}
    del forger.files[act]
    forger.change_entry(
        act.replace("acts/", "entries/"),
        lambda entry: entry.update(
            event="policy", envelope="bid", lot=second["lot"], tender=second["tender"], statement=document_hash(branch)
        ),
    )
    keys = forger.world.keys
    forger.put(
        f"policy/policy.{document_hash(branch)}.json",
        sign(
            "policy", branch, forger.world.office.keys.signing, *(keys[one["name"]].sign for one in branch["officers"])
        ),
    )
    assert told(forger, "stands beside the line")


def test_the_deadline_then_in_force_to_the_minute(alive: Finished) -> None:
    """A policy in the very tick of the deadline came too late, one a minute before it in time."""
    for minutes, late in ((0, True), (1, False)):
        forger = forged(alive)
        second = newest(forger)
        path = forger.one("policy/policy.", lambda value: value["envelope"] == "bid" and value["serial"] == 1)
        entry = forger.entry_of("policy", lambda one, second=second: bool(one["statement"] == document_hash(second)))  # type: ignore[misc]
        tick = parse_time(json.loads(forger.files[entry])["proof"]["leaf"]["at"])
        deadline = format_time(tick + timedelta(minutes=minutes))
        first = forger.value(path)
        new = sign_policy(forger, first, lambda value, deadline=deadline: value.update(deadline=deadline))  # type: ignore[misc]
        sign_policy(forger, second, lambda value, new=new: value.update(supersedes=policy_id(new)))  # type: ignore[misc]
        names = {policy_id(first): policy_id(new)}
        forger.change(
            forger.one("policy/published."),
            lambda value, names=names: value.update(  # type: ignore[misc]
                policies=[names.get(one, one) for one in value["policies"]]
            ),
            forger.world.office.keys.signing,
        )
        forger.relog()
        found = detail(forger.write(), "sealed_bids")
        assert ("at or after the deadline then in force" in found) is late, (minutes, found)


@pytest.mark.parametrize("change", [{"t": 2}, {"t": 4}, {"n": 4}])
def test_a_quorum_by_which_a_side_would_open_or_block_alone(alive: Finished, change: dict[str, Any]) -> None:
    forger = forged(alive)
    sign_policy(forger, newest(forger), lambda value: value.update(change))
    found = forger.rewritten()
    assert found["manifest"] == ["B_SIG"] and "B_POLICY" in found["sealed_bids"]


def test_a_quorum_lowered_among_the_same_keys(alive: Finished) -> None:
    """Two of four in place of three of five, every side still harmless, but the serial stays: these would be the keys of before."""
    forger = forged(alive)
    second = newest(forger)

    def lower(value: dict[str, Any]) -> None:
        value.update(
            serial=1,
            t=2,
            n=4,
            officers=[
                one | {"side": side}
                for one, side in zip(
                    value["officers"][:4], ("platform", "tenderee", "supervisor", "notary"), strict=True
                )
            ],
        )

    changed = json.loads(json.dumps(second))
    lower(changed)
    path = forger.one("policy/policy.", lambda value: bool(value == second))
    forger.change(
        path,
        lower,
        forger.world.office.keys.signing,
        *(forger.world.keys[one["name"]].sign for one in changed["officers"]),
    )
    assert told(forger, "the serial must rise")


# --- drills -------------------------------------------------------------------------------------------------------------------------------


def drill_of(forger: Rewriter, policy: str, j: int) -> str:
    return forger.one("policy/drill.", lambda value: value["policy"] == policy and value["j"] == j)


def first_of(forger: Rewriter) -> dict[str, Any]:
    return dict(
        forger.value(forger.one("policy/policy.", lambda value: value["envelope"] == "bid" and value["serial"] == 1))
    )


def test_an_officer_missing_from_the_drills(alive: Finished) -> None:
    """Of the published policy, and of a draw's."""
    for envelope in ("bid", "draw:"):
        forger = forged(alive)
        policy = forger.value(
            forger.one(
                "policy/policy.",
                lambda value, envelope=envelope: (  # type: ignore[misc]
                    value["envelope"].startswith(envelope) and value["serial"] == 1
                ),
            )
        )
        del forger.files[drill_of(forger, policy_id(policy), 4)]
        found = verify_bundle(forger.write())
        claim = next(one for one in found["claims"] if one["name"] == "sealed_bids")
        assert "B_POLICY" in claim["codes"], envelope


def test_a_drill_by_an_officer_of_another_generation(alive: Finished) -> None:
    """Seat 5 of the first policy was officer5's; the drill of who came later, under that policy's name, is not its drill."""
    forger = forged(alive)
    first, second = first_of(forger), newest(forger)
    assert first["officers"][4]["name"] != second["officers"][4]["name"]
    path = drill_of(forger, policy_id(first), 5)
    forger.put(path, sign("drill", forger.value(path), forger.world.keys[second["officers"][4]["name"]].sign))
    found = forger.verdict()
    assert "B_SIG" in found["manifest"] and "B_POLICY" in found["sealed_bids"]


def test_a_drill_for_the_policy_of_before(alive: Finished) -> None:
    """The new seat 5 drilled under the first policy is no drill under the second: bids sealed under it came too soon."""
    forger = forged(alive)
    first, second = first_of(forger), newest(forger)
    path = drill_of(forger, policy_id(second), 5)
    forger.change(
        path, lambda value: value.update(policy=policy_id(first)), forger.world.keys[first["officers"][4]["name"]].sign
    )
    found = forger.rewritten()
    assert "B_BID" in found["sealed_bids"]


def test_a_drill_after_the_publication(alive: Finished) -> None:
    """A drill of the published policy that stands in the log only once bids were taken."""
    forger = forged(alive)
    first, second = first_of(forger), newest(forger)
    late, early = drill_of(forger, policy_id(second), 5), drill_of(forger, policy_id(first), 5)
    value = forger.value(early)
    entry = forger.entry_of("drill", lambda one: bool(one["statement"] == document_hash(value)))
    del forger.files[early], forger.files[entry]
    for name in forger.below("ticks/"):
        del forger.files[name]
    forger.change(late, lambda old: (old.clear(), old.update(value)), forger.world.keys["officer5"].sign)
    assert told(forger, "officers who did not open the drill bid")
