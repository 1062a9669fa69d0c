"""The only way in to the schema: no alembic.ini. Pending, plan, upgrade, drift."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

import migrations
from migrations.tables import METADATA


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, metadata=METADATA)
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(None))


def head() -> str:
    """The newest revision of this program."""
    return str(_scripts().get_current_head())


def applied(engine: Engine) -> str:
    """The revision of the database, "" for one without tables."""
    with engine.connect().execution_options(bidhall_readonly=True) as connection:
        return MigrationContext.configure(connection).get_current_revision() or ""


def knows(revision: str) -> bool:
    """Whether this program has a revision; a newer program's it has not."""
    return not revision or any(script.revision == revision for script in _scripts().walk_revisions())


def pending(engine: Engine) -> list[str]:
    """Revisions not yet applied, oldest first, as ``id: message``."""
    found = applied(engine)
    return [f"{script.revision}: {script.doc}" for script in _scripts().iterate_revisions("head", found or "base")][::-1]


def upgrade(engine: Engine) -> list[str]:
    """Apply what is pending, in one transaction; returns what was applied."""
    todo = pending(engine)
    if todo:
        with engine.begin() as connection:
            command.upgrade(_config(connection), "head")
    return todo


def drift(engine: Engine) -> list[Any]:
    """What the tables in code have that the database lacks, or the other way round: empty when they agree."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, METADATA))


def revision(engine: Engine, message: str, number: str) -> None:
    """Write a new revision from the difference (developers only)."""
    with engine.begin() as connection:
        command.revision(_config(connection), message=message, autogenerate=True, rev_id=number)
