"""When the last byte of a request arrived: what counts at a deadline, whatever our own queue, locks or checks did after it (promise R2).

The moment is taken at the edge of the house: by the kernel for each piece of a request (web/http/edge.py hands it on with the socket), or
by a proxy before us, in a header that only the settings can name. Where neither is there (a rehearsal's server, another system than Linux)
it is the moment at which the request had been read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from trading.kernel import clock
from trading.kernel.clock import Clock

EDGE = "gunicorn.socket"
"""Where the server keeps the line of a request; ``heard_at`` stands on it if it is one of ours."""


def arrived_at(environ: Mapping[str, Any], present: Clock, header: str = "") -> datetime:
    """The moment of the last byte read so far, by the office's clock; ask for it once the whole form is read. ``header``: the one in which
    a trusted proxy says it, as seconds since 1970 with a fraction (nginx: ``$msec``)."""
    return present.now() - timedelta(microseconds=_nanoseconds_ago(environ, header) // 1000)


def _nanoseconds_ago(environ: Mapping[str, Any], header: str) -> int:
    told = environ.get("HTTP_" + header.upper().replace("-", "_"), "") if header else ""
    if told.isascii() and told.replace(".", "", 1).isdigit() and len(told) <= 20:
        return clock.since_wall(int(Decimal(told) * 10**9))
    heard_at = getattr(environ.get(EDGE), "heard_at", 0)
    return clock.since_monotonic(heard_at) if heard_at else 0
