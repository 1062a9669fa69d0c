"""Co-opening by real steps: the bidder's own part between the set and the shares (protocol §5 step 3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crypto.canonical import format_time, unb64u
from crypto.documents import sign_document
from crypto.headers import parse_header
from crypto.opening import make_bidder_part
from tests.kit import opening_steps, sealing
from tests.kit.stages import reach
from tests.kit.world import World
from trading import timeline
from trading.hall import legal_effects
from trading.kernel.errors import Invalid, NotFound, TooEarly, TooLate, WrongStep
from trading.opening import ceremony, co_opening, opening_set, rules, shares


def listed(world: World, co: bool = True) -> str:
    """Three bids under a policy with co-opening; the set is published, bidders may post their parts."""

    def build(world: World) -> str:
        ref = world.lot("BIDDING", co_opening=co)
        forms = {
            name: opening_steps.form(price=f"{2_700_000 + 10_000 * at}.00") for at, name in enumerate(world.bidders)
        }
        opening_steps.bid(world, ref, forms)
        sealing.close(world, ref)
        with world.work("host") as work:
            opening_set.list_bids(work, world.lot_in(work, ref))
        return ref

    return str(reach(world, f"co/{co}", build))


def row_of(world: World, unit: Any, ref: str) -> ceremony.Opening:
    return ceremony.opening(unit.session, world.lot_in(unit, ref))


def part_of(world: World, ref: str, username: str, **changes: Any) -> Any:
    """What a bidder's client makes of the package."""
    with world.view(username, sealing.SIGNER) as view:
        package = co_opening.package(view, row_of(world, view, ref))
        document = make_bidder_part(
            parse_header(unb64u(package["header"])),
            secret=world.keys[username].seal,
            set_=package["set"],
            at=format_time(view.now),
        )
    return sign_document("bidder-part", document | changes, world.keys[username].sign)


def post(world: World, ref: str, username: str, envelope: Any) -> co_opening.BidderPart:
    with world.work(username, sealing.SIGNER) as work:
        return co_opening.accept(work, row_of(world, work, ref), envelope)


def on(world: World, ref: str, *, ticking: bool) -> None:
    """To the moment shares are taken from: with the clock ticking, or standing still as in an outage."""
    with world.view("clock") as view:
        begins = row_of(world, view, ref).shares_from
    while ticking and world.now + timedelta(seconds=60) < begins:
        world.clock.advance(seconds=60)
        timeline.turn(world.office)
    world.clock.set(begins)
    timeline.turn(world.office)


def verdicts(world: World, ref: str) -> dict[str, tuple[str, str]]:
    with world.view("host") as view:
        names = {world.party_ids[name]: name for name in world.bidders}
        return {
            names[bid.party_id]: (bid.verdict, bid.cause)
            for bid in ceremony.opened_bids(view.session, row_of(world, view, ref))
        }


def test_every_part_given_and_all_bids_open(world: World) -> None:
    ref = listed(world)
    for username in world.bidders:
        post(world, ref, username, part_of(world, ref, username))
    on(world, ref, ticking=True)
    opening_steps.open_set(world, ref)
    assert set(verdicts(world, ref).values()) == {("opened", "")}


def test_officers_alone_open_nothing_and_the_bidder_who_stays_away_counts_as_revoked(world: World) -> None:
    ref = listed(world)
    for username in world.bidders[:2]:
        post(world, ref, username, part_of(world, ref, username))
    on(world, ref, ticking=True)
    opening_steps.open_set(world, ref)
    assert verdicts(world, ref)[world.bidders[2]] == ("BIDDER_PART_MISSING", "bidder")
    with world.view("host") as view:
        found = legal_effects.of_party(view.session, world.lot_in(view, ref), world.party_ids[world.bidders[2]])
        assert found is not None and found.outcome.result == "treated_as_revoked"


def test_a_platform_that_stood_still_in_the_window_bears_the_fault(world: World) -> None:
    ref = listed(world)
    for username in world.bidders[:2]:
        post(world, ref, username, part_of(world, ref, username))
    on(world, ref, ticking=False)
    opening_steps.open_set(world, ref)
    assert verdicts(world, ref)[world.bidders[2]] == ("BIDDER_PART_MISSING", "platform")


def test_no_share_is_taken_before_the_bidders_window_is_over(world: World) -> None:
    ref = listed(world)
    world.clock.advance(minutes=5)
    with pytest.raises(TooEarly, match="share.too_early"):
        opening_steps_share(world, ref)


def opening_steps_share(world: World, ref: str) -> None:
    with world.work("officer1") as work:
        row = row_of(world, work, ref)
        shares.accept_share(
            work,
            row,
            sign_document(
                "shares",
                {"v": 1, "at": format_time(work.now), "set": row.set_hash, "j": 1, "items": []},
                world.keys["officer1"].sign,
            ),
        )


def test_a_part_after_the_window_is_too_late(world: World) -> None:
    ref = listed(world)
    made = part_of(world, ref, "bidder1")
    on(world, ref, ticking=False)
    with pytest.raises(TooLate, match="part.too_late"):
        post(world, ref, "bidder1", made)


def test_a_wrong_part_is_refused_at_once_and_the_right_one_is_taken_once(world: World) -> None:
    ref = listed(world)
    good = part_of(world, ref, "bidder1")
    for changed in ({"part": "A" * 43}, {"set": "A" * 43}, {"header_hash": "A" * 43}):
        with pytest.raises(Invalid, match="part.bad"):
            post(world, ref, "bidder1", part_of(world, ref, "bidder1", **changed))
    with pytest.raises(Invalid, match="part.bad"):
        post(world, ref, "bidder2", good)
    first = post(world, ref, "bidder1", good)
    assert post(world, ref, "bidder1", good).c == first.c
    with world.view("clock") as view:
        assert len(co_opening.parts(view.session, row_of(world, view, ref))) == 1


def test_where_no_co_opening_is_agreed_no_part_is_taken(world: World) -> None:
    ref = listed(world, False)
    with pytest.raises(WrongStep, match="part.not_asked"):
        part_of(world, ref, "bidder1")


def test_who_has_no_bid_in_the_set_has_no_part(world: World) -> None:
    ref = listed(world)
    with pytest.raises(NotFound, match="part.no_bid"), world.view("buyer") as view:
        co_opening._bid(view, row_of(world, view, ref))


@pytest.mark.parametrize(
    ("moments", "still"), [((0, 60, 120, 180), False), ((0, 121, 180), True), ((50, 100, 150), False), ((), True)]
)
def test_an_outage_is_a_stretch_without_a_tick(moments: tuple[int, ...], still: bool) -> None:
    begins = datetime(2026, 3, 24, 2, 0, tzinfo=UTC)
    ticks = [begins + timedelta(seconds=at) for at in moments]
    assert rules.stood_still(ticks, begins, begins + timedelta(seconds=200)) is still
