"""The only way in to the schema: no alembic.ini. Pending, plan, upgrade, drift."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

import migrations
from migrations.tables import METADATA
from trading.kernel import at_rest


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    keys = partial(at_rest.ring_of, connection.engine) if connection is not None else None
    config.attributes.update(connection=connection, metadata=METADATA, data_keys=keys)
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(None))


@dataclass(frozen=True)
class Standing:
    """How a database stands to this program. ``applied``: its revision, "" without tables; ``head``: the program's newest; ``pending``: not
    yet applied, oldest first, as ``id: message``; ``is_known``: False for a revision that only a newer program has."""

    applied: str
    head: str
    pending: list[str]
    is_known: bool


def standing(engine: Engine) -> Standing:
    """One question to the database, and the revisions read once."""
    scripts = _scripts()
    with engine.connect().execution_options(bidhall_readonly=True) as connection:
        at = applied(connection)
    revisions = {script.revision: script.doc for script in scripts.walk_revisions()}  # newest first, one after another
    is_known = not at or at in revisions
    later = list(itertools.takewhile(lambda one: one != at, revisions)) if is_known else []
    return Standing(at, str(scripts.get_current_head()), [f"{one}: {revisions[one]}" for one in later[::-1]], is_known)


def applied(connection: Connection) -> str:
    """The revision of a database, "" without tables."""
    return MigrationContext.configure(connection).get_current_revision() or ""


def knows(revision: str) -> bool:
    """Whether this program has such a revision; "" for a database without tables is known."""
    return not revision or any(script.revision == revision for script in _scripts().walk_revisions())


def head() -> str:
    """The newest revision of this program."""
    return str(_scripts().get_current_head())


def pending(engine: Engine) -> list[str]:
    """Revisions not yet applied, oldest first, as ``id: message``."""
    return standing(engine).pending


def upgrade(engine: Engine) -> list[str]:
    """Apply what is pending, in one transaction; returns what was applied. Refuses: IntegrityError when a row would point to nothing."""
    todo = pending(engine)
    if todo:
        with engine.connect() as connection, _keys_unwatched(connection), connection.begin():
            command.upgrade(_config(connection), "head")
            _refuse_loose(connection)
    return todo


@contextmanager
def _keys_unwatched(connection: Connection) -> Iterator[None]:
    """SQLite changes a CHECK by making the table anew, and lets nobody drop one that others point to: what points where is asked once, at
    the end (sqlite.org/lang_altertable.html, 7). The pragma acts outside transactions alone."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def _refuse_loose(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        loose = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if loose:
            tables = ", ".join(sorted({str(row[0]) for row in loose}))
            raise IntegrityError(f"{len(loose)} rows point to nothing: {tables}", None, ValueError())


def drift(engine: Engine) -> list[Any]:
    """What the tables in code have that the database lacks, or the other way round: empty when they agree."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, METADATA))


def revision(engine: Engine, message: str, number: str) -> None:
    """Write a new revision from the difference (developers only)."""
    with engine.begin() as connection:
        command.revision(_config(connection), message=message, autogenerate=True, rev_id=number)
