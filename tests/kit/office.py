"""An office for tests: real engine, real blobs, real keys, and a clock the test moves."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from crypto.keys import new_secret
from tests.kit import data_keys
from trading.kernel.audit import PlatformKeys
from trading.kernel.blobs import LocalBlobs
from trading.kernel.clock import SetClock
from trading.kernel.work import Office

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
PLATFORM = "bidhall.example"


def make_office(engine: Engine, folder: Path, at: datetime = START) -> Office:
    """An office whose clock is a SetClock (``office.clock.set(...)``)."""
    data_keys.attach(engine)
    return Office(
        engine, SetClock(at), LocalBlobs(folder / "blobs"), PLATFORM, PlatformKeys(new_secret(), new_secret())
    )
