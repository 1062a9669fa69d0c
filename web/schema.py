"""Is the database there and of this version? Apart from wiring.py, so that a desk that asks for an office does not know every table."""

from __future__ import annotations

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from migrations import runner
from trading.kernel.errors import NotReady


def check_ready(engine: Engine) -> None:
    """Refuses: NotReady ``database.unreachable``, ``database.pending`` with the pending revisions."""
    try:
        with engine.connect().execution_options(bidhall_readonly=True) as connection:
            connection.execute(text("SELECT 1"))
        todo = runner.pending(engine)
    except SQLAlchemyError as error:
        raise NotReady("database.unreachable", reason=type(error).__name__) from error
    if todo:
        raise NotReady("database.pending", revisions=todo)


def migrate(engine: Engine) -> list[str]:
    """Apply pending revisions. Refuses: NotReady ``database.unreachable``."""
    try:
        return runner.upgrade(engine)
    except SQLAlchemyError as error:
        raise NotReady("database.unreachable", reason=type(error).__name__) from error
