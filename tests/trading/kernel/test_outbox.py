"""Messages: once per key, with the transaction or not at all. How they leave: tests/web/workers/test_letters.py."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from tests.kit.rows import unchanged
from tests.kit.world import World
from trading.kernel.outbox import Message


@pytest.fixture
def world(engine, tmp_path) -> World:  # type: ignore[no-untyped-def]
    return World(engine, tmp_path)


def put_out(world: World) -> list[Message]:
    with world.view("clock") as view:
        return list(view.session.scalars(select(Message).order_by(Message.id)))


def send(world: World, key: str, **facts: Any) -> None:
    with world.work("clerk") as work:
        work.send(key, to="party:1", template="t", **facts)


def test_a_key_is_sent_once(world: World) -> None:
    send(world, "a", n=1)
    with unchanged(world):
        send(world, "a", n=2)
    assert [(m.key, m.facts) for m in put_out(world)] == [("a", {"n": 1})]


def test_nothing_leaves_a_unit_that_fails(world: World) -> None:
    with unchanged(world), pytest.raises(RuntimeError), world.work("clerk") as work:
        work.send("a", to="party:1", template="t")
        raise RuntimeError
    assert put_out(world) == []
