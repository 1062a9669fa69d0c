"""Stages of a world, reached once a run by the front door and copied afterwards (tests/kit/kept.py): a lot closed, opened or evaluated
costs milliseconds then.

    ref = reach(world, "listed", build)     # build(world) -> str plays the real acts, whose outcome is kept

Worlds with other numbers of bidders have stages of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.kit import evaluation_steps, kept, opening_steps, sealing
from tests.kit.world import World
from trading.awarding import awards, contracts
from trading.opening import ceremony
from trading.procedures import procedure_of


def reach(world: World, name: str, build: Callable[[World], Any]) -> Any:
    """What ``build`` returns, with the world as ``build`` left it. ``name`` must name everything that ``build`` does; a stage of another
    function is another stage, whatever its name."""
    return kept.played(world, f"{build.__module__}.{build.__qualname__} {name}", build)


# --- the stages most tests begin at ---------------------------------------------------------------------------------------


def bidding(world: World, regime: str = "GP") -> str:
    """A lot that takes bids, three bidders taking part, nobody has bid."""

    def build(world: World) -> str:
        ref = world.lot("BIDDING", regime)
        world.take_part(ref)
        sealing.open_for_bids(world, ref)
        return ref

    return str(reach(world, f"bidding/{regime}", build))


def bid(world: World, regime: str = "GP") -> str:
    """Every bidder has a bid in, the log has it."""

    def build(world: World) -> str:
        ref = bidding(world, regime)
        for at, username in enumerate(world.bidders):
            form = opening_steps.form(regime, price=f"{2_700_000 + 10_000 * at}.00")
            made = sealing.seal(world, ref, username, form=form, data=b"offer of " + username.encode())
            assert sealing.hand_in(world, ref, username, *made).accepted
        world.tick()
        return ref

    return str(reach(world, f"bid/{regime}", build))


def closed(world: World, regime: str = "GP") -> str:
    """The deadline is over and the closing tick sealed; the set is not published."""

    def build(world: World) -> str:
        ref = bid(world, regime)
        sealing.close(world, ref)
        return ref

    return str(reach(world, f"closed/{regime}", build))


def listed(world: World, regime: str = "GP") -> str:
    """The set is published and shares are taken from now on."""

    def build(world: World) -> str:
        ref = closed(world, regime)
        sealing.list_set(world, ref)
        return ref

    return str(reach(world, f"listed/{regime}", build))


def shared(world: World, regime: str = "GP") -> str:
    """Every officer has released its shares; nothing is decrypted."""

    def build(world: World) -> str:
        ref = listed(world, regime)
        for username in opening_steps.ALL:
            opening_steps.share(world, ref, username)
        return ref

    return str(reach(world, f"shared/{regime}", build))


def proposed(world: World, regime: str = "GP") -> str:
    """The panel has concluded: the award is proposed."""

    def build(world: World) -> str:
        evaluation_steps.library(world)
        return evaluation_steps.evaluated(world, regime)

    return str(reach(world, f"proposed/{regime}", build))


def contracted(world: World, regime: str = "GP") -> str:
    """The contract is signed, published and filed: every notice of the regular course is out."""

    def build(world: World) -> str:
        ref = proposed(world, regime)
        with world.work("agent") as work:
            lot = world.lot_in(work, ref)
            if procedure_of(lot).award.publicity is not None:
                awards.publicise(work, lot)
        world.clock.advance(days=10)
        with world.work("buyer") as work:
            awards.decide(work, world.lot_in(work, ref))
        with world.work("agent") as work:
            price = awards.announce(work, world.lot_in(work, ref)).price_minor
        world.clock.advance(days=3)
        assert price is not None
        signed = world.now - timedelta(hours=1)
        with world.work("agent") as work:
            contracts.record(work, world.lot_in(work, ref), number="HT-2026-01", amount_minor=price, signed_at=signed)
        with world.work("agent") as work:
            contracts.publish_and_file(work, world.lot_in(work, ref))
        return ref

    return str(reach(world, f"contracted/{regime}", build))


def opening_of(world: World, unit: Any, ref: str) -> ceremony.Opening:
    return ceremony.opening(unit.session, world.lot_in(unit, ref))
