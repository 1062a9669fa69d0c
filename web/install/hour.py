"""What another clock says: a machine that is set up an hour off would date the beginning of its log wrong for ever.

SNTP (RFC 4330 §5): one packet, one answer; enough to tell an hour, a minute or seconds, and no more is asked of it.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from datetime import timedelta

from trading.kernel.clock import Machine

PORT, WAIT = 123, 3.0
"""WAIT: seconds for the answer."""
MOST = timedelta(seconds=2)
"""How far off the machine's clock may be when a platform begins."""
_SINCE_1900 = 2_208_988_800
"""Seconds from 1900 to 1970 (RFC 4330 §3)."""


def ahead_by(server: str) -> timedelta | None:
    """How far the machine's clock is ahead of a time server, ``host`` or ``host:port``; None where none answers, or it does not know
    itself."""
    host, _, port = server.rpartition(":") if server.count(":") == 1 else (server, "", str(PORT))
    with suppress(OSError, ValueError):
        family, kind, protocol, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as line:
            line.settimeout(WAIT)
            line.connect(address)
            sent = Machine().wall_ns()
            line.send(b"\x23" + bytes(39) + struct.pack(">Q", _stamp(sent)))
            answer = line.recv(512)
            came = Machine().wall_ns()
        if len(answer) < 48 or answer[0] & 7 != 4 or answer[0] >> 6 == 3 or not 0 < answer[1] < 16:
            return None
        asked, heard, told = struct.unpack(">24xQQQ", answer[:48])
        if asked != _stamp(sent):
            return None
        theirs = (_moment_ns(heard) + _moment_ns(told)) // 2
        return timedelta(microseconds=((sent + came) // 2 - theirs) // 1000)
    return None


def _stamp(wall_ns: int) -> int:
    """Nanoseconds since 1970 as a timestamp of 64 bits: seconds since 1900 and their fraction."""
    seconds, rest = divmod(wall_ns, 10**9)
    return ((seconds + _SINCE_1900) % 2**32) << 32 | (rest << 32) // 10**9


def _moment_ns(stamp: int) -> int:
    """The other way round; from 2036 on the seconds begin anew."""
    seconds = (stamp >> 32) + (2**32 if stamp >> 63 == 0 else 0) - _SINCE_1900
    return seconds * 10**9 + ((stamp & 0xFFFFFFFF) * 10**9 >> 32)
