"""What the last `bidhall doctor --note` found, in a file of the data folder: its colour and moment, for /metrics; no word of a finding."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from trading.kernel.clock import parse_moment, write_moment
from trading.kernel.errors import NotReady
from trading.kernel.memory import write_whole

FILE = "doctor.json"


@dataclass(frozen=True)
class Examined:
    """``at``: a moment as written in documents, "" for never."""

    at: str = ""
    errors: int = 0
    warnings: int = 0

    @property
    def moment(self) -> datetime | None:
        try:
            return parse_moment(self.at) if self.at else None
        except NotReady:
            return None


def read(data: Path) -> Examined:
    """An unreadable file says nothing, as none does."""
    try:
        found = json.loads((data / FILE).read_bytes())
        return Examined(str(found["at"]), int(found["errors"]), int(found["warnings"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Examined()


def note(data: Path, at: datetime, levels: Iterable[str]) -> None:
    """Raises: OSError."""
    told = list(levels)
    made = Examined(write_moment(at), told.count("error"), told.count("warning"))
    write_whole(data / FILE, json.dumps(asdict(made)).encode() + b"\n")
