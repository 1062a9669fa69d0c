"""What is asked of the database while something is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from tests.kit.world import World


@contextmanager
def asked(world: World) -> Iterator[list[str]]:
    """The statements sent, in order; filled while the block runs."""
    found: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        found.append(statement)

    event.listen(world.office.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(world.office.engine, "before_cursor_execute", note)
