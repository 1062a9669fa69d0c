"""A bid whose price lies under officers who were replaced, while its other envelope was sealed anew: from the deposit paid through both
openings to the refund (protocol §5.3; rulebook §5.2, rule X-09; vectors ``etender.decrypt_outcome``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine

from crypto.verdicts import DEAD
from deposits.refunds import triggers
from tests.deposits.money_room import DEPOSIT, MoneyRoom
from tests.deposits.test_legal_effects import event
from tests.kit import evaluation_steps as steps
from tests.kit import opening_steps, replacing, sealing
from tests.kit.opening_steps import form
from tests.kit.rows import unchanged
from tests.kit.world import World
from tests.trading.vectors import vectors
from tests.web.bundles import play
from trading.bidding import bids, participants
from trading.custody import officers
from trading.hall import legal_effects
from trading.kernel.errors import Conflict
from trading.opening import ceremony, findings
from web.verifier import verify_bundle

(VECTOR,) = [one for vector in vectors("etender") for one in vector.values if one["id"] == "ET-DECRYPT-01"]
BY_CAUSE = {
    case["cause"]: tuple(VECTOR["expected"][name][at] for name in ("result", "deposit", "claim_for_loss"))
    for at, case in enumerate(VECTOR["inputs"]["cases"])
    if not case["decrypted"]
}
"""The statute's own table: cause → (result, what becomes of the deposit, whether the direct loss may be claimed)."""
NAMES = tuple(username for username, _ in replacing.DEADLY)


@dataclass(frozen=True)
class Dead:
    room: MoneyRoom
    ref: str
    subs: dict[str, str]


def statement_of(world: World, ref: str, username: str, part: str) -> str:
    with world.view(username, sealing.SIGNER) as view:
        held = bids.standing(view.session, participants.own(view, world.lot_in(view, ref)).id, part)
        assert held is not None
        return held.bid.statement


def told(world: World, ref: str, regime: str, username: str, part: str) -> dict[str, str]:
    with world.view("clock") as view:
        asked = {field["key"] for field in officers.form_of(world.lot_in(view, ref), part)}
    price = f"{2_700_000 + 10_000 * world.bidders.index(username)}.00"
    return {key: value for key, value in form(regime, price=price).items() if key in asked}


def seal_anew(world: World, ref: str, regime: str, username: str, part: str) -> None:
    made = sealing.seal(
        world,
        ref,
        username,
        part=part,
        form=told(world, ref, regime, username, part),
        replaces=statement_of(world, ref, username, part),
    )
    assert sealing.hand_in(world, ref, username, *made, part=part).accepted


