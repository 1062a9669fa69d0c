"""Two envelopes, by real steps: technical bids reviewed and scored, the result fixed, then the prices opened and ranked (protocol §5)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from crypto.canonical import b64u, format_time, unb64u
from crypto.headers import open_share, parse_header
from crypto.opening import LEFT_SEALED
from crypto.signatures import sign
from evaluation.panels import panels
from evaluation.reporting import conclusion, queries, report
from evaluation.scoring import price_review, sheets
from tests.kit import evaluation_steps as steps
from tests.kit import opening_steps, sealing
from tests.kit.opening_steps import form
from tests.kit.stages import reach
from tests.kit.world import World
from trading import publication
from trading.bidding import bids
from trading.custody import officers
from trading.kernel.audit import document
from trading.kernel.errors import Conflict, Invalid, WrongStep
from trading.opening import ceremony, opening_set, shares

PRICES = {"bidder1": "2700000.00", "bidder2": "2600000.00", "bidder3": "2500000.00", "bidder4": "2400000.00"}
FORMS = {name: form(price=price) for name, price in PRICES.items()}


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return World(engine, tmp_path, bidders=4)


def technically_open(world: World) -> str:
    def build(world: World) -> str:
        steps.library(world)
        return steps.opened(world, forms=FORMS, two_envelopes=True)

    return str(reach(world, "two/open", build))


def fixed(world: World) -> str:
    """bidder4, the cheapest, is rejected technically; the result is fixed."""

    def build(world: World) -> str:
        ref = technically_open(world)
        steps.qualify(world, ref)
        steps.seated(world, ref)
        steps.conform(world, ref, reject=("bidder4",))
        steps.score(world, ref)
        steps.fix_technical(world, ref)
        return ref

    return str(reach(world, "two/fixed", build))


def priced(world: World) -> str:
    def build(world: World) -> str:
        ref = fixed(world)
        steps.open_prices(world, ref)
        return ref

    return str(reach(world, "two/priced", build))


def test_nothing_of_a_price_is_known_while_the_technical_bids_are_scored(world: World) -> None:
    ref = technically_open(world)
    with world.view("host") as view:
        lot = world.lot_in(view, ref)
        opened = ceremony.opened_of_lot(view.session, lot)
        assert len(opened) == 4
        assert all(bid.price_minor is None and not bid.form_faults and "price" not in bid.announce for bid in opened)
        assert price_review.prices(view.session, lot) == {} and lot.state == "QUAL_REVIEW"
    with pytest.raises(WrongStep, match="technical_first"), world.work("host") as work:
        opening_set.list_bids(work, world.lot_in(work, ref), officers.PRICE)


def test_the_technical_result_is_fixed_only_by_the_chair_once_every_sheet_is_revealed(world: World) -> None:
    ref = technically_open(world)
    steps.qualify(world, ref)
    steps.seated(world, ref)
    steps.conform(world, ref)
    kept = steps.commit_all(world, ref)
    with pytest.raises(WrongStep, match="panel.wrong_step"):
        steps.fix_technical(world, ref)
    steps.list_all(world, ref)
    for username, one in kept.items():
        steps.reveal_sheet(world, ref, username, one)
    other = next(name for name in steps.usernames(world, ref, "seated").values() if name != steps.chair_of(world, ref))
    with pytest.raises(Exception, match="panel.not_chair"), world.work(other) as work:
        conclusion.fix_technical(work, world.lot_in(work, ref))
    with pytest.raises(WrongStep, match="price.not_open"):
        steps.draw_up(world, ref)
    steps.fix_technical(world, ref)
    with pytest.raises(Conflict, match="technical.fixed"):
        steps.fix_technical(world, ref)


def test_after_that_neither_sheets_nor_members_change(world: World) -> None:
    ref = fixed(world)
    with pytest.raises(Conflict, match="technical.fixed"), world.work(steps.chair_of(world, ref)) as work:
        sheets.recheck(work, steps.panel_in(work, world, ref), ground="abnormal", reason="再看一次")
    with pytest.raises(Conflict, match="technical.fixed"), world.work("clerk") as work:
        panels.remove(work, steps.panel_in(work, world, ref), 2, reason="离席")


def test_the_price_of_a_bid_rejected_technically_stays_sealed_and_is_listed_as_unopened(world: World) -> None:
    ref = priced(world)
    with world.view("host") as view:
        lot = world.lot_in(view, ref)
        row = ceremony.opening(view.session, lot, officers.PRICE)
        assert len(row.bids) == 4 and len(row.left_sealed) == 1 and row.state == "CLOSED" and lot.state == "EVALUATION"
        ((name, left),) = row.left_sealed.items()
        assert left["ground"] == "rejected"
        stayed = next(bid for bid in ceremony.opened_bids(view.session, row) if bid.header_hash == name)
        assert (
            stayed.party_id == world.party_ids["bidder4"]
            and stayed.verdict == LEFT_SEALED
            and stayed.price_minor is None
        )
        assert not stayed.seed and not stayed.files and not stayed.announce
        assert name not in ceremony.headers(view.session, row)
        for share in ceremony.shares(view.session, row):
            assert name not in share.parts and share.errors[name] == LEFT_SEALED
        told = document(view.session, left["statement"])
        assert LEFT_SEALED in str(told) or told["signatures"]
        prices = price_review.prices(view.session, lot)
        assert {bid.price_minor for bid in prices.values()} == {270000000, 260000000, 250000000}


def test_a_share_of_what_stays_sealed_is_refused(world: World) -> None:
    ref = fixed(world)
    sealing.list_set(world, ref, officers.PRICE)
    with world.work("officer1") as work:
        row = ceremony.opening(work.session, world.lot_in(work, ref), officers.PRICE)
        policy = officers.policy_document(officers.current_policy(work.session, row.lot, officers.PRICE))
        secret, items = world.policy_secret("officer1", policy), []
        for bid in bids.standing_bids(work.session, row.lot, officers.PRICE):
            part = open_share(parse_header(unb64u(bid.header)), 1, secret)
            items.append({"header_hash": bid.header_hash, "part": b64u(part), "error": ""})
        told = {"v": 1, "at": format_time(work.now), "set": row.set_hash, "j": 1, "items": items}
        with pytest.raises(Invalid, match="share.bad"):
            shares.accept_share(work, row, sign("shares", told, world.keys["officer1"].sign))


def test_ranking_follows_from_technical_points_and_the_opened_prices(world: World) -> None:
    ref = priced(world)
    with pytest.raises(Conflict, match="review.open"):
        steps.draw_up(world, ref)
    steps.conform_prices(world, ref)
    facts = steps.draw_up(world, ref)
    assert {one["bidder"]: one["quote"] for one in facts["bids"]} == {
        sealing.code_of(world, name): PRICES[name] for name in ("bidder1", "bidder2", "bidder3")
    }
    assert [(one["bidder"], one["stage"], one["quote"]) for one in facts["rejected"]] == [
        (sealing.code_of(world, "bidder4"), "conformity", "")
    ]
    for username in steps.usernames(world, ref, "seated").values():
        steps.sign_report(world, ref, username)
    award = steps.conclude(world, ref)
    assert award.ranking[0]["price_minor"] in (250000000, 260000000, 270000000)


def test_a_price_the_panel_rejects_is_not_ranked(world: World) -> None:
    ref = priced(world)
    steps.conform_prices(world, ref, reject=("bidder3",))
    facts = steps.draw_up(world, ref)
    assert sealing.code_of(world, "bidder3") not in {one["bidder"] for one in facts["bids"]}
    assert {one["stage"] for one in facts["rejected"]} == {"conformity", "price"}


def test_the_chairs_next_steps_lead_through_both_openings(world: World) -> None:
    def step(ref: str) -> str:
        with world.view(steps.chair_of(world, ref)) as view:
            return queries.room(view, world.lot_in(view, ref)).next_step

    ref = fixed(world)
    assert step(ref) == "wait_prices"
    steps.open_prices(world, ref)
    assert step(ref) == "conform_prices"
    with world.view(steps.chair_of(world, ref)) as view:
        cards = queries.room(view, world.lot_in(view, ref)).bids
        assert sum(1 for card in cards if card.offer is not None and card.price is not None) == 3
    steps.conform_prices(world, ref)
    assert step(ref) == "draw_up"


def test_too_few_prices_fail_the_lot(world: World) -> None:
    ref = priced(world)
    steps.conform_prices(world, ref, reject=("bidder3",))
    with world.work(steps.chair_of(world, ref)) as work:
        conclusion.fail(work, world.lot_in(work, ref), reason="有效报价不足三家")
    with world.view("host") as view:
        assert world.lot_in(view, ref).failure == "few_conforming"


def test_a_lone_envelope_is_no_bid_and_stays_sealed(world: World) -> None:
    steps.library(world)
    ref = opening_steps.open_lot(
        world, ref=steps.published(world, two_envelopes=True), forms=FORMS, only={"bidder4": (officers.BID,)}
    )
    with world.view("host") as view:
        lot = world.lot_in(view, ref)
        row = ceremony.opening(view.session, lot)
        assert [one["ground"] for one in row.left_sealed.values()] == ["incomplete"]
        assert len(ceremony.opened_of_lot(view.session, lot)) == 3


def test_fewer_than_three_whole_bids_and_nothing_is_opened(world: World) -> None:
    ref = steps.published(world, two_envelopes=True)
    opening_steps.bid(world, ref, FORMS, only={"bidder3": (officers.BID,), "bidder4": (officers.PRICE,)})
    sealing.close(world, ref)
    with world.view("host") as view:
        lot = world.lot_in(view, ref)
        assert len(bids.complete(view.session, lot)) == 2 and lot.failure == "few_bidders"


def test_the_bidder_is_told_what_is_missing(world: World) -> None:
    ref = steps.published(world, two_envelopes=True)
    (participant,) = world.take_part(ref, "bidder1")
    sealing.open_for_bids(world, ref)

    def missing() -> list[str]:
        with world.view("bidder1") as view:
            return bids.missing_parts(view.session, world.lot_in(view, ref), participant)

    assert missing() == []
    price = sealing.seal(world, ref, "bidder1", form={"price": "2700000.00"}, part=officers.PRICE)
    assert sealing.hand_in(world, ref, "bidder1", *price, part=officers.PRICE).accepted
    assert missing() == [officers.BID]
    told = {key: value for key, value in form().items() if key != "price"}
    assert sealing.hand_in(world, ref, "bidder1", *sealing.seal(world, ref, "bidder1", form=told)).accepted
    assert missing() == []


def test_an_envelope_handed_in_as_the_other_is_refused(world: World) -> None:
    ref = steps.published(world, two_envelopes=True)
    world.take_part(ref, "bidder1")
    sealing.open_for_bids(world, ref)
    made = sealing.seal(world, ref, "bidder1", form={"price": "2700000.00"}, part=officers.PRICE)
    with pytest.raises(Invalid, match="upload.not_sealed"):
        sealing.hand_in(world, ref, "bidder1", *made, part=officers.BID)


def test_a_price_that_will_not_open_is_out_of_the_ranking_with_its_verdict(world: World) -> None:
    ref = fixed(world)
    with world.view("host") as view:
        bad = next(
            bid
            for bid in bids.standing_bids(view.session, world.lot_in(view, ref), officers.PRICE)
            if bid.party_id == world.party_ids["bidder2"]
        )
    path = world.office.blobs.path(bad.blob)
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    steps.open_prices(world, ref)
    steps.conform_prices(world, ref)
    with world.view("host") as view:
        panel = steps.panel_in(view, world, ref)
        inputs = report.gather(view.session, panel)
        told = {bid.bidder: bid.finding for bid in inputs.bids if not bid.valid}
        assert told[sealing.code_of(world, "bidder2")]["reason"] == "SEALED_ROOT: platform"


def test_an_extension_moves_both_envelopes_at_once(world: World) -> None:
    ref = steps.published(world, two_envelopes=True)
    with world.view("host") as view:
        before = world.lot_in(view, ref).deadline
    assert before is not None
    later = before + timedelta(days=7)
    with world.work("agent") as work:
        publication.extend(work, world.lot_in(work, ref), deadline=later, reason="澄清较多")
    world.sign_policies(ref, only=("officer1", "officer2", "officer3", "officer4"))
    with world.view("host") as view:
        assert world.lot_in(view, ref).deadline == before
    world.sign_policies(ref, only=("officer5",))
    with world.view("host") as view:
        lot = world.lot_in(view, ref)
        assert lot.deadline == later
        assert {officers.current_policy(view.session, lot, part).deadline for part in officers.bid_envelopes(lot)} == {
            later
        }
