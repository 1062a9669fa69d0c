"""Whether the mirror answers: asked by an empty ping each minute, whatever happens, and noted in a file of the watch.

It says nothing about bids: the pace is fixed, the ping is empty, and what waits for the mirror is nobody's business.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

from crypto.canonical import parse_time
from crypto.errors import CryptoError
from trading.bidding.copies import LineDown
from trading.kernel.clock import floor_second, write_moment
from trading.kernel.work import Office
from web.workers.watch.process import folder_of, write_whole

FILE = "mirror.json"
STALE = timedelta(minutes=3)


def ping(office: Office, data: Path) -> bool:
    """Ask once and note the answer."""
    assert office.mirror is not None
    try:
        office.mirror.ping()
        answers = True
    except LineDown:
        answers = False
    told = {"at": write_moment(floor_second(office.clock.now())), "answers": answers}
    write_whole(folder_of(data) / FILE, json.dumps(told).encode() + b"\n", 0o600)
    return answers


def answers(data: Path, now: datetime) -> bool | None:
    """What the last ping found; None where there was none of late."""
    try:
        told = json.loads((data / "watch" / FILE).read_bytes())
        at, found = parse_time(told["at"]), bool(told["answers"])
    except (OSError, ValueError, KeyError, TypeError, CryptoError):
        return None
    return found if abs(now - at) <= STALE else None
