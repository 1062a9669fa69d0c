"""The demo town of `bidhall serve --demo`: what README's first command shows is played by real steps and leaves nobody a late duty."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from deposits import statement
from trading.kernel.clock import SystemClock
from trading.tenders import Lot
from web import town, wiring
from web.settings import read_settings


@pytest.mark.slow
@pytest.mark.skipif("BIDHALL_TEST_TOWN" not in os.environ, reason="a minute of its own: make town")
def test_the_town_has_a_lot_in_every_stage_and_nothing_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIDHALL_DATA", str(tmp_path / "town"))
    settings = read_settings()
    settings.data.mkdir(parents=True)
    (settings.data / "rehearsal").touch()
    told = town.fill(settings, lambda line: None)
    assert any("deadline in 15 minutes: /lots/" in line for line in told) and any("score sheets open to expert" in line for line in told)
    assert town.fill(settings, lambda line: pytest.fail("a town is not built twice")) == told
    engine = wiring.open_engine(settings.database)
    with Session(engine) as session:
        states = Counter(session.scalars(select(Lot.state)))
        money = statement.totals(session).as_json()
        soon = session.scalar(select(func.min(Lot.deadline)).where(Lot.deadline > SystemClock().now()))
    engine.dispose()
    assert states == {"CLOSING": 2, "FAILED": 1, "EVALUATION": 1, "OPENING": 1, "BIDDING": 2}
    assert soon is not None
    assert money["balanced"] and money["refunded"] == "744000.00"
