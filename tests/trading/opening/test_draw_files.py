"""The escrow opening of a draw, offline: a tenderee that falls silent gains nothing, and a hall that cheats gets no part."""

from __future__ import annotations

import copy
import json
import secrets
from datetime import timedelta
from typing import Any

import pytest

from crypto import draws as rules
from crypto.canonical import b64u, format_time
from crypto.documents import sign_document
from crypto.errors import CryptoError
from crypto.policies import policy_id
from crypto.signatures import countersign, from_text, payload_of
from crypto.trust import trust_of
from tests.kit import sealing
from tests.kit.world import OFFICERS, World
from trading import draws
from trading.custody import officers
from trading.draws import TENDEREE
from trading.hall import package as opening_package
from trading.kernel.errors import NotAllowed, NotFound, WrongStep
from trading.opening.draw_files import check_draw, release_escrows
from trading.opening.files import from_files, to_files

Package = dict[str, Any]


def in_draw(unit: Any, world: World, ref: str) -> draws.Draw:
    return draws.draw(unit.session, world.lot_in(unit, ref), "experts")


def kit_of(world: World, ref: str) -> Package:
    with world.view("buyer") as view:
        return dict(json.loads(json.dumps(opening_package.draw_kit(view, in_draw(view, world, ref)))))


def listed(world: World) -> tuple[str, bytes]:
    """A draw of experts up to the signed commit list; (lot, the tenderee's secret bytes)."""
    ref = world.lot("BIDDING")
    with world.work("clerk") as work:
        draws.announce(work, world.lot_in(work, ref), label="experts", pool=[f"专家{n}" for n in range(9)], take=5)
    world.tick()
    with world.work("clerk") as work:
        draws.commit_platform(work, in_draw(work, world, ref))
    kit = kit_of(world, ref)
    policy = json.loads(payload_of(kit["policies"][-1]))
    notice = json.loads(payload_of(kit["notice"]))
    assert notice["policy"] == policy_id(policy) and kit["draw"] == notice["draw"] and "proof" in kit["notice_receipt"]
    r = secrets.token_bytes(32)
    header = rules.make_escrow(policy, draw=kit["draw"], party=TENDEREE, r=r)
    with world.work("buyer") as work:
        row = in_draw(work, world, ref)
        document = draws.commit_document(row, TENDEREE, r=r, header=header, at=format_time(work.now))
        draws.commit(work, row, sign_document("draw-commit", document, world.keys["buyer"].sign), header=header)
    world.tick()
    with world.work("clerk") as work:
        listing = draws.list_commits(work, in_draw(work, world, ref))
    assert kit_of(world, ref)["listing"] == listing
    with world.work("buyer") as work:
        draws.sign_list(
            work, in_draw(work, world, ref), countersign(from_text(json.dumps(listing)), world.keys["buyer"].sign)
        )
    world.tick()
    return ref, r


def package_of(world: World, ref: str, username: str = "officer1") -> Package:
    with world.view(username) as view:
        return dict(json.loads(json.dumps(opening_package.escrow_package(view, in_draw(view, world, ref)))))


def to_opening(world: World, ref: str) -> None:
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        at = officers.current_policy(view.session, lot, officers.draw_envelope("experts", lot)).opens_at
    world.clock.set(at)


def test_a_silent_tenderee_gains_nothing(world: World) -> None:
    ref, r = listed(world)
    with world.work("clerk") as work:
        draws.reveal_platform(work, in_draw(work, world, ref))
    to_opening(world, ref)
    for j, (username, _, _) in enumerate(OFFICERS[:3], start=1):
        package = package_of(world, ref, username)
        checked = check_draw(package, trust_of(package["trust"]), now=format_time(world.now))
        assert len(checked.headers) == 2
        document = release_escrows(
            checked, j=j, secret=world.policy_secret(username, checked.policy), now=format_time(world.now)
        )
        with world.work(username) as work:
            draws.release_escrow(
                work, in_draw(work, world, ref), sign_document("shares", document, world.keys[username].sign)
            )
    with world.work("clerk") as work:
        row = in_draw(work, world, ref)
        picked = draws.conclude(work, row)
        result = json.loads(payload_of(row.result))
        assert result["faults"] == [] and len(picked) == 5
        turns = {turn.party: turn for turn in row.turns}
        seed = rules.draw_seed(
            beacon="",
            commits=[sealing.unb64(turns[p].commit) for p in draws.PARTIES],
            draw=row.draw,
            pool=sealing.unb64(row.notice["pool"]),
            reveals=[sealing.unb64(turns["platform"].r), r],
            root=sealing.unb64(row.root or ""),
        )
        assert result["seed"] == b64u(seed)


def test_files_give_the_same_package_and_strangers_get_none(world: World) -> None:
    ref, _ = listed(world)
    package = package_of(world, ref)
    again = from_files(to_files(package))
    assert set(again) == set(package) and sorted(again["headers"]) == sorted(package["headers"])
    assert {**again, "headers": 0} == {**package, "headers": 0}
    with pytest.raises(NotAllowed), world.view("clerk") as view:
        opening_package.escrow_package(view, in_draw(view, world, ref))
    with pytest.raises((NotAllowed, NotFound)), world.view("agent") as view:
        opening_package.draw_kit(view, in_draw(view, world, ref))


def test_no_package_before_the_list_is_signed(world: World) -> None:
    ref = world.lot("BIDDING")
    with world.work("clerk") as work:
        draws.announce(work, world.lot_in(work, ref), label="experts", pool=["a", "b"], take=1)
    with pytest.raises(WrongStep), world.view("officer1") as view:
        opening_package.escrow_package(view, in_draw(view, world, ref))


def test_a_hall_that_cheats_gets_no_part(world: World) -> None:
    ref, _ = listed(world)
    to_opening(world, ref)
    package = package_of(world, ref)
    trust = trust_of(package["trust"])

    def refused(now: str = format_time(world.now), **changes: Any) -> str:
        with pytest.raises(CryptoError) as refusal:
            check_draw({**copy.deepcopy(package), **changes}, trust, now=now)
        return refusal.value.code

    with world.view("clock") as view:
        drill = officers.drill_of(view.session, officers.current_policy(view.session, world.lot_in(view, ref)))
    assert refused(now=format_time(world.now - timedelta(seconds=1))) == "UNAVAILABLE"
    assert refused(headers=package["headers"][1:]) == "SET_CONFLICT"
    assert refused(headers=[*package["headers"], drill.header]) == "SET_CONFLICT"
    assert refused(commits=package["commits"][::-1]) == "SIG"
    assert refused(commit_receipts=package["commit_receipts"][::-1]) == "CONTEXT_MISMATCH"
    assert refused(commits=package["commits"][:1]) == "CONTEXT_MISMATCH"
    alone = {**package["listing"], "signatures": package["listing"]["signatures"][:1]}
    assert refused(listing=alone) == "SIG"
    assert refused(listing_receipt={"entry": package["listing_receipt"]["entry"]}) == "TICK_PROOF"
    assert (
        refused(enrolments=[one for one in package["enrolments"] if b"tenderee" not in payload_of(one["document"])])
        == "SIG"
    )
    assert refused(policies=[]) == "JSON_PROFILE"
    assert refused(commits=None) == refused(enrolments=[1]) == "JSON_PROFILE" and refused(notice=7) == "SIG"
    assert refused(type="bidhall-opening") == "JSON_PROFILE"
