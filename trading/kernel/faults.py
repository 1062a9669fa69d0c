"""Places where a test may let this process fail: killed, out of disk, slow (promises R3, R5, R6, R14).

``fault("name")`` stands between two steps that a crash must not tear apart. It does nothing unless the environment armed it before the
process began, and the wiring of a platform refuses to start armed outside a data folder made for rehearsal.

    BIDHALL_TEST_FAULT="blob.linked:kill@1"             SIGKILL to itself at the first pass
    BIDHALL_TEST_FAULT="blob.linked:down@1"             SIGKILL to its whole process group: a server with all its workers at once
    BIDHALL_TEST_FAULT="spool.piece:ENOSPC@2+"          OSError at the second pass and every one after it
    BIDHALL_TEST_FAULT="*:kill@17"                      at the 17th pass of any point: for N = 1, 2, 3 … every step dies once
    BIDHALL_TEST_FAULT="decrypt.bid:sleep=0.2@1+"       so many seconds
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections import Counter
from dataclasses import dataclass

VARIABLE = "BIDHALL_TEST_FAULT"
ANY = "*"


@dataclass(frozen=True)
class Armed:
    """What happens at which pass of a point. ``onwards``: and at every later one."""

    point: str
    what: str
    at: int
    onwards: bool


def parse(text: str) -> tuple[Armed, ...]:
    """The orders of an environment variable, parted by commas. Raises: ValueError."""
    found = []
    for order in filter(None, (part.strip() for part in text.split(","))):
        point, colon, rest = order.rpartition(":")
        what, _, when = rest.partition("@")
        number = when.removesuffix("+") or "1"
        if not (colon and point and number.isdigit() and int(number)) or not _known(what):
            raise ValueError(f"{VARIABLE}: {order}")
        found.append(Armed(point, what, int(number), when.endswith("+")))
    return tuple(found)


def _known(what: str) -> bool:
    if what.startswith("sleep="):
        return what.removeprefix("sleep=").replace(".", "", 1).isdigit()
    return what in ("kill", "down") or (what.startswith("E") and isinstance(getattr(errno, what, None), int))


_armed: tuple[Armed, ...] = parse(os.environ.get(VARIABLE, ""))
_passes: Counter[str] = Counter()


def arm(text: str) -> None:
    """Arm this process anew and count from nothing; "" disarms it. For a worker a test has forked."""
    global _armed
    _armed = parse(text)
    _passes.clear()


def armed() -> bool:
    return bool(_armed)


def fault(name: str) -> None:
    """A step ends here. Raises: OSError where a test wants one."""
    if not _armed:
        return
    _passes[name] += 1
    _passes[ANY] += 1
    for one in _armed:
        if one.point in (name, ANY):
            count = _passes[one.point]
            if count == one.at or (one.onwards and count > one.at):
                _fail(one.what, name)


def _fail(what: str, name: str) -> None:
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "down":
        os.killpg(0, signal.SIGKILL)
    elif what.startswith("sleep="):
        time.sleep(float(what.removeprefix("sleep=")))
    else:
        number = getattr(errno, what)
        raise OSError(number, os.strerror(number), name)