@pytest.fixture(params=["GP", "WORKS"])
def dead(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> Dead:
    """Everybody pays and bids; so many officers are replaced that all of it is dead; everybody seals both envelopes anew, but bidder1
    only the technical one. Both openings are over."""
    world, regime = World(engine, tmp_path, bidders=4), request.param
    room = MoneyRoom(world, tmp_path / "bank.db")
    steps.library(world)
    ref = steps.published(world, regime, two_envelopes=True, deposit=world.lot_fields(regime)["deposit"])
    subs = room.take_part(ref)
    for username, sub in subs.items():
        room.pay_in(username, sub)
    room.fetch()
    sealing.open_for_bids(world, ref)
    for username in world.bidders:
        for part in (officers.BID, officers.PRICE):
            made = sealing.seal(world, ref, username, part=part, form=told(world, ref, regime, username, part))
            assert sealing.hand_in(world, ref, username, *made, part=part).accepted
    world.tick()
    replacing.replace_officers(world, ref, replacing.DEADLY, dies=True)
    for username in world.bidders:
        seal_anew(world, ref, regime, username, officers.BID)
        if username != "bidder1":
            seal_anew(world, ref, regime, username, officers.PRICE)
    world.tick()
    sealing.close(world, ref)
    sealing.list_set(world, ref)
    opening_steps.open_set(world, ref, came=NAMES)
    if regime == "GP":
        steps.qualify(world, ref)
    steps.seated(world, ref)
    steps.conform(world, ref)
    steps.score(world, ref)
    steps.fix_technical(world, ref)
    opening_steps.turn(world)
    sealing.list_set(world, ref, officers.PRICE)
    opening_steps.open_set(world, ref, came=NAMES, part=officers.PRICE)
    return Dead(room, ref, subs)


def verdicts(one: Dead, part: str) -> dict[str, tuple[str, str]]:
    with one.room.world.view("clock") as view:
        row = ceremony.opening(view.session, one.room.world.lot_in(view, one.ref), part)
        names = {one.room.world.party_ids[name]: name for name in one.room.world.bidders}
        return {names[bid.party_id]: (bid.verdict, bid.cause) for bid in ceremony.opened_bids(view.session, row)}


def rule(one: Dead, cause: str) -> None:
    world = one.room.world
    with world.work("host") as work:
        row = ceremony.opening(work.session, world.lot_in(work, one.ref), officers.PRICE)
        dead = next(bid for bid in ceremony.opened_bids(work.session, row) if bid.verdict == DEAD)
        findings.rule(
            work, row, header_hash=dead.header_hash, cause=cause, reasons="三方持有人均已更换，经核实由此方负责。"
        )


def test_only_the_price_is_dead_and_the_deposit_waits_for_the_ruling(dead: Dead) -> None:
    """Three officers of three sides are gone: whose fault that is nobody has proved, so nothing follows (rulebook §5.2, point 6)."""
    world = dead.room.world
    assert verdicts(dead, officers.BID)["bidder1"] == ("opened", "")
    found = verdicts(dead, officers.PRICE)
    assert found.pop("bidder1") == (DEAD, "unknown") and set(found.values()) == {("opened", "")}
    with world.view("clock") as view:
        effect = legal_effects.of_party(
            view.session, world.lot_in(view, dead.ref), world.party_ids["bidder1"], officers.PRICE
        )
        assert effect is not None and (effect.code, effect.outcome.result) == (DEAD, "ruling_required")
    assert event(dead.room, dead.ref, "bidder1") is None and dead.room.due() == []


@pytest.mark.parametrize("cause", ["platform", "tenderee"])
def test_ruled_to_be_no_fault_of_the_bidders_it_is_paid_back_at_once(dead: Dead, cause: str, tmp_path: Path) -> None:
    world, room = dead.room.world, dead.room
    rule(dead, cause)
    with world.view("clock") as view:
        effect = legal_effects.of_party(
            view.session, world.lot_in(view, dead.ref), world.party_ids["bidder1"], officers.PRICE
        )
        assert effect is not None and effect.cause == cause
        assert (effect.outcome.result, effect.outcome.deposit, effect.outcome.claim_for_loss) == BY_CAUSE[cause]
    found = event(room, dead.ref, "bidder1")
    assert found is not None and found[0] == triggers.DEEMED_WITHDRAWN
    assert all(event(room, dead.ref, username) is None for username in world.bidders[1:]), (
        "the others go on, and their deposits stay"
    )
    assert len(room.refund_all()) == 1
    (refund,) = room.refunds_of(dead.subs["bidder1"])
    assert refund.state == "CONFIRMED" and refund.amount_minor == DEPOSIT.minor
    assert not any(room.refunds_of(dead.subs[name]) for name in world.bidders[1:])
    assert room.refund_all() == [], "once"
    room.terminate(dead.ref)
    opening_steps.turn(world)
    for profile in ("audit", "public"):
        answer = verify_bundle(play.export(world, dead.ref, tmp_path, profile))
        assert play.broken(answer) == {}
        assert "earlier generations dead" in next(
            str(one["detail"]) for one in answer["claims"] if one["name"] == "sealed_bids"
        )


def test_ruled_to_be_the_bidders_fault_it_may_be_kept_and_is_not_paid_back(dead: Dead) -> None:
    rule(dead, "bidder")
    assert event(dead.room, dead.ref, "bidder1") is None and dead.room.due() == []
    with dead.room.world.view("clock") as view:
        known = triggers.facts(view.session, dead.room.world.lot_in(view, dead.ref))
        assert known.revoked == {dead.room.world.party_ids["bidder1"]}
        effect = legal_effects.of_party(view.session, known.lot, dead.room.world.party_ids["bidder1"], officers.PRICE)
        assert effect is not None
        assert (effect.outcome.result, effect.outcome.deposit, effect.outcome.claim_for_loss) == BY_CAUSE["bidder"]
    with unchanged(dead.room.world), pytest.raises(Conflict), dead.room.world.work("host") as work:
        row = ceremony.opening(work.session, dead.room.world.lot_in(work, dead.ref), officers.PRICE)
        other = next(bid for bid in ceremony.opened_bids(work.session, row) if bid.verdict == "opened")
        findings.rule(work, row, header_hash=other.header_hash, cause="bidder", reasons="没有理由的理由，写满十个字。")
