"""What a data folder remembers of its backups: when the last one was taken and when one was last looked through, for `bidhall doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from trading.kernel.memory import write_whole

FILE = "backups.json"


@dataclass(frozen=True)
class State:
    """Moments as written in documents, "" for never. ``folder`` and ``name``: the newest backup; ``missing``: how many blobs it lacks."""

    folder: str = ""
    name: str = ""
    at: str = ""
    checked_at: str = ""
    missing: int = 0


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
