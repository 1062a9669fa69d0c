"""The edge of the house: each connection is listened to with the kernel's own time stamps, and who hands in a bid is served first.

A worker may be busy, a thread wait for a lock, a signature take its time: the kernel notes for every piece of a request when it came in
(``SO_TIMESTAMPNS``), so the moment of the last byte is known however late we read it (promise R2). A request gets a thread when its bytes
are here, or when they are too many to be held (web/http/lines.py). Submitting, withdrawing and fetching a receipt go before uploads,
uploads before all else (promises, shedding order), and some threads are kept for them alone. Large bodies flow through some of the others
only, of the rest only some are worked on at once: in a rush each of them would take its share of the one interpreter from those who hand
in. One address has no more than its part of these. How long they wait is the load by which pages are put off (web/http/shedding.py).
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from web.http.lines import StampedSocket, seconds_for, stamping
from web.http.shedding import LOAD, Load

KEPT = 8
"""Threads of each worker for the most urgent requests alone."""
OTHERS, STREAMS, BODIES = 2, 3, 4
"""The ranks of what is neither handing in nor uploading; of live streams, which hold a thread and hardly use it; and of large bodies that
flow through a thread."""
AT_ONCE = 12
"""Of rank ``OTHERS`` so many are worked on at once in each worker."""
FLOWING = 32
"""Of rank ``BODIES``."""
EACH = {OTHERS: 8, STREAMS: 12, BODIES: 12}
"""Of these ranks one address has so many threads of each worker at once: an office works, and leaves others room."""
LINES_EACH = 512
"""Lines one address holds open in each worker."""
HELD_MOST = 64 << 20
"""Bytes of unfinished requests a worker holds."""
LINGER_SECONDS, LINGER_MOST = 2, 64 << 10
"""A line we have answered and close is listened to for so long, so that the answer is not cut off."""
LOOK_SECONDS = 1
NEAR = ("127.0.0.1", "::1", "")
"""Addresses without a limit of their own: a proxy's, and this machine's."""
URGENT = ("/acts/submit", "/acts/withdraw", "/acts/prove-attempt")
REFUSED = b"HTTP/1.1 %b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def rank_of(first_line: bytes) -> int:
    """How urgent a request is: 0 handing in and its receipt, 1 uploading, 2 everything else, 3 live streams."""
    method, _, rest = first_line.decode("latin-1").partition(" ")
    path = rest.split(" ", 1)[0].split("?", 1)[0]
    if path == "/time" or path.startswith("/bidder/receipts") or (method == "POST" and path.endswith(URGENT)):
        return 0
    if path.startswith("/uploads/"):
        return 1
    return STREAMS if path.startswith("/live/") else OTHERS


@dataclass(slots=True)
class _Task:
    """``held``: it waited for others of its own address."""

    future: futures.Future[Any]
    do: Callable[[Any], Any]
    conn: Any
    since: int
    address: str
    held: bool = False


class RankedPool:
    """Threads that take the most urgent request first; ``kept`` of them take no others than rank 0, and no more than ``others`` at once
    are of rank ``OTHERS``. ``load`` learns how long they wait."""

    def __init__(self, threads: int, kept: int, others: int = AT_ONCE, load: Load = LOAD) -> None:
        self._waiting: tuple[deque[_Task], ...] = tuple(deque() for _ in range(BODIES + 1))
        self._most = {OTHERS: others, BODIES: FLOWING}
        self._running: Counter[int] = Counter()
        self._each: Counter[tuple[int, str]] = Counter()
        self._load = load
        load.oldest = self._oldest
        self._lock = threading.Lock()
        self._news, self._urgent_news = threading.Condition(self._lock), threading.Condition(self._lock)
        self._open = True
        for number in range(threads):
            threading.Thread(
                target=self._serve, args=(1 if number < kept else BODIES + 1,), name=f"edge-{number}", daemon=True
            ).start()

    def submit(self, do: Callable[[Any], Any], conn: Any) -> futures.Future[Any]:
        task = _Task(futures.Future(), do, conn, time.monotonic_ns(), getattr(conn, "address", ""))
        rank = BODIES if getattr(conn.sock, "flows", False) else rank_of(conn.sock.peek())
        with self._lock:
            if not self._open:
                raise RuntimeError("the pool is shut")
            self._waiting[rank].append(task)
            self._news.notify()
            if not rank:
                self._urgent_news.notify()
        return task.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing more; what waits is still done, unless ``cancel_futures``. The threads end with the process."""
        with self._lock:
            self._open = False
            if cancel_futures:
                for queue in self._waiting:
                    while queue:
                        queue.popleft().future.cancel()
            self._news.notify_all()
            self._urgent_news.notify_all()

    def _oldest(self) -> int:
        """Since when the first waits that does not wait for its own address: nobody else is put off for what one of them asks."""
        with self._lock:
            firsts = (
                next((task for task in queue if not task.held and not self._has_its_part(rank, task)), None)
                for rank, queue in enumerate(self._waiting[:STREAMS])
            )
            return min((task.since for task in firsts if task is not None), default=0)

    def _has_its_part(self, rank: int, task: _Task) -> bool:
        return task.address not in NEAR and rank in EACH and self._each[rank, task.address] >= EACH[rank]

    def _first(self, rank: int) -> _Task | None:
        """The first of a rank that may be taken up now."""
        queue = self._waiting[rank]
        if rank in self._most and self._running[rank] >= self._most[rank]:
            return None
        for place, task in enumerate(queue):
            if self._has_its_part(rank, task):
                task.held = True
                continue
            del queue[place]
            return task
        return None

    def _next(self, ranks: int) -> tuple[int, _Task] | None:
        news = self._urgent_news if ranks == 1 else self._news
        with self._lock:
            while True:
                for rank in range(ranks):
                    if self._waiting[rank] and (task := self._first(rank)) is not None:
                        self._running[rank] += 1
                        self._each[rank, task.address] += 1
                        return rank, task
                if not self._open and not any(self._waiting[:ranks]):
                    return None
                news.wait()

    def _done(self, rank: int, address: str) -> None:
        with self._lock:
            self._running[rank] -= 1
            self._each[rank, address] -= 1
            if not self._each[rank, address]:
                del self._each[rank, address]
            if rank in EACH:
                self._news.notify()

    def _serve(self, ranks: int) -> None:
        while (found := self._next(ranks)) is not None:
            rank, task = found
            if rank <= STREAMS and not task.held:
                self._load.waited(time.monotonic_ns() - task.since)
            try:
                if task.future.set_running_or_notify_cancel():
                    task.future.set_result(task.do(task.conn))
            except BaseException as error:  # the worker's own loop deals with it
                task.future.set_exception(error)
            self._done(rank, task.address)
            del found, task


