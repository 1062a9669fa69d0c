"""When the last byte of a request arrived: what counts at a deadline, whatever our own queue, locks or checks did after it (promise R2).

The moment is taken at the edge of the house: by the kernel for each piece of a request (web/http/edge.py hands it on with the socket), or
by a proxy before us, in a header that only the settings can name. Where neither is there (a rehearsal's server, another system than Linux)
it is the moment at which the request had been read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from trading.kernel import clock
from trading.kernel.clock import Clock, Span

EDGE = "gunicorn.socket"
"""Where the server keeps the line of a request; ``heard_at`` stands on it if it is one of ours."""


class Stamped(NamedTuple):
    """What a line says of its last byte: as a moment of the clock since boot, when we had read it, and what some wall clock showed."""

    heard_at: int
    read_at: int
    stamp: int


def arrived_at(environ: Mapping[str, Any], present: Clock, header: str = "") -> Span:
    """The moment of the last byte read so far, by the office's clock; ask for it once the whole form is read. ``header``: the one in which
    a trusted proxy says it, as seconds since 1970 with a fraction (nginx: ``$msec``).

    A stamp of the wall clock means nothing where that clock was in doubt since: then the byte came between what the stamp says and the
    moment at which it was read, by whichever clock."""
    line = _stamped(environ, header)
    if line is None:
        return present.span()
    if present.certain_since(line.heard_at):
        return Span.at(present.now() - _ago(line.heard_at))
    read = [moment - _ago(line.read_at) for moment in present.span()]
    stamp = clock.wall_moment(line.stamp)
    if stamp is None or (
        stamp > max(read) and present.doubt() is None
    ):  # ahead of what the clock says, now that it is right again
        return Span.over(*read)
    return Span.over(*read, stamp)


def _ago(steady: int) -> timedelta:
    return timedelta(microseconds=clock.since_steady(steady) // 1000)


def _stamped(environ: Mapping[str, Any], header: str) -> Stamped | None:
    told = environ.get("HTTP_" + header.upper().replace("-", "_"), "") if header else ""
    if told.isascii() and told.replace(".", "", 1).isdigit() and len(told) <= 20:
        stamp = int(Decimal(told) * 10**9)
        return Stamped(clock.steady_of(stamp), clock.steady_ns(), stamp) if clock.since_wall(stamp) else None
    line = environ.get(EDGE)
    heard_at = getattr(line, "heard_at", 0)
    return Stamped(heard_at, getattr(line, "read_at", 0), getattr(line, "stamp", 0)) if heard_at else None
