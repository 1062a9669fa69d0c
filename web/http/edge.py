"""The edge of the house: each connection is listened to with the kernel's own time stamps, and who hands in a bid is served first.

A worker may be busy, a thread wait for a lock, a signature take its time: the kernel notes for every piece of a request when it came in
(``SO_TIMESTAMPNS``), so the moment of the last byte is known however late we read it (promise R2). A line with nothing to say costs no
thread. Submitting, withdrawing and fetching a receipt go before uploads, uploads before all else (promises, shedding order), and some
threads are kept for them alone, so that slow uploads can never shut them out. Of the rest only some are worked on at once: in a rush each
of them would take its share of the one interpreter from those who hand in. How long they wait is the load by which pages are put off
(web/http/shedding.py).
"""

from __future__ import annotations

import errno
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent import futures
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from trading.kernel import clock
from web.http.shedding import LOAD, Load

SO_TIMESTAMPNS = 35
"""Linux's number; the socket module has no name for it. Elsewhere it is refused or means nothing, and the moment of reading is taken."""
KEPT = 8
"""Threads of each worker for the most urgent requests alone."""
OTHERS, STREAMS = 2, 3
"""The ranks of what is neither handing in nor uploading, and of live streams, which hold a thread and hardly use it."""
AT_ONCE = 12
"""Of rank ``OTHERS`` so many are worked on at once in each worker."""
LONGEST_LINE = 200
URGENT = ("/acts/submit", "/acts/withdraw", "/acts/prove-attempt")


class StampedSocket(socket.socket):
    """A connection that knows when the last byte read from it had arrived: ``heard_at``, in nanoseconds of the
    clock since boot, 0 before; ``read_at``: when we read it; ``stamp``: what the wall clock showed, 0 for none."""

    heard_at = read_at = stamp = 0

    @classmethod
    def over(cls, plain: socket.socket) -> StampedSocket:
        made = cls(plain.family, plain.type, plain.proto, fileno=plain.detach())
        stamping(made)
        return made

    def recv(self, size: int, flags: int = 0) -> bytes:
        data, notes, _flags, _address = self.recvmsg(size, 64, flags)
        if data and not flags & socket.MSG_PEEK:
            stamp = _stamp(notes)
            heard_at, self.read_at = clock.steady_of(stamp), clock.steady_ns()
            if heard_at >= self.heard_at:
                self.heard_at, self.stamp = heard_at, stamp
        return data

    def peek(self) -> bytes:
        """What can be read at once of the request's first line."""
        try:
            return super().recv(LONGEST_LINE, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:
            return b""


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


def rank_of(first_line: bytes) -> int:
    """How urgent a request is: 0 handing in and its receipt, 1 uploading, 2 everything else, 3 live streams."""
    method, _, rest = first_line.decode("latin-1").partition(" ")
    path = rest.split(" ", 1)[0].split("?", 1)[0]
    if path == "/time" or path.startswith("/bidder/receipts") or (method == "POST" and path.endswith(URGENT)):
        return 0
    if path.startswith("/uploads/"):
        return 1
    return STREAMS if path.startswith("/live/") else OTHERS


class RankedPool:
    """Threads that take the most urgent request first; ``kept`` of them take no others than rank 0, and no more than ``others`` at once
    are of rank ``OTHERS``. ``load`` learns how long they wait."""

    def __init__(self, threads: int, kept: int, others: int = AT_ONCE, load: Load = LOAD) -> None:
        self._waiting: tuple[deque[_Task], ...] = (deque(), deque(), deque(), deque())
        self._others, self._most, self._load = 0, others, load
        load.oldest = self._oldest
        self._lock = threading.Lock()
        self._news, self._urgent_news = threading.Condition(self._lock), threading.Condition(self._lock)
        self._open = True
        for number in range(threads):
            threading.Thread(
                target=self._serve, args=(1 if number < kept else STREAMS + 1,), name=f"edge-{number}", daemon=True
            ).start()

    def submit(self, do: Callable[[Any], Any], conn: Any) -> futures.Future[Any]:
        task: _Task = (futures.Future(), do, conn, time.monotonic_ns())
        rank = rank_of(conn.sock.peek())
        with self._lock:
            if not self._open:
                raise RuntimeError("the pool is shut")
            self._waiting[rank].append(task)
            self._news.notify()
            if not rank:
                self._urgent_news.notify()
        return task[0]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing more; what waits is still done, unless ``cancel_futures``. The threads end with the process."""
        with self._lock:
            self._open = False
            if cancel_futures:
                for queue in self._waiting:
                    while queue:
                        queue.popleft()[0].cancel()
            self._news.notify_all()
            self._urgent_news.notify_all()

    def _oldest(self) -> int:
        with self._lock:
            return min((queue[0][3] for queue in self._waiting[:STREAMS] if queue), default=0)

    def _next(self, ranks: int) -> tuple[int, _Task] | None:
        news = self._urgent_news if ranks == 1 else self._news
        with self._lock:
            while True:
                for rank, queue in enumerate(self._waiting[:ranks]):
                    if queue and (rank != OTHERS or self._others < self._most):
                        self._others += rank == OTHERS
                        return rank, queue.popleft()
                if not self._open and not any(self._waiting[:ranks]):
                    return None
                news.wait()

    def _serve(self, ranks: int) -> None:
        while (found := self._next(ranks)) is not None:
            rank, (future, do, conn, since) = found
            self._load.waited(time.monotonic_ns() - since)
            try:
                if future.set_running_or_notify_cancel():
                    future.set_result(do(conn))
            except BaseException as error:  # the worker's own loop deals with it
                future.set_exception(error)
            if rank == OTHERS:
                with self._lock:
                    self._others -= 1
                    self._news.notify()
            del found, future, do, conn


_Task = tuple[futures.Future[Any], Callable[[Any], Any], Any, int]


class EdgeWorker(ThreadWorker):
    """gunicorn's worker of threads, with stamped lines and ranks."""

    def get_thread_pool(self) -> RankedPool:
        return RankedPool(self.cfg.threads, min(KEPT, self.cfg.threads // 4))

    def run(self) -> None:
        for door in self.sockets:
            stamping(door)
        super().run()

    def accept(self, listener: Any) -> None:
        """A new line waits in the poller until it says something."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        self.nr_conns += 1
        conn = TConn(self.cfg, StampedSocket.over(client), address, listener.getsockname())
        conn.set_timeout()
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))
