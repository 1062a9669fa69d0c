"""How much room the disks of a platform have, and for how many weeks it lasts: a note a day, kept in the data folder.

What is told to others than whoever looks after the machine is coarse, since a large bid is room gone: half of what it was, or twice.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from trading.kernel.memory import write_whole
from web.settings import Settings

FILE = "room.json"
KEPT_DAYS, LEAST_DAYS = 28, 3
"""Over so many days at most it is reckoned, and over no fewer."""
SOON_WEEKS = 8
GB = 10**9


@dataclass(frozen=True)
class Disk:
    """``name``: data, blobs, second; ``weeks``: until it is full at the pace of the last weeks, None where it does not fill."""

    name: str
    folder: Path
    free: int
    size: int
    weeks: int | None

    @property
    def fills_soon(self) -> bool:
        return self.weeks is not None and self.weeks < SOON_WEEKS


def disks(settings: Settings) -> list[Disk]:
    """Each disk once, under the first name it has."""
    noted, found, seen = _read(settings.data), [], set()
    for name, folder in _folders(settings).items():
        if not folder.exists() or (device := folder.stat().st_dev) in seen:
            continue
        seen.add(device)
        usage = shutil.disk_usage(folder)
        found.append(Disk(name, folder, usage.free, usage.total, _weeks(name, noted, usage.free)))
    return found


def _folders(settings: Settings) -> dict[str, Path]:
    named = {"data": str(settings.data), "blobs": settings.blobs, "second": settings.mirror_dir}
    return {name: Path(text) for name, text in named.items() if text and "://" not in text}


def _weeks(name: str, noted: dict[str, dict[str, int]], free: int) -> int | None:
    """From the first to the last note: the day's own use is not looked at, so that no hour of it shows."""
    days = sorted(day for day, disks in noted.items() if name in disks)
    if len(days) < 2:
        return None
    apart = (date.fromisoformat(days[-1]) - date.fromisoformat(days[0])).days
    gone = noted[days[0]][name] - noted[days[-1]][name]
    return None if apart < LEAST_DAYS or gone <= 0 else min(free * apart // gone // 7, 520)


def coarse(free: int) -> int:
    """The power of two of GB that is free at least, in bytes; 0 below one."""
    return 0 if free < GB else GB << ((free // GB).bit_length() - 1)


def note(settings: Settings, now: datetime) -> None:
    """The first of a day stays. Raises: OSError."""
    noted, today = _read(settings.data), now.date().isoformat()
    if today in noted:
        return
    noted[today] = {one.name: one.free for one in disks(settings)}
    kept = dict(sorted(noted.items())[-KEPT_DAYS:])
    write_whole(settings.data / FILE, json.dumps(kept).encode() + b"\n")


def _read(data: Path) -> dict[str, dict[str, int]]:
    """Day → free bytes of each disk; an unreadable file says nothing."""
    try:
        found = json.loads((data / FILE).read_bytes())
        return {
            date.fromisoformat(day).isoformat(): {str(name): int(free) for name, free in disks.items()}
            for day, disks in found.items()
        }
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
