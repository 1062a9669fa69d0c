"""What a data folder remembers of its backups: when the last one was taken and when one was last looked through, for `bidhall doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from trading.kernel.clock import parse_moment
from trading.kernel.errors import NotReady
from trading.kernel.memory import write_whole

FILE = "backups.json"
DAY, DRILL = timedelta(days=1), timedelta(days=31)
"""How old the last backup may be, and the last look through one."""


@dataclass(frozen=True)
class State:
    """Moments as written in documents, "" for never. ``folder`` and ``name``: the newest backup; ``missing``: how many blobs it lacks."""

    folder: str = ""
    name: str = ""
    at: str = ""
    checked_at: str = ""
    missing: int = 0

    @property
    def taken(self) -> datetime | None:
        return _moment(self.at)

    @property
    def checked(self) -> datetime | None:
        return _moment(self.checked_at)

    def is_old(self, now: datetime) -> bool:
        """Whether another backup is due."""
        return self.taken is None or now - self.taken > DAY

    def is_unchecked(self, now: datetime) -> bool:
        """Whether one should be looked through again."""
        return self.checked is None or now - self.checked > DRILL


def _moment(text: str) -> datetime | None:
    """None for none, and for what is no moment."""
    try:
        return parse_moment(text) if text else None
    except NotReady:
        return None


def read(data: Path) -> State:
    """An unreadable file says nothing, as none does."""
    try:
        found = json.loads((data / FILE).read_bytes())
        words = {name: str(found[name]) for name in ("folder", "name", "at", "checked_at")}
        return State(missing=int(found["missing"]), **words)
    except (OSError, ValueError, KeyError, TypeError):
        return State()


def note(data: Path, **facts: str | int) -> None:
    """Raises: OSError."""
    made = replace(read(data), **facts)  # type: ignore[arg-type]
    write_whole(data / FILE, json.dumps(asdict(made), indent=1).encode() + b"\n")
