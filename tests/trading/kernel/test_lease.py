"""What a lease names: a database by a name that all who write to it share and no copy has, a process by more than its number."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import Engine

from trading.kernel import lease
from trading.kernel.db import open_engine
from trading.kernel.lease import Holder


def test_names_of_databases_and_processes(engine: Engine) -> None:
    again = open_engine(engine.url.render_as_string(hide_password=False))
    assert lease.database_of(engine) == lease.database_of(again)
    again.dispose()
    mine = lease.of_process(engine).renewed()
    assert mine.stands() and lease.of_json(mine.to_json()) == mine
    assert not Holder(**{**mine.to_json(), "started": "1"}).stands()  # the number is another process's by now
    assert not Holder(**{**mine.to_json(), "until": int(time.time())}).stands()
    assert Holder(**{**mine.to_json(), "host": "another", "started": "1"}).stands()  # nobody here can know
    wrongs: list[object] = [{}, [], mine.to_json() | {"pid": "1"}, mine.to_json() | {"more": 1}]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="lease"):
            lease.of_json(wrong)


def test_another_database_of_the_same_server_has_another_name(engine: Engine) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("SQLite's databases are files")
    other = open_engine(engine.url.set(database="postgres").render_as_string(hide_password=False))
    assert lease.database_of(engine) != lease.database_of(other)
    other.dispose()
