"""The base price of works: bound by its hash, published in the hall, never another one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.kit import sealing
from tests.kit.opening_steps import form
from tests.kit.world import DEADLINE, World
from trading.hall import base_prices
from trading.kernel.access import Role
from trading.kernel.errors import Conflict, Invalid, NotAllowed, NotReady, Refusal, TooLate, WrongStep
from trading.kernel.money import Money

SALT = bytes(range(32))


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    return World(engine, tmp_path)


def document(world: World, ref: str, price: str = "2800000.00", salt: bytes = SALT) -> dict[str, Any]:
    with world.view("clock") as view:
        return base_prices.document_of(world.office.platform, world.lot_in(view, ref), Money.parse(price), salt)


def bind(world: World, ref: str, value: dict[str, Any], username: str = "buyer") -> None:
    with world.work(username) as work:
        base_prices.bind(work, world.lot_in(work, ref), base_prices.commitment_of(value))


def publish(world: World, ref: str, value: Any, username: str = "buyer") -> None:
    with world.work(username) as work:
        base_prices.publish(work, world.lot_in(work, ref), value)


def listed(world: World, *, bound: bool = True) -> str:
    ref = world.lot(regime="WORKS")
    world.take_part(ref)
    sealing.open_for_bids(world, ref)
    if bound:
        bind(world, ref, document(world, ref, "2790000.00"))
        bind(world, ref, document(world, ref))  # bound anew: the last one counts
    for username in world.bidders:
        assert sealing.hand_in(world, ref, username, *sealing.seal(world, ref, username, form=form("WORKS"))).accepted
    sealing.close(world, ref)
    if bound:
        with pytest.raises(WrongStep, match="base_price.not_now"):
            publish(world, ref, document(world, ref))
    sealing.list_set(world, ref)
    return ref


@pytest.mark.rule("C-07")
def test_what_was_bound_is_published_once_and_nothing_else(world: World) -> None:
    ref = listed(world)
    good = document(world, ref)
    for wrong in (document(world, ref, "2790000.00"), document(world, ref, salt=bytes(32))):
        with pytest.raises(Invalid, match="base_price.differs"):
            publish(world, ref, wrong)
    odds: tuple[Any, ...] = (
        {},
        [],
        "2800000.00",
        good | {"lot": "9"},
        good | {"price": "2800000"},
        good | {"price": "2,800,000.00"},
        good | {"salt": "x"},
        good | {"more": ""},
        {**good, "price": 2800000},
        good | {"v": True},
    )
    for odd in odds:
        with pytest.raises(Invalid, match="base_price.document"):
            publish(world, ref, odd)
    with world.view("clock") as view:
        row = base_prices.find(view.session, world.lot_in(view, ref))
        assert row is not None and row.price_minor is None and row.salt == ""
    publish(world, ref, good)
    with world.view("clock") as view:
        lot = world.lot_in(view, ref)
        row = base_prices.find(view.session, lot)
        assert (
            row is not None
            and base_prices.price_of(row, lot) == Money.parse("2800000.00")
            and row.published_at is not None
        )
    with pytest.raises(Conflict, match="base_price.published"):
        publish(world, ref, good)


@pytest.mark.rule("C-07")
def test_nothing_is_bound_after_the_deadline_nor_published_unbound(world: World) -> None:
    ref = listed(world, bound=False)
    with pytest.raises(TooLate):
        bind(world, ref, document(world, ref))
    with pytest.raises(NotReady, match="base_price.none"):
        publish(world, ref, document(world, ref))


def test_only_works_and_only_its_own_people_have_a_base_price(world: World) -> None:
    goods, works = world.lot(regime="GP"), world.lot(regime="WORKS")
    with pytest.raises(WrongStep, match="base_price.works_only"):
        bind(world, goods, document(world, goods))
    for username in ("agent", "host", "clerk"):
        with pytest.raises(NotAllowed):
            bind(world, works, document(world, works), username)
    with pytest.raises(NotAllowed), world.work("bidder1", Role.BIDDER_SIGNER) as work:
        base_prices.bind(work, world.lot_in(work, works), base_prices.commitment_of(document(world, works)))
    for text in ("", "short", "=" * 43):
        with pytest.raises(Refusal), world.work("buyer") as work:
            base_prices.bind(work, world.lot_in(work, works), text)
    world.clock.set(DEADLINE - timedelta(seconds=1))
    bind(world, works, document(world, works))