class Line(TConn):
    """A connection of a worker. ``address``: whose it is; ``until``: when it is given up if nothing has become of it."""

    def __init__(self, worker: EdgeWorker, sock: StampedSocket, client: Any, server: Any) -> None:
        super().__init__(worker.cfg, sock, client, server)
        self.worker = worker
        self.address = client[0] if worker.counts_addresses and isinstance(client, tuple) else ""
        self.since = self.until = time.monotonic()
        self.lingers, self.drained = False, 0

    def close(self, graceful: bool = False) -> None:
        self.worker.let_go(self, graceful)


class EdgeWorker(ThreadWorker):
    """gunicorn's worker of threads, with stamped lines and ranks. ``counts_addresses``: not behind a proxy, to whom all lines belong."""

    counts_addresses = True

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.waiting: dict[Line, None] = {}  # in the order in which they began to wait
        self.lines: Counter[str] = Counter()
        self.held = 0
        self._looked = 0.0

    def init_process(self) -> None:
        threading.Thread(target=self._is_starting, name="edge-starting", daemon=True).start()
        super().init_process()

    def _is_starting(self) -> None:
        """Whoever starts up answers nothing yet, and is not taken for one that has stopped."""
        end = time.monotonic() + 100
        while not self.booted and time.monotonic() < end:
            self.notify()
            time.sleep(1)

    def get_thread_pool(self) -> RankedPool:
        return RankedPool(self.cfg.threads, min(KEPT, self.cfg.threads // 4))

    def run(self) -> None:
        for door in self.sockets:
            stamping(door)
        super().run()

    # --- coming and going -------------------------------------------------------------------------------------------------

    def accept(self, listener: Any) -> None:
        """A new line waits in the poller until its request is here."""
        for _ in range(8):
            try:
                client, address = listener.accept()
            except OSError as error:
                if not isinstance(error, BlockingIOError | ConnectionAbortedError):
                    raise
                return
            self.nr_conns += 1
            line = Line(self, StampedSocket.over(client), address, listener.getsockname())
            self.lines[line.address] += 1
            if line.address not in NEAR and self.lines[line.address] > LINES_EACH:
                self._make_room(line.address)
            elif self.nr_conns > self.worker_connections * 9 // 10:
                self._make_room(max(self.lines, key=lambda one: self.lines[one]))
            self._wait(line)

    def _make_room(self, address: str) -> None:
        """The line of an address that has waited longest goes; who is being served, never."""
        oldest = next((one for one in self.waiting if one.address == address), None)
        if oldest is not None:
            self._give_up(oldest)

    def _wait(self, line: Line) -> None:
        line.sock.begins()
        line.since = time.monotonic()
        line.until = line.since + seconds_for(None)
        self.waiting[line] = None
        self.held += len(line.sock.early)
        self.poller.register(line.sock, selectors.EVENT_READ, partial(self._speaks, line))

    def _stop_waiting(self, line: Line) -> None:
        self.waiting.pop(line, None)
        with contextlib.suppress(OSError, KeyError, ValueError):
            self.poller.unregister(line.sock)

    def _speaks(self, line: Line, _socket: Any = None) -> None:
        if line not in self.waiting:  # given up in this very turn
            return
        if line.lingers:
            self._lingered(line)
            return
        before = len(line.sock.early)
        whole = line.sock.gather()
        self.held += len(line.sock.early) - before
        if whole:
            self._stop_waiting(line)
            self.held -= len(line.sock.early)
            if line.sock.refused:
                with contextlib.suppress(OSError):
                    line.sock.send(REFUSED % line.sock.refused)
                self.nr_conns -= 1
                line.close(graceful=True)
                return
            line.data_ready = True
            self.enqueue_req(line)
        elif line.sock.ended:
            self._give_up(line)
        else:
            line.until = line.since + seconds_for(line.sock.length)
            if self.held > HELD_MOST:
                self._give_up(max(self.waiting, key=lambda one: len(one.sock.early)))

    def _give_up(self, line: Line) -> None:
        """Close a line that waits."""
        self._stop_waiting(line)
        if not line.lingers:
            self.held -= len(line.sock.early)
            self.nr_conns -= 1
        self._gone(line)

    def let_go(self, line: Line, graceful: bool) -> None:
        """Close a line that was served; ``graceful``: once the other side has heard all of it, which is waited for by the poller, where the
        server's own would stand still for it."""
        if graceful and self.alive:
            with contextlib.suppress(OSError, KeyError, ValueError):
                line.sock.shutdown(socket.SHUT_WR)
                line.sock.setblocking(False)
                line.sock.early.clear()
                line.lingers, line.until = True, time.monotonic() + LINGER_SECONDS
                self.waiting[line] = None
                self.poller.register(line.sock, selectors.EVENT_READ, partial(self._speaks, line))
                return
            self.waiting.pop(line, None)
        self._gone(line)

    def _lingered(self, line: Line) -> None:
        try:
            piece = line.sock.read_away()
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            piece = b""
        line.drained += len(piece)
        if not piece or line.drained > LINGER_MOST:
            self._give_up(line)

    def _gone(self, line: Line) -> None:
        self.lines[line.address] -= 1
        if not self.lines[line.address]:
            del self.lines[line.address]
        with contextlib.suppress(OSError):
            line.sock.close()

    # --- the server's own turns -------------------------------------------------------------------------------------------

    def on_client_socket_readable(self, conn: Line, client: Any) -> None:
        """The next request of a line that was kept."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._wait(conn)
        self._speaks(conn)

    def finish_request(self, conn: Line, fs: Any) -> None:
        super().finish_request(conn, fs)
        if conn.sock.fileno() >= 0 and conn.sock.early and self.keepalived_conns and self.keepalived_conns[-1] is conn:
            self.on_client_socket_readable(conn, conn.sock)  # its next request was gathered with this one

    def murder_pending(self) -> None:
        """Lines that took too long; all of them when we stop, but for those that are just speaking."""
        now = time.monotonic()
        if self.alive and now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        late = [
            one for one in self.waiting if one.until <= now or (not self.alive and not (one.lingers or one.sock.early))
        ]
        for line in late:
            self._give_up(line)

    def _keepalive_after(self, conn: Line, keepalive: bool) -> bool:
        """No thread reads away a large body that the page did not want."""
        if conn.sock.flows and (conn.sock.left or 0) > LINGER_MOST:
            return False
        return bool(super()._keepalive_after(conn, keepalive))
