"""A connection as the edge holds it: read with the kernel's time stamps, gathered until its request is whole, and given up when it is slow.

A thread is given to a request whose bytes are here; a line that has sent half of one costs some memory and no thread. What is too large
to be held is read by a thread, at a minimum rate, and so is every answer written: whoever sends or reads more slowly than a poor
telephone line is let go. Uploads can be gone on with where they were.
"""

from __future__ import annotations

import errno
import os
import re
import select
import socket
import struct
import time
from typing import Any

from trading.kernel import clock

SO_TIMESTAMPNS = 35
"""Linux's number; the socket module has no name for it. Elsewhere it is refused or means nothing, and the moment of reading is taken."""
LONGEST_LINE = 200
HEAD_SECONDS = 20
"""From the first moment of a line, or of its next request, until its head is here."""
HEAD_MOST = 64 << 10
SMALL = 256 << 10
"""Bytes of a body that are held until all of it is here; larger ones flow through a thread."""
IDLE_SECONDS, GRACE_SECONDS, LEAST_RATE = 10, 20, 4096
"""A thread waits so long for the next bytes of a line; after so much waiting in all it wants so many bytes a second."""
PIECE = 64 << 10
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,15})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_CHUNKED = re.compile(rb"^transfer-encoding:", re.IGNORECASE | re.MULTILINE)
_EXPECTS = re.compile(rb"^expect:[ \t]*100-continue", re.IGNORECASE | re.MULTILINE)


def stamping(line: Any) -> None:
    """Ask the kernel for time stamps, on a door for all who come through it."""
    try:
        line.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    except OSError:
        return


def _stamp(notes: list[tuple[int, int, bytes]]) -> int:
    """The kernel's time stamp in nanoseconds since 1970, 0 where there is none."""
    for level, kind, value in notes:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS) and len(value) == 16:
            seconds, nanoseconds = struct.unpack("qq", value)
            return int(seconds) * 10**9 + int(nanoseconds)
    return 0


class StampedSocket(socket.socket):
    """A connection that knows when the last byte read from it had arrived: ``heard_at``, in nanoseconds of the
    clock since boot, 0 before; ``read_at``: when we read it; ``stamp``: what the wall clock showed, 0 for none.

    ``early``: what was gathered and no thread has read yet; ``length``: of the body, None before the head is here; ``left``: bytes of this
    request nobody has read, None where that is not known: no more is given out, so that what follows waits its own turn. ``ended``:
    nothing more will come; ``refused``: the answer to a request that is not read."""

    heard_at = read_at = stamp = 0
    early: bytearray
    length: int | None
    left: int | None
    ended, refused = False, b""
    _waited_ns = _came = _sought = 0

    @classmethod
    def over(cls, plain: socket.socket) -> StampedSocket:
        made = cls(plain.family, plain.type, plain.proto, fileno=plain.detach())
        stamping(made)
        made.early = bytearray()
        made.begins()
        return made

    def setblocking(self, flag: bool) -> None:
        """A thread that reads or writes never waits for ever."""
        self.settimeout(IDLE_SECONDS if flag else 0)

    # --- gathering --------------------------------------------------------------------------------------------------------

    def begins(self) -> None:
        """The next request of this line begins."""
        self.length = self.left = None
        self.refused = b""
        self._waited_ns = self._came = self._sought = 0

    def gather(self) -> bool:
        """Take what is there, without waiting. True once a thread has something to do."""
        for _ in range(8):  # and no more at once, for others are waiting to be looked at
            if self._is_whole():
                return True
            try:
                piece = self._read(PIECE, socket.MSG_DONTWAIT)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError:
                piece = b""
            if not piece:
                self.ended = True
                return False
            self.early += piece
        return self._is_whole()

    @property
    def flows(self) -> bool:
        """Whether a thread must wait for bytes of this request."""
        return self.left is None or self.left > len(self.early)

    def _is_whole(self) -> bool:
        if self.length is None:
            while self.early[:2] == b"\r\n":  # a line's end that some send after a body
                del self.early[:2]
                self._sought = 0
            end = self.early.find(b"\r\n\r\n", max(0, self._sought - 3))
            self._sought = len(self.early)
            if end < 0:
                self.refused = b"" if len(self.early) <= HEAD_MOST else b"431 Request Header Fields Too Large"
                return bool(self.refused)
            head = bytes(self.early[: end + 2])
            found = _LENGTH.findall(head)
            self.length = int(found[0]) if len(found) == 1 else 0
            self.left = end + 4 + self.length
            self.refused = b"" if _CHUNKED.search(head) is None else b"411 Length Required"
            if self.refused or _EXPECTS.search(head) is not None:
                return True
        assert self.left is not None
        return self.length > SMALL or self.left <= len(self.early)

    # --- reading and writing ----------------------------------------------------------------------------------------------

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Raises: ConnectionResetError for a line that is too slow."""
        most = size if self.left is None else min(size, self.left)
        if self.early:
            data = bytes(self.early[:most])
            del self.early[:most]
        elif most:
            data = self._patiently(most, flags)
        else:
            data = b""
        if self.left is not None:
            self.left -= len(data)
        return data

    def read_away(self) -> bytes:
        """Bytes nobody wants any more, without waiting."""
        return super().recv(PIECE, socket.MSG_DONTWAIT)

    def peek(self) -> bytes:
        """What can be read at once of the request's first line."""
        if self.early:
            return bytes(self.early[:LONGEST_LINE])
        try:
            return super().recv(LONGEST_LINE, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:
            return b""

    def _patiently(self, size: int, flags: int) -> bytes:
        since = time.monotonic_ns()
        try:
            data = self._read(size, flags)
        except TimeoutError as error:
            raise _slow() from error
        self._waited_ns += time.monotonic_ns() - since
        self._came += len(data)
        if _is_slow(self._waited_ns, self._came):
            raise _slow()
        return data

    def _read(self, size: int, flags: int) -> bytes:
        data, notes, _flags, _address = self.recvmsg(size, 64, flags)
        if data:
            stamp = _stamp(notes)
            heard_at, self.read_at = clock.steady_of(stamp), clock.steady_ns()
            if heard_at >= self.heard_at:
                self.heard_at, self.stamp = heard_at, stamp
        return data

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Raises: ConnectionResetError for a reader that is too slow."""
        rest, since = memoryview(data).cast("B"), time.monotonic_ns()
        sent = 0
        while sent < len(rest):
            try:
                sent += self.send(rest[sent : sent + PIECE], flags)
            except TimeoutError as error:
                raise _slow() from error
            if sent < len(rest) and _is_slow(time.monotonic_ns() - since, sent):
                raise _slow()

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """As ``sendall``, without the bytes passing through us."""
        end = offset + (count if count is not None else os.fstat(file.fileno()).st_size - offset)
        at, since = offset, time.monotonic_ns()
        while at < end:
            if not select.select([], [self], [], IDLE_SECONDS)[1]:
                raise _slow()
            try:
                sent = os.sendfile(self.fileno(), file.fileno(), at, min(PIECE, end - at))
            except BlockingIOError:
                continue
            if not sent:
                break
            at += sent
            if at < end and _is_slow(time.monotonic_ns() - since, at - offset):
                raise _slow()
        return at - offset


def _is_slow(waited_ns: int, count: int) -> bool:
    return waited_ns > GRACE_SECONDS * 10**9 and count * 10**9 < waited_ns * LEAST_RATE


def _slow() -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, "too slow")


def seconds_for(length: int | None) -> int:
    """How long a request may take until all of it that is held is here; ``length``: of its body, if that is known."""
    return HEAD_SECONDS + (length or 0) // LEAST_RATE
