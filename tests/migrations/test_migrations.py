"""The schema the migrations make is the schema the code means, on both databases; append-only tables are append-only there too."""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, text

from migrations import runner
from trading.kernel.db import APPEND_ONLY, Base, open_engine

ROOT = Path(__file__).parent.parent.parent


def test_every_module_that_owns_a_table_is_imported() -> None:
    before = set(importlib.import_module("migrations.tables").METADATA.tables)
    for room in ("trading", "evaluation", "deposits", "web"):
        for path in sorted((ROOT / room).rglob("*.py")):
            if "__tablename__" in path.read_text(encoding="utf-8"):
                importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    assert set(Base.metadata.tables) == before


def test_migrations_make_just_the_tables_of_the_code(databases: Any) -> None:
    with databases.fresh(empty=True) as url:
        engine = open_engine(url)
        assert runner.pending(engine) != []
        assert runner.upgrade(engine) != []
        assert runner.pending(engine) == [] and runner.upgrade(engine) == []
        assert runner.drift(engine) == []
        assert set(Base.metadata.tables) <= set(inspect(engine).get_table_names())
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                made = connection.execute(text("SELECT tbl_name FROM sqlite_master WHERE type = 'trigger'")).scalars()
            else:
                made = connection.execute(text("SELECT event_object_table FROM information_schema.triggers")).scalars()
            assert {t.name for t in APPEND_ONLY} <= set(made)
        engine.dispose()


def checks(url: str, make: Callable[[Engine], object]) -> set[tuple[str, str | None, str]]:
    """Table, name and text of every CHECK constraint of a database made by ``make``."""
    engine = open_engine(url)
    make(engine)
    looked = inspect(engine)
    found = {
        (table, one["name"], one["sqltext"])
        for table in Base.metadata.tables
        for one in looked.get_check_constraints(table)
    }
    engine.dispose()
    return found


def test_migrations_make_just_the_checks_of_the_code(databases: Any) -> None:
    """A state, kind or role that the code has and a CHECK of an older revision forbids; the comparison of tables does not look at these."""
    with databases.fresh(empty=True) as one, databases.fresh(empty=True) as other:
        migrated, declared = checks(one, runner.upgrade), checks(other, Base.metadata.create_all)
    assert len(declared) > 50
    assert {"only migrated": migrated - declared, "only declared": declared - migrated} == {
        "only migrated": set(),
        "only declared": set(),
    }


@pytest.mark.parametrize("path", sorted((ROOT / "migrations" / "versions").glob("0*.py")), ids=lambda p: p.name)
def test_revisions_are_numbered_and_follow_one_another(path: Path) -> None:
    found = re.search(r"^revision = '(\d{4})'", path.read_text(encoding="utf-8"), re.M)
    assert found is not None and path.name.startswith(found.group(1) + "_")


def test_a_revision_that_has_landed_is_never_edited() -> None:
    """Databases out there were made by them, triggers stand in them as text. A new revision gets its line (``sha256sum 0022_name.py``)."""
    lines = (ROOT / "migrations" / "frozen.txt").read_text(encoding="ascii").splitlines()
    frozen = {name: digest for digest, name in (line.split() for line in lines)}
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (ROOT / "migrations" / "versions").glob("0*.py")
    }
    assert files == frozen
