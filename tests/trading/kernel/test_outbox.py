"""Messages: once per key, with the transaction or not at all, tried again ever later."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.kit.rows import unchanged
from tests.kit.world import World
from trading.kernel import outbox
from trading.kernel.outbox import MAX_TRIES, Message


@pytest.fixture
def world(engine, tmp_path) -> World:  # type: ignore[no-untyped-def]
    return World(engine, tmp_path)


def due(world: World) -> list[Message]:
    with world.view("clock") as view:
        return outbox.due(view.session, view.now)


def send(world: World, key: str, **facts: Any) -> None:
    with world.work("clerk") as work:
        work.send(key, to="party:1", template="t", **facts)


def test_a_key_is_sent_once(world: World) -> None:
    send(world, "a", n=1)
    with unchanged(world):
        send(world, "a", n=2)
    assert [(m.key, m.facts) for m in due(world)] == [("a", {"n": 1})]


def test_nothing_leaves_a_unit_that_fails(world: World) -> None:
    with unchanged(world), pytest.raises(RuntimeError), world.work("clerk") as work:
        work.send("a", to="party:1", template="t")
        raise RuntimeError
    assert due(world) == []


def test_oldest_first_and_only_what_is_due(world: World) -> None:
    for key in ("b", "a", "c"):
        send(world, key)
        world.clock.advance(seconds=1)
    assert [m.key for m in due(world)] == ["b", "a", "c"]
    with world.view("clock") as view:
        assert [m.key for m in outbox.due(view.session, view.now, limit=2)] == ["b", "a"]
        assert outbox.due(view.session, view.now - timedelta(hours=1)) == []


def test_what_fails_waits_longer_each_time_and_is_given_up_at_last(world: World) -> None:
    send(world, "a")
    waits = []
    for tries in range(1, MAX_TRIES + 1):
        with world.work("clock") as work:
            (message,) = outbox.due(work.session, work.now)
            outbox.mark_failed(message, work.now)
            waits.append(message.due_at - work.now)
            assert message.tries == tries
        assert due(world) == []
        world.clock.set(world.now + waits[-1])
    assert waits == sorted(waits) and waits[0] == timedelta(seconds=60) and due(world) == []


def test_what_is_sent_is_not_sent_again(world: World) -> None:
    send(world, "a")
    with world.work("clock") as work:
        outbox.mark_sent(outbox.due(work.session, work.now)[0], work.now)
    assert due(world) == []
    send(world, "a")
    assert due(world) == []
