"""Taking the drop's tickets over into the platform: called by the clock each minute, and by `bidhall drop import`."""

from __future__ import annotations

from pathlib import Path

from crypto.keys import ed25519_public
from trading.bidding import drop_tickets
from trading.kernel.access import CLOCK
from trading.kernel.work import Office
from web.workers.watch import drop
from web.workers.watch.process import FOLDER, key_of

_seen: dict[Path, int] = {}


def take_over(office: Office, data: Path, file: Path | None = None, key: bytes | None = None) -> int:
    """Take over what is new in the drop's file; returns how many lines are no ticket of this drop. A file that has not grown since this
    process last looked is not read again."""
    path = file or data / FOLDER / drop.FILE
    if not path.exists() or _seen.get(path) == path.stat().st_size:
        return 0
    size = path.stat().st_size
    drop_key = key or ed25519_public(key_of(data, drop.KIND))
    with office.work(CLOCK) as work:
        _, wrong = drop_tickets.take_over(work, drop.lines(path), drop_key)
    _seen[path] = size
    return wrong
